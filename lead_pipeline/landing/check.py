"""What `lead-pipeline check` finds out: does each account's key work, and what comes next.

Belongs here: one or two real requests per account, and estimates. Does not belong here:
landing anything, printing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import ceil

from lead_pipeline.accounts import variable_name
from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.landing.commits import commit_records
from lead_pipeline.landing.gaps import open_from
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.saved_quota import load_quota, save_quota
from lead_pipeline.landing.turns import account_turn
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import HOURLY_POLLS, Account, Limit, Page, PullRequest, Walk
from lead_pipeline.providers.http import ApiClient, RetryPolicy
from lead_pipeline.providers.quota import Pause, Quota
from lead_pipeline.settings import Settings
from lead_pipeline.windows import ONE_DAY, UpdatedWindow, window_of_days


@dataclass(frozen=True)
class Backfill:
    """What a run would ask for next."""

    first: date
    last: date
    requests: int | None
    """Estimated; None where neither the provider nor an earlier crawl tells."""
    seconds: float | None


@dataclass(frozen=True)
class Polls:
    """What it costs to ask the account every hour between nights."""

    is_on: bool
    variable: str
    """What switches it on (1) or off (0)."""
    requests: int | None
    """Of each poll; None where no crawl has told yet."""


@dataclass(frozen=True)
class AccountCheck:
    """What one account's key may do."""

    account: Account
    failure: str | None
    facts: tuple[str, ...] = ()
    quota: str | None = None
    next_backfill: Backfill | None = None
    polls: Polls | None = None
    """None where the provider cannot be asked between nights."""


class _Silent:
    def waiting(self, pause: Pause) -> None:
        """Nobody watches a check."""

    def retrying(self, reason: str, seconds: float) -> None:
        """Nobody watches a check."""


def check_account(
    settings: Settings, account: Account, tell: Callable[[str], None]
) -> AccountCheck:
    """Ask the account's API for one record; never raises for what the API answers.

    Waits while a run is asking the account's API, and says so through `tell`.
    """
    provider = PROVIDERS[account.provider]
    facts: list[str] = []
    with (
        account_turn(settings, account.name, f"checking {account.name}", tell),
        ApiClient(
            provider,
            account,
            load_quota(settings.landing_path, account.name),
            _Silent(),
            max_wait_seconds=5,
            retry=RetryPolicy(attempts=2),
        ) as client,
    ):
        try:
            request = provider.tenant_request()
            if request is not None:
                facts += client.fetch(
                    request,
                    lambda body: () if body is None else provider.key_facts(body),
                    accepts_missing=True,
                )
            days = _next_days(settings, account)
            page, walk = _first_page(settings, account, client, days)
        except LeadPipelineError as error:
            return AccountCheck(account, str(error), tuple(facts))
        finally:
            save_quota(settings.landing_path, account.name, client.quota)
        quota = _quota_now(client.quota)
    facts.append("may read leads")
    if page.total is not None and days is not None:
        facts.append(f"{page.total:,} leads updated since the last complete day")
    backfill = None
    if days is not None:
        backfill = _estimate(settings, account, days, page, walk)
    return AccountCheck(account, None, tuple(facts), quota, backfill, _polls(settings, account))


def _polls(settings: Settings, account: Account) -> Polls | None:
    """Told by the streams that a poll asks, or by the last whole list where it asks for that."""
    provider = PROVIDERS[account.provider]
    options = [option for option in provider.options if option.name == HOURLY_POLLS]
    if not options:
        return None
    is_on = provider.polls_hourly(provider.options_of(account))
    variable = variable_name(provider, HOURLY_POLLS)
    if options[0].default:
        asked = len(provider.streams_of("records", "events"))
        return Polls(is_on, variable, asked + (provider.tenant_request() is not None))
    lists = [
        record.requests
        for record in commit_records(settings.landing_path, account.name)
        if record.complete and record.is_full and record.stream == provider.records_stream.name
    ]
    return Polls(is_on, variable, lists[-1] if lists else None)


def _next_days(settings: Settings, account: Account) -> tuple[date, date] | None:
    """The days that a run without dates would ask for to be complete through yesterday, if any."""
    yesterday = datetime.now(UTC).date() - ONE_DAY
    first = open_from(settings, account, yesterday)
    return None if first is None else (first, yesterday)


def _first_page(
    settings: Settings, account: Account, client: ApiClient, days: tuple[date, date] | None
) -> tuple[Page, Walk]:
    """One record of what the next backfill would read."""
    yesterday = datetime.now(UTC).date() - ONE_DAY
    first, last = days or (yesterday, yesterday)
    window = window_of_days(first, last, settings.start_date)
    walk = _list_walk(settings, account, window)

    def read(body: bytes | None) -> Page:
        return walk.page(body, None)

    return client.fetch(walk.sample_request(), read), walk


def _list_walk(settings: Settings, account: Account, window: UpdatedWindow) -> Walk:
    provider = PROVIDERS[account.provider]
    pull = PullRequest(
        window, settings.overlap, datetime.now(UTC), options=provider.options_of(account)
    )
    landed = LandedRecords(settings.landing_path, account.name, provider)
    return provider.walk(provider.records_stream.name, pull, landed)


def _estimate(
    settings: Settings, account: Account, days: tuple[date, date], page: Page, walk: Walk
) -> Backfill:
    """The list's own count where it has one, else what each stream's last crawl took."""
    provider = PROVIDERS[account.provider]
    records = provider.records_stream.name
    earlier = {
        record.stream: record.requests
        for record in commit_records(settings.landing_path, account.name)
        if record.complete
        and record.absences is None
        and (record.stream != records or record.is_full == walk.is_full)
    }
    if page.total is not None:
        earlier[records] = max(1, ceil(page.total / walk.page_size))
    requests = sum(earlier.values()) if records in earlier else None
    seconds = None if requests is None else seconds_for(requests, provider.documented_limits)
    return Backfill(days[0], days[1], requests, seconds)


def seconds_for(requests: int, limits: tuple[Limit, ...]) -> float:
    """How long the limits make `requests` last, in seconds: whole windows waited for."""
    return max((requests - 1) // limit.requests * limit.seconds for limit in limits)


def _quota_now(quota: Quota) -> str | None:
    parts = [
        f"{bucket.remaining:,} of {limit} requests left" if limit else f"{bucket.remaining:,} left"
        for limit, bucket in quota.buckets.items()
    ]
    return ", ".join(parts) or None
