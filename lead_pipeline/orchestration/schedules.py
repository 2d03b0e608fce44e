"""The job and its schedules.

Each schedule asks for one run per account: a provider that is down, or waits an hour for its
quota, does not keep the others from being loaded and published. The run of an account without its
credentials fails, so that it is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime

import dagster as dg

from lead_pipeline.accounts import UnusableAccount
from lead_pipeline.orchestration.landing_assets import landing_keys
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.settings import Settings
from lead_pipeline.windows import ONE_DAY, SETTLING_DELAY

JOB = "daily_leads"
ACCOUNT_TAG = "lead_pipeline/account"


def build_job() -> dg.UnresolvedAssetJobDefinition:
    """Landing, load, dbt and publish; partitioned as the landing assets are."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        description="Pull leads, load them, build and test the marts, publish the BI file.",
    )


def build_schedules(
    job: dg.UnresolvedAssetJobDefinition,
    settings: Settings,
    accounts: Sequence[Account | UnusableAccount],
    downstream: Sequence[dg.AssetKey],
) -> list[dg.ScheduleDefinition]:
    """The nightly, the intraday and the weekly full schedule."""

    def schedule(
        name: str,
        cron: str,
        day_of: Callable[[datetime], date],
        description: str,
        *,
        running: bool,
        full: bool = False,
    ) -> dg.ScheduleDefinition:
        # A generator: Dagster takes a list returned here for one single request, and fails.
        def requests(
            context: dg.ScheduleEvaluationContext,
        ) -> Iterator[dg.RunRequest | dg.SkipReason]:
            day = day_of(context.scheduled_execution_time.astimezone(UTC))
            if day < settings.start_date:
                yield dg.SkipReason(f"{day} lies before LEAD_PIPELINE_START_DATE.")
            elif not accounts:
                yield dg.SkipReason(
                    "No account is declared; `lead-pipeline check` says what to set."
                )
            else:
                for account in accounts:
                    yield _run_request(name, context, account, day, downstream, full)

        return dg.ScheduleDefinition(
            name=name,
            job=job,
            cron_schedule=cron,
            execution_timezone="UTC",
            execution_fn=requests,
            description=description,
            default_status=(
                dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
            ),
        )

    nightly = f"{SETTLING_DELAY.seconds % 3600 // 60} {SETTLING_DELAY.seconds // 3600} * * *"
    return [
        schedule(
            "daily_leads_schedule",
            nightly,
            lambda at: at.date() - ONE_DAY,
            "Yesterday's partition, once the day has settled.",
            running=True,
        ),
        schedule(
            "intraday_leads_schedule",
            "15 */2 * * *",
            lambda at: at.date(),
            "Today's partition so far; the nightly run completes it. Off until switched on.",
            running=False,
        ),
        schedule(
            "weekly_full_leads_schedule",
            "30 4 * * 0",
            lambda at: at.date() - ONE_DAY,
            "Everything that exists, so that vanished leads show. On by itself where the nightly "
            "crawls of an account leave leads out.",
            running=any(_needs_full_crawls(account) for account in accounts),
            full=True,
        ),
    ]


def _needs_full_crawls(account: Account | UnusableAccount) -> bool:
    if isinstance(account, UnusableAccount):
        return False
    provider = PROVIDERS[account.provider]
    return provider.needs_full_crawls(provider.options_of(account))


def _run_request(
    schedule: str,
    context: dg.ScheduleEvaluationContext,
    account: Account | UnusableAccount,
    day: date,
    downstream: Sequence[dg.AssetKey],
    full: bool,
) -> dg.RunRequest:
    landing = landing_keys(account)
    return dg.RunRequest(
        run_key=f"{schedule}:{account.name}:{context.scheduled_execution_time:%Y-%m-%dT%H:%M}",
        partition_key=day.isoformat(),
        asset_selection=[*landing, *downstream],
        run_config=pull_run_config(landing, full=full) or None,
        tags={ACCOUNT_TAG: account.name},
    )


def pull_run_config(landing: Sequence[dg.AssetKey], **config: bool) -> dict[str, object]:
    """Run configuration of the landing assets: those fields of `PullConfig` that are true."""
    chosen = {name: True for name, value in config.items() if value}
    return {"ops": {"__".join(key.path): {"config": chosen} for key in landing}} if chosen else {}
