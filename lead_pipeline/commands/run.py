"""`lead-pipeline run`: pull a range of days, load, publish."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import is_interactive, say, working
from lead_pipeline.commands.dry_run import preview_run
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.commands.landing import (
    not_landed,
    show_crawls,
    start_children_early,
    sum_up,
)
from lead_pipeline.commands.outcome import PUBLISHING, conclude, failures_told, tell_of_night
from lead_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from lead_pipeline.orchestration.parallel import LandingJob
    from lead_pipeline.orchestration.runner import RunOutcome
    from lead_pipeline.providers.base import Account
    from lead_pipeline.settings import Settings


def run(
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="First day. [the first that is not complete, of each account]",
        ),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="Last day, included. [yesterday]",
        ),
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this account. [all]")
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Read everything that exists: shows which leads vanished."),
    ] = False,
    accept_doubtful: Annotated[
        bool,
        typer.Option(
            "--accept-doubtful",
            help="Believe crawls although far less comes than before: the leads are really gone.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be asked for. Asks no API.")
    ] = False,
) -> None:
    """Pull a range of days, load, build and test the marts, publish the BI file.

    Without dates, each account is asked for all that is not complete yet, through yesterday: also
    for nights that were missed. One crawl serves the whole range. An interrupted run resumes where it stopped when it is
    run again with the same range. Days are UTC. Exit status 1 when an account fails or lacks
    credentials; the others are published all the same.

    Example: lead-pipeline run --from 2026-01-01 --to 2026-01-31
    """
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.commands.demo_home import refuse_demo_home

    settings = settings_of_command()
    first_day, last_day = _days(first, last, settings)
    began = time.monotonic()
    with failures_told(settings, is_watched=dry_run or account is not None or is_interactive()):
        accounts = load_accounts(settings)
        chosen = accounts.chosen(account)
        incomplete = accounts.incomplete if account is None else ()
        refuse_demo_home(settings)
        if first_day is None and not dry_run and is_interactive():
            _confirm_first_backfills(settings, chosen)
        if not dry_run:
            start_children_early(settings, chosen)
        from lead_pipeline.orchestration.parallel import LandingJob

        jobs = {
            item.name: LandingJob(
                first_day or _first_open_day(settings, item, last_day),
                last_day,
                full,
                accept_doubtful,
            )
            for item in chosen
        }
        if dry_run:
            preview_run(settings, chosen, jobs, incomplete)
            return
        outcomes = [*not_landed(incomplete), *_run_days(settings, chosen, jobs)]
    show_crawls(settings, {outcome.run_id for outcome in outcomes})
    published = outcomes[-1].failure is None
    sum_up(settings, outcomes, published=published, seconds=time.monotonic() - began)
    tell_of_night(settings, outcomes, is_whole=account is None)
    conclude(settings, outcomes)


def _confirm_first_backfills(settings: Settings, accounts: Sequence[Account]) -> None:
    """Refuse a long first backfill that somebody at a terminal may not have meant.

    Raises `ConfigurationError` that says what it costs and how to ask for it. A scheduler, which
    nobody watches, gets all that is not complete.
    """
    from lead_pipeline.landing.check import check_account
    from lead_pipeline.landing.gaps import coverage_now

    refusals = []
    for account in accounts:
        if coverage_now(settings, account).complete_through is not None:
            continue
        backfill = check_account(settings, account, say).next_backfill
        if backfill is None or backfill.requests is None or backfill.seconds is None:
            continue
        if backfill.requests > settings.large_backfill_requests:
            refusals.append(
                f"{account.name} has never landed, and all of it is about {backfill.requests:,} "
                f"requests, {backfill.seconds / 60:,.0f} min of waiting."
            )
    if refusals:
        raise ConfigurationError(
            f"{' '.join(refusals)} Say where to begin: lead-pipeline run --from "
            f"{settings.start_date} for everything, or a later day for less now."
        )


def _first_open_day(settings: Settings, account: Account, last: date) -> date:
    """The first day that is not complete, else the last one again; says where it is older."""
    from lead_pipeline.landing.gaps import open_from

    first = open_from(settings, account, last) or last
    if first < last:
        say(f"{account.name}: asks for all days from {first}, which are not complete yet.")
    return first


def _days(
    first: datetime | None, last: datetime | None, settings: Settings
) -> tuple[date | None, date]:
    """The days as given; None: each account's own first day."""
    from lead_pipeline.windows import ONE_DAY

    today = datetime.now(UTC).date()
    last_day = last.date() if last else today - ONE_DAY
    first_day = first.date() if first else None
    if last_day > today:
        raise ConfigurationError(
            f"--to {last_day} lies in the future. The last day can be today, {today} (UTC)."
        )
    if first_day is None:
        return None, last_day
    if first_day > last_day:
        remedy = (
            "Swap them."
            if last
            else f"The last day is yesterday unless --to says so: --to {today}."
        )
        raise ConfigurationError(f"--from {first_day} lies after --to {last_day}. {remedy}")
    if first_day < settings.start_date:
        raise ConfigurationError(
            f"--from {first_day} lies before LEAD_PIPELINE_START_DATE ({settings.start_date}). The "
            "first partition already takes every lead last updated before it; set an earlier "
            "start date if you need the days apart."
        )
    return first_day, last_day


def _run_days(
    settings: Settings, accounts: Sequence[Account], jobs: Mapping[str, LandingJob]
) -> list[RunOutcome]:
    """Land all accounts, then publish once; those that are late are published a second time."""
    from lead_pipeline.commands.landing import landing_under_way
    from lead_pipeline.orchestration.parallel import Deadline

    # Who believes that leads are gone means it for readers too.
    believed = any(job.accept_doubtful for job in jobs.values())
    published: list[RunOutcome] = []
    with landing_under_way(settings, publishes=True) as (land, runner):

        def publish() -> None:
            with working(PUBLISHING):
                published.append(runner().load_and_publish(allow_missing=believed))

        deadline = Deadline(settings.publish_deadline_minutes * 60, publish)
        outcomes = land(accounts, jobs, deadline)
        publish()
    # What failed at the deadline, and not at the end, has been made good.
    return [*outcomes, published[-1]]
