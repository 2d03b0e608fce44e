"""What `lead-pipeline status` tells: how far each account's data reaches, and what is open.

Belongs here: reading landing. Does not belong here: asking an API (`check.py`), printing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lead_pipeline.landing.commits import CommitRecord, accounts_with_landing, commit_records
from lead_pipeline.landing.coverage import coverage_of, merged_windows, proven_windows
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.rejected import RejectedGroup, rejected_groups
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.settings import Settings
from lead_pipeline.windows import UpdatedWindow


@dataclass(frozen=True)
class StreamStatus:
    """One stream: its complete windows, merged, and its crawls that are not finished."""

    stream: str
    complete: tuple[UpdatedWindow, ...]
    unfinished: tuple[CommitRecord, ...]
    records: int
    last_crawl_at: datetime | None
    note: str | None


@dataclass(frozen=True)
class AccountStatus:
    """One account."""

    account: str
    provider: str
    complete_from: datetime | None
    complete_through: datetime | None
    streams: tuple[StreamStatus, ...]
    pending_details: int
    rejected: tuple[RejectedGroup, ...]


def account_statuses(settings: Settings) -> list[AccountStatus]:
    """The status of every account that has landed anything, by name."""
    statuses = []
    for account in accounts_with_landing(settings.landing_path):
        records = list(commit_records(settings.landing_path, account))
        if records:
            statuses.append(_status(settings, records))
    return statuses


def _status(settings: Settings, records: list[CommitRecord]) -> AccountStatus:
    landing, first = settings.landing_path, records[0]
    coverage = coverage_of(first.account, first.provider, proven_windows(records))
    provider = PROVIDERS[first.provider]
    landed = LandedRecords(landing, first.account, provider)
    return AccountStatus(
        account=first.account,
        provider=first.provider,
        complete_from=coverage.complete_from,
        complete_through=coverage.complete_through,
        streams=tuple(_stream_status(records, stream.name) for stream in provider.streams),
        pending_details=len(landed.leads_without_details()),
        rejected=tuple(rejected_groups(landing, first.account)),
    )


def _stream_status(records: list[CommitRecord], stream: str) -> StreamStatus:
    own = [record for record in records if record.stream == stream]
    crawls = [record for record in own if record.state != "replayed"]
    return StreamStatus(
        stream=stream,
        complete=tuple(merged_windows(proven_windows(own), stream)),
        unfinished=tuple(_unfinished(crawls)),
        records=sum(record.records for record in own),
        last_crawl_at=crawls[-1].started_at if crawls else None,
        note=crawls[-1].note if crawls else None,
    )


def _unfinished(crawls: list[CommitRecord]) -> list[CommitRecord]:
    """The newest crawl of each window, where it is not complete."""
    newest = {(record.window.start, record.window.end, record.full): record for record in crawls}
    return [
        record for record in newest.values() if record.state in ("running", "stuck", "doubtful")
    ]
