"""What `lead-pipeline status` tells: how far each account's data reaches, and what is open.

Belongs here: reading landing. Does not belong here: asking an API (`check.py`), printing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from lead_pipeline.landing.absences import said
from lead_pipeline.landing.commits import CommitRecord, accounts_with_landing, commit_records
from lead_pipeline.landing.coverage import coverage_of, merged_windows, proven_windows
from lead_pipeline.landing.gaps import first_open_day
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.rejected import RejectedGroup, rejected_groups
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Provider
from lead_pipeline.settings import Settings
from lead_pipeline.windows import ONE_DAY, UpdatedWindow

ProviderOptions = Mapping[str, int | None]
"""All options of a provider by name, as an account has them."""


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
class DeletionStatus:
    """How late it is noticed that the provider has deleted a lead."""

    noticed_by: str
    """The next what."""
    looked_at: datetime | None
    """What was deleted before is known; None: nothing has shown yet."""
    remark: str | None
    """Why the last search did not settle it."""


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
    deletions: DeletionStatus
    open_from: date | None
    """The first day through yesterday (UTC) that is not complete; None: there is none."""


def account_statuses(
    settings: Settings, options: Mapping[str, ProviderOptions] | None = None
) -> list[AccountStatus]:
    """The status of every account that has landed anything, by name.

    `options` are those of the accounts by name; where there is none, the defaults count.
    """
    statuses = []
    for account in accounts_with_landing(settings.landing_path):
        records = list(commit_records(settings.landing_path, account))
        if records:
            statuses.append(_status(settings, records, (options or {}).get(account)))
    return statuses


def _status(
    settings: Settings, records: list[CommitRecord], options: ProviderOptions | None
) -> AccountStatus:
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
        deletions=_deletions(provider, records, options),
        open_from=first_open_day(coverage, settings.start_date, datetime.now(UTC).date() - ONE_DAY),
    )


def _deletions(
    provider: Provider, records: list[CommitRecord], options: ProviderOptions | None
) -> DeletionStatus:
    """Told by what the account's last crawl was, and by the last search for vanished leads."""
    lists = [record for record in records if record.stream == provider.records_stream.name]
    nightly = [record for record in lists if record.complete and not record.full]
    searches = [record for record in records if record.absences is not None]
    if options is None:
        options = {option.name: option.default for option in provider.options}
    counts = provider.counted_list(options) is not None
    if nightly and nightly[-1].is_full:
        noticed_by = "crawl, each of which reads the whole list"
    elif counts:
        noticed_by = "nightly crawl, by counts"
    else:
        noticed_by = "full crawl (lead-pipeline run --full)"
    looked = [record.started_at for record in lists if record.shows_absence]
    looked += [record.started_at for record in searches if record.complete]
    last = searches[-1].absences if searches and counts and not searches[-1].complete else None
    remark = None if last is None else said(last)
    return DeletionStatus(noticed_by, max(looked, default=None), remark)


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
