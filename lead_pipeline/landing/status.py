"""What `lead-pipeline status` tells: how far each account's data reaches, and what is open.

Belongs here: reading landing. Does not belong here: asking an API (`check.py`), printing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

from lead_pipeline.landing.absences import said
from lead_pipeline.landing.commits import (
    CommitRecord,
    SearchOutcome,
    accounts_with_landing,
    commit_records,
)
from lead_pipeline.landing.coverage import coverage_of, merged_windows, proven_windows
from lead_pipeline.landing.gaps import first_open_day
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.places import read_in_place
from lead_pipeline.landing.rejected import RejectedGroup, rejected_groups
from lead_pipeline.landing.tombstones import count_erased
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
    unsettled: SearchOutcome | None = None
    """How that search ended; None where there was none, or it settled it."""
    searched_at: datetime | None = None
    """When that search began."""


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
    erased: int = 0
    """Leads with a tombstone: they were erased, and are not landed again."""


def account_statuses(
    settings: Settings,
    options: Mapping[str, ProviderOptions] | None = None,
    now: datetime | None = None,
) -> list[AccountStatus]:
    """The status of every account that has landed anything, by name, at `now`.

    `options` are those of the accounts by name; where there is none, the defaults count.
    """
    yesterday = (now or datetime.now(UTC)).astimezone(UTC).date() - ONE_DAY
    statuses = []
    for account in accounts_with_landing(settings.landing_path):
        records = list(commit_records(settings.landing_path, account))
        if records:
            own = (options or {}).get(account)
            read = partial(_status, settings, records, own, yesterday)
            statuses.append(read_in_place(settings.landing_path, read))
    return statuses


def _status(
    settings: Settings,
    records: list[CommitRecord],
    options: ProviderOptions | None,
    yesterday: date,
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
        open_from=first_open_day(coverage, settings.start_date, yesterday),
        erased=count_erased(settings, first.account),
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
    looked_at = max(looked, default=None)
    last = searches[-1] if searches and counts and not searches[-1].complete else None
    if last is None or last.absences is None:
        return DeletionStatus(noticed_by, looked_at, None)
    return DeletionStatus(
        noticed_by, looked_at, said(last.absences), last.absences.outcome, last.started_at
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
    """The newest crawl of each window, where it is not complete and none since has made it good."""
    newest = {(record.window.start, record.window.end, record.full): record for record in crawls}
    return [
        record
        for record in newest.values()
        if record.state in ("running", "stuck", "doubtful") and not _is_made_good(record, crawls)
    ]


def _is_made_good(record: CommitRecord, crawls: list[CommitRecord]) -> bool:
    """Whether complete crawls that began later prove all that this one was asked for.

    Only another walk over the whole list tells whether one of those was right.
    """
    later = [
        other
        for other in crawls
        if other.complete
        and other.started_at > record.started_at
        and (other.is_full or not record.is_full)
    ]
    if record.full and record.is_full:
        return bool(later)
    return any(
        window.start is None
        or (record.window.start is not None and window.start <= record.window.start)
        for window in merged_windows(proven_windows(later), record.stream)
        if record.window.end <= window.end
    )
