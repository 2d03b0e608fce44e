"""Days that an account's crawls do not prove yet: where `run` and the schedules begin.

    complete crawls ──▶ coverage ──▶ the first open day

Belongs here: from coverage to days. Does not belong here: what a crawl proves (`coverage.py`).
"""

from __future__ import annotations

from datetime import date

from lead_pipeline.landing.commits import commit_records
from lead_pipeline.landing.coverage import AccountCoverage, coverage_of, proven_windows
from lead_pipeline.providers.base import Account
from lead_pipeline.settings import Settings
from lead_pipeline.windows import day_start


def open_from(settings: Settings, account: Account, last: date) -> date | None:
    """The first day through `last` that the account's landed crawls do not prove; None: none."""
    proven = proven_windows(commit_records(settings.landing_path, account.name))
    coverage = coverage_of(account.name, account.provider, proven)
    return first_open_day(coverage, settings.start_date, last)


def first_open_day(coverage: AccountCoverage, start_date: date, last: date) -> date | None:
    """The first day from `start_date` through `last` that is not complete; None: there is none.

    The partition of `start_date` takes all that was updated before it, so an account whose coverage
    begins later is open from there.
    """
    begins, through = coverage.complete_from, coverage.complete_through
    if through is None or (begins is not None and begins > day_start(start_date)):
        return min(start_date, last)
    first = max(through.date(), start_date)
    return first if first <= last else None
