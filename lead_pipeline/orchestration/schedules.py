"""The job and its schedules: which account is asked for which days, and when.

    tick ──▶ days that are not complete ──▶ one run per account, which only lands ──▶ publish sensor

A provider that is down, or waits an hour for its quota, does not keep the others from being landed.
What has landed is published once for all accounts (`publish_sensor.py`). The run of an account
without its credentials fails, so that it is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.errors import DagsterInvariantViolationError
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    SCHEDULE_NAME_TAG,
)

from lead_pipeline.accounts import UnusableAccount
from lead_pipeline.landing.gaps import open_from, poll_since
from lead_pipeline.orchestration.batches import PUBLISH_TAG
from lead_pipeline.orchestration.landing_assets import landing_keys, polled_keys, pull_run_config
from lead_pipeline.orchestration.processes import UNFINISHED
from lead_pipeline.orchestration.tags import ACCOUNT_TAG, POLLS_SCHEDULE
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.settings import Settings
from lead_pipeline.windows import ONE_DAY, SETTLING_DELAY

JOB = "daily_leads"
NIGHTLY_CRON = f"{SETTLING_DELAY.seconds % 3600 // 60} {SETTLING_DELAY.seconds // 3600} * * *"

Declared = Account | UnusableAccount


@dataclass(frozen=True)
class Asked:
    """What a tick asks an account for."""

    first: date
    last: date
    keys: Sequence[dg.AssetKey]
    config: Mapping[str, Any] = field(default_factory=dict)
    is_published: bool = True
    """Whether a publication follows when all of the tick's accounts have landed."""


Plan = Callable[[Settings, Declared, datetime], Asked | None]
"""From an account and the time of a tick (UTC) to what is asked for; None: nothing."""


def build_job() -> dg.UnresolvedAssetJobDefinition:
    """Landing, load, dbt and publish; partitioned as the landing assets are."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        description="Pull leads, load them, build and test the marts, publish the BI file.",
    )


def build_schedules(
    job: dg.UnresolvedAssetJobDefinition,
    load_settings: Callable[[], Settings],
    accounts: Sequence[Declared],
    nightly_cron: str = NIGHTLY_CRON,
) -> list[dg.ScheduleDefinition]:
    """The nightly, the hourly, the intraday and the weekly full schedule.

    Tests have nights more often than at `nightly_cron`. Settings are read again at each tick, as they are by the runs that it asks for.
    """

    def schedule(
        name: str, cron: str, plan: Plan, description: str, *, running: bool
    ) -> dg.ScheduleDefinition:
        def requests(
            context: dg.ScheduleEvaluationContext,
        ) -> Iterator[dg.RunRequest | dg.SkipReason]:
            yield from _requests(context, name, load_settings(), accounts, plan)

        return dg.ScheduleDefinition(
            name=name,
            job=job,
            cron_schedule=cron,
            execution_timezone="UTC",
            # A generator: Dagster takes a list returned here for one single request, and fails.
            execution_fn=requests,
            description=description,
            default_status=(
                dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
            ),
        )

    return [
        schedule(
            "daily_leads_schedule",
            nightly_cron,
            _night,
            "All that is not complete yet, through yesterday, once that day has settled: nights that "
            "were missed or failed come with the next one.",
            running=True,
        ),
        schedule(
            POLLS_SCHEDULE,
            "5 * * * *",
            _poll,
            "What has changed since the last crawl, of accounts where that is cheap. Only lands: "
            "the night publishes it, with times of stages known to within an hour.",
            running=any(_polls_hourly(account) for account in accounts),
        ),
        schedule(
            "intraday_leads_schedule",
            "15 */2 * * *",
            _today,
            "Today's partition so far, published; the nightly run completes it. Off until switched "
            "on.",
            running=False,
        ),
        schedule(
            "weekly_full_leads_schedule",
            "30 4 * * 0",
            _everything,
            "Everything that exists, so that vanished leads show. On by itself where the nightly "
            "crawls of an account leave leads out.",
            running=any(_needs_full_crawls(account) for account in accounts),
        ),
    ]


def _night(settings: Settings, account: Declared, at: datetime) -> Asked | None:
    yesterday = at.date() - ONE_DAY
    if yesterday < settings.start_date:
        return None
    first = open_from(settings, account, yesterday) or yesterday
    return Asked(first, yesterday, landing_keys(account))


def _today(settings: Settings, account: Declared, at: datetime) -> Asked | None:
    if at.date() < settings.start_date:
        return None
    return Asked(at.date(), at.date(), landing_keys(account))


def _everything(settings: Settings, account: Declared, at: datetime) -> Asked | None:
    yesterday = at.date() - ONE_DAY
    if yesterday < settings.start_date:
        return None
    return Asked(yesterday, yesterday, landing_keys(account), {"full": True})


def _poll(settings: Settings, account: Declared, at: datetime) -> Asked | None:
    if isinstance(account, UnusableAccount) or not _polls_hourly(account):
        return None
    since = poll_since(settings, account, at)
    if since is None:
        return None
    today, keys = at.date(), polled_keys(account)
    return Asked(today, today, keys, {"poll_since": since}, is_published=False)


def _polls_hourly(account: Declared) -> bool:
    if isinstance(account, UnusableAccount):
        return False
    provider = PROVIDERS[account.provider]
    return provider.polls_hourly(provider.options_of(account))


def _needs_full_crawls(account: Declared) -> bool:
    if isinstance(account, UnusableAccount):
        return False
    provider = PROVIDERS[account.provider]
    return provider.needs_full_crawls(provider.options_of(account))


def _requests(
    context: dg.ScheduleEvaluationContext,
    schedule: str,
    settings: Settings,
    accounts: Sequence[Declared],
    plan: Plan,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One request per account, or why there is none."""
    if not accounts:
        yield dg.SkipReason("No account is declared; `lead-pipeline check` says what to set.")
        return
    at = context.scheduled_execution_time.astimezone(UTC)
    waiting = _accounts_waiting(context, schedule)
    asked = {account.name: plan(settings, account, at) for account in accounts}
    requests = [
        _run_request(schedule, name, at, what)
        for name, what in asked.items()
        if what is not None and name not in waiting
    ]
    yield from requests
    if not requests:
        still = f" Still under way or queued: {', '.join(sorted(waiting))}." if waiting else ""
        yield dg.SkipReason(f"There is nothing to ask for.{still}")


def _accounts_waiting(context: dg.ScheduleEvaluationContext, schedule: str) -> set[str]:
    """Accounts whose last run of the schedule has not ended: another would ask for the same."""
    try:
        instance = context.instance
    except DagsterInvariantViolationError:
        # A tick that is tried without a persistent instance has no runs.
        return set()
    runs = instance.get_runs(
        RunsFilter(
            statuses=[DagsterRunStatus.QUEUED, *UNFINISHED], tags={SCHEDULE_NAME_TAG: schedule}
        )
    )
    return {run.tags[ACCOUNT_TAG] for run in runs}


def _run_request(schedule: str, account: str, at: datetime, asked: Asked) -> dg.RunRequest:
    tags = {ACCOUNT_TAG: account}
    if asked.is_published:
        tags[PUBLISH_TAG] = "when all accounts have landed"
    is_one_day = asked.first == asked.last
    if not is_one_day:
        tags[ASSET_PARTITION_RANGE_START_TAG] = asked.first.isoformat()
        tags[ASSET_PARTITION_RANGE_END_TAG] = asked.last.isoformat()
    return dg.RunRequest(
        run_key=f"{schedule}:{account}:{at:%Y-%m-%dT%H:%M}",
        partition_key=asked.last.isoformat() if is_one_day else None,
        asset_selection=list(asked.keys),
        run_config=pull_run_config(asked.keys, **asked.config) or None,
        tags=tags,
    )
