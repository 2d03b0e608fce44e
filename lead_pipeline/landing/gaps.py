"""Days that an account's crawls do not prove yet: where `run` and the schedules begin.

    complete crawls ──▶ coverage ──▶ the first open day

Belongs here: from coverage to days. Does not belong here: what a crawl proves (`coverage.py`).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol

from lead_pipeline.landing.commits import commit_records
from lead_pipeline.landing.coverage import AccountCoverage, coverage_of, proven_windows
from lead_pipeline.settings import Settings
from lead_pipeline.windows import ONE_DAY, day_start


class Named(Protocol):
    """An account, with credentials or without."""

    @property
    def name(self) -> str:
        """Its slug."""

    @property
    def provider(self) -> str:
        """The slug of its provider."""


def coverage_now(settings: Settings, account: Named) -> AccountCoverage:
    """How far the account's landed crawls reach."""
    proven = proven_windows(commit_records(settings.landing_path, account.name))
    return coverage_of(account.name, account.provider, proven)


def open_from(settings: Settings, account: Named, last: date) -> date | None:
    """The first day through `last` that the account's landed crawls do not prove; None: none."""
    return first_open_day(coverage_now(settings, account), settings.start_date, last)


def poll_since(settings: Settings, account: Named, at: datetime) -> datetime | None:
    """Since when (UTC) a poll at `at` asks for changes; None: it has nothing to ask.

    None before the first night, since a poll is no backfill. Of what is open, days before yesterday
    are left to the next night: a poll stays cheap.
    """
    today = day_start(at.date())
    through = coverage_now(settings, account).complete_through
    if through is None or at.date() < settings.start_date:
        return None
    since = through if through >= today - ONE_DAY else today
    return since if since < at else None


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
