"""How far an account's landed data reaches, told from its complete crawls.

Belongs here: arithmetic on commit records. Does not belong here: counting leads.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lead_pipeline.landing.commits import CommitRecord, accounts_with_landing, commit_records
from lead_pipeline.partitions import UpdatedWindow, merge
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.settings import Settings


@dataclass(frozen=True)
class AccountCoverage:
    """Every update of the account's leads in `[complete_from, complete_through)` has landed.

    `complete_from` is None for "since ever"; `complete_through` is None when nothing is
    complete yet. Where days were left out, the coverage ends at the first gap.
    """

    account: str
    provider: str
    complete_from: datetime | None
    complete_through: datetime | None


def complete_windows(records: list[CommitRecord], stream: str) -> list[UpdatedWindow]:
    """The windows that complete crawls of `stream` prove, merged. None later than its start."""
    return merge(
        (None if _reads_everything(record) else record.window.start, record.proven_until)
        for record in records
        if record.stream == stream and record.complete
    )


def _reads_everything(record: CommitRecord) -> bool:
    """Whether the crawl proves all times before its window too. A full crawl meets every lead
    as it is now, but reads no more of other streams, such as an audit log, than its window.
    """
    return record.full and record.stream in PROVIDERS[record.provider].required_streams


def account_coverage(settings: Settings) -> list[AccountCoverage]:
    """One entry per account that has landed anything, by name."""
    coverage = []
    for account in accounts_with_landing(settings.landing_path):
        records = list(commit_records(settings.landing_path, account))
        if records:
            coverage.append(coverage_of(records))
    return coverage


def coverage_of(records: list[CommitRecord]) -> AccountCoverage:
    """The coverage that one account's commit records (at least one) prove.

    Every stream that lead states come from must be complete, so the answer is the part that
    their first uninterrupted windows have in common.
    """
    first = records[0]
    blocks = []
    for stream in PROVIDERS[first.provider].required_streams:
        windows = complete_windows(records, stream)
        if not windows:
            return AccountCoverage(first.account, first.provider, None, None)
        blocks.append(windows[0])
    starts = [block.start for block in blocks if block.start is not None]
    start, end = max(starts, default=None), min(block.end for block in blocks)
    if start is not None and start >= end:
        return AccountCoverage(first.account, first.provider, None, None)
    return AccountCoverage(first.account, first.provider, start, end)
