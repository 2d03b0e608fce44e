"""The document of `status --json`: these dataclasses are its form, and its names do not change.

Times are UTC. It holds counts, names of accounts and streams, and reasons; no personal data and no
secret. Belongs here: the form, and filling it from a situation. Does not belong here: judging
(`findings.py`), printing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version

from lead_pipeline.health.findings import Finding, Situation
from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.landing.status import AccountStatus, StreamStatus


@dataclass(frozen=True)
class WindowDocument:
    """A half-open window `[start, end)`; a null start is everything before the end."""

    start: datetime | None
    end: datetime


@dataclass(frozen=True)
class CrawlDocument:
    """A crawl that is not complete: `running` (or killed), `stuck` or `doubtful`."""

    crawl_id: str
    state: str
    window: WindowDocument
    full: bool
    pages: int
    started_at: datetime


@dataclass(frozen=True)
class StreamDocument:
    """A stream: what complete crawls prove, merged, and what is not complete."""

    stream: str
    complete_windows: list[WindowDocument]
    unfinished_crawls: list[CrawlDocument]
    records: int
    last_crawl_at: datetime | None
    note: str | None


@dataclass(frozen=True)
class RejectedDocument:
    """Distinct rejected records of a stream that share a reason, and that no replay has filed."""

    stream: str
    reason: str
    records: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True)
class DeletionsDocument:
    """How late a deletion is noticed: by the next what, and what is known by now."""

    noticed_by: str
    looked_at: datetime | None
    remark: str | None


@dataclass(frozen=True)
class AccountDocument:
    """An account that is declared or has landed something; without landing, much is null."""

    account: str
    provider: str
    is_declared: bool
    has_credentials: bool
    complete_from: datetime | None
    complete_through: datetime | None
    open_from: date | None
    pending_details: int | None
    streams: list[StreamDocument]
    rejected: list[RejectedDocument]
    deletions: DeletionsDocument | None
    erased: int | None
    """Leads that were erased, and are not landed again."""


@dataclass(frozen=True)
class PublishedAccountDocument:
    """What readers have of an account."""

    account: str
    complete_through: datetime | None
    leads: int


@dataclass(frozen=True)
class PublishedDocument:
    """The file that readers open, by its own words; null fields where it cannot be read."""

    path: str
    is_readable: bool
    run_id: str | None
    published_at: datetime | None
    lead_pipeline_version: str | None
    accounts: list[PublishedAccountDocument]


@dataclass(frozen=True)
class StatusDocument:
    """All of it, as it was at `at`."""

    at: datetime
    lead_pipeline_version: str
    home: str
    due_until: datetime
    """The end of the last day that must be complete by now."""
    accounts: list[AccountDocument]
    published: PublishedDocument | None
    findings: list[Finding]


def status_document(situation: Situation, findings: list[Finding]) -> StatusDocument:
    """The document of a situation and what was found in it."""
    names = {item.name: item.provider for item in situation.accounts.declared}
    names |= {item.account: item.provider for item in situation.statuses}
    return StatusDocument(
        at=situation.now.astimezone(UTC),
        lead_pipeline_version=version("lead-pipeline"),
        home=str(situation.settings.home),
        due_until=situation.due_until,
        accounts=[_account(situation, name, names[name]) for name in sorted(names)],
        published=_published(situation),
        findings=findings,
    )


def _account(situation: Situation, name: str, provider: str) -> AccountDocument:
    status = situation.status_of(name)
    return AccountDocument(
        account=name,
        provider=provider,
        is_declared=any(item.name == name for item in situation.accounts.declared),
        has_credentials=any(item.name == name for item in situation.accounts.usable),
        complete_from=None if status is None else status.complete_from,
        complete_through=None if status is None else status.complete_through,
        open_from=None if status is None else status.open_from,
        pending_details=None if status is None else status.pending_details,
        streams=[] if status is None else [_stream(stream) for stream in status.streams],
        rejected=[] if status is None else _rejected(status),
        deletions=None if status is None else _deletions(status),
        erased=None if status is None else status.erased,
    )


def _stream(stream: StreamStatus) -> StreamDocument:
    return StreamDocument(
        stream.stream,
        [WindowDocument(window.start, window.end) for window in stream.complete],
        [_crawl(crawl) for crawl in stream.unfinished],
        stream.records,
        stream.last_crawl_at,
        stream.note,
    )


def _crawl(crawl: CommitRecord) -> CrawlDocument:
    return CrawlDocument(
        crawl.crawl_id,
        crawl.state,
        WindowDocument(crawl.window.start, crawl.window.end),
        crawl.full,
        crawl.pages,
        crawl.started_at,
    )


def _rejected(status: AccountStatus) -> list[RejectedDocument]:
    return [
        RejectedDocument(
            group.stream, group.reason, group.records, group.first_seen_at, group.last_seen_at
        )
        for group in status.rejected
    ]


def _deletions(status: AccountStatus) -> DeletionsDocument:
    told = status.deletions
    return DeletionsDocument(told.noticed_by, told.looked_at, told.remark)


def _published(situation: Situation) -> PublishedDocument | None:
    published = situation.published
    if published is None:
        return None
    return PublishedDocument(
        path=str(situation.settings.published_path),
        is_readable=published.is_readable,
        run_id=published.run_id,
        published_at=published.published_at,
        lead_pipeline_version=published.version,
        accounts=[
            PublishedAccountDocument(name, through, (published.leads or {}).get(name, 0))
            for name, through in sorted((published.complete_through or {}).items())
        ],
    )
