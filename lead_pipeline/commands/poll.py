"""`lead-pipeline poll`: what has changed since the last crawl, landed and no more."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import is_interactive, say
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.commands.landing import (
    not_landed,
    show_crawls,
    start_children_early,
    sum_up,
)
from lead_pipeline.commands.outcome import conclude, failures_told, tell_of_night

if TYPE_CHECKING:
    from lead_pipeline.orchestration.parallel import LandingJob
    from lead_pipeline.providers.base import Account
    from lead_pipeline.settings import Settings


def poll(
    account: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this account. [all that are polled hourly]"),
    ] = None,
) -> None:
    """Ask what has changed since the last crawl, and land it; load and publish nothing.

    For a timer between the nights, as Dagster's hourly_polls_schedule does: one or two requests an
    account where the API tells changes, and stages are known to within an hour instead of a day.
    `check` says what a poll of each account costs. Exit status 1 when an account fails.
    """
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.commands.landing import landing_under_way
    from lead_pipeline.providers import PROVIDERS

    settings = settings_of_command()
    began = time.monotonic()
    with failures_told(settings, is_watched=account is not None or is_interactive()):
        accounts = load_accounts(settings)
        polled = [
            item
            for item in accounts.chosen(account)
            if account
            or PROVIDERS[item.provider].polls_hourly(PROVIDERS[item.provider].options_of(item))
        ]
        start_children_early(settings, polled)
        jobs = {item.name: job for item in polled if (job := _job(settings, item)) is not None}
        if not jobs:
            say("No account is asked: none is polled hourly, or none has had a first night.")
            return
        with landing_under_way(settings, publishes=False) as (land, _):
            landed = land([item for item in polled if item.name in jobs], jobs, None)
    outcomes = [*not_landed(accounts.incomplete if account is None else ()), *landed]
    show_crawls(settings, {outcome.run_id for outcome in outcomes})
    sum_up(settings, outcomes, published=None, seconds=time.monotonic() - began)
    tell_of_night(settings, outcomes)
    conclude(settings, outcomes)


def _job(settings: Settings, account: Account) -> LandingJob | None:
    from lead_pipeline.landing.gaps import poll_since
    from lead_pipeline.orchestration.parallel import LandingJob

    now = datetime.now(UTC)
    since = poll_since(settings, account, now)
    if since is None:
        say(f"{account.name}: not asked; nothing has landed yet. First: lead-pipeline run")
        return None
    return LandingJob(now.date(), now.date(), poll_since=since)
