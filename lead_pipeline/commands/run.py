"""`lead-pipeline run`: pull a range of days, load, publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import note, say, show_table, shown_progress, working
from lead_pipeline.commands.outcome import PUBLISHING, commits_of, conclude
from lead_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from lead_pipeline.accounts import UnusableAccount
    from lead_pipeline.landing.commits import CommitRecord
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
) -> None:
    """Pull a range of days, load, build and test the marts, publish the BI file.

    Without dates, each account is asked for all that is not complete yet, through yesterday: also
    for nights that were missed. One crawl serves the whole range. An interrupted run resumes where it stopped when it is
    run again with the same range. Days are UTC. Exit status 1 when an account fails or lacks
    credentials; the others are published all the same.

    Example: lead-pipeline run --from 2026-01-01 --to 2026-01-31
    """
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.commands.nights import refuse_demo_home
    from lead_pipeline.orchestration.parallel import LandingJob
    from lead_pipeline.settings import load_settings

    settings = load_settings()
    first_day, last_day = _days(first, last, settings)
    accounts = load_accounts(settings)
    chosen = accounts.chosen(account)
    incomplete = accounts.incomplete if account is None else ()
    refuse_demo_home(settings)
    jobs = {
        item.name: LandingJob(
            first_day or _first_open_day(settings, item, last_day), last_day, full, accept_doubtful
        )
        for item in chosen
    }
    outcomes = _run_days(settings, chosen, jobs)
    _show_crawls(settings, {outcome.run_id for outcome in outcomes})
    conclude(settings, [*_not_landed(incomplete), *outcomes])


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


def _not_landed(accounts: Sequence[UnusableAccount]) -> list[RunOutcome]:
    """Accounts that were asked for and have no credentials have failed, like all others that do."""
    from lead_pipeline.orchestration.runner import RunOutcome

    return [RunOutcome(f"landing of {item.name}", "", item.failure) for item in accounts]


def _run_days(
    settings: Settings, accounts: Sequence[Account], jobs: Mapping[str, LandingJob]
) -> list[RunOutcome]:
    from lead_pipeline.definitions import load_definitions
    from lead_pipeline.landing.progress import subscribed
    from lead_pipeline.orchestration.instance import open_instance
    from lead_pipeline.orchestration.parallel import land_in_parallel
    from lead_pipeline.orchestration.processes import end_dead_runs
    from lead_pipeline.orchestration.runner import PipelineRunner, runs_under_way

    with open_instance(settings, note) as instance:
        end_dead_runs(instance)
        for other in runs_under_way(instance):
            say(f"Under way elsewhere: {other}. What both runs need, they do one after the other.")
        with shown_progress() as listener:
            if len(accounts) > 1:
                outcomes = land_in_parallel(jobs, listener, load_definitions)
                runner = PipelineRunner(load_definitions(), instance, note)
            else:
                runner = PipelineRunner(load_definitions(), instance, note)
                with subscribed(listener):
                    outcomes = [jobs[accounts[0].name].land(runner, accounts[0])]
        # Who believes that leads are gone means it for readers too.
        believed = any(job.accept_doubtful for job in jobs.values())
        with working(PUBLISHING):
            outcomes.append(runner.load_and_publish(allow_missing=believed))
    return outcomes


def _show_crawls(settings: Settings, run_ids: set[str]) -> None:
    commits = commits_of(settings, run_ids)
    if not commits:
        return
    show_table(
        "Crawls",
        ["account", "stream", "rows", "pages", "requests", "waited s", "rejected", "state"],
        [_crawl_row(commit) for commit in commits],
    )
    for remark in dict.fromkeys(commit.note for commit in commits if commit.note):
        say(f"Note: {remark}")


def _crawl_row(commit: CommitRecord) -> list[object]:
    waited = round(sum(wait.seconds for wait in commit.quota_waits))
    return [
        commit.account,
        commit.stream,
        commit.records,
        commit.pages,
        commit.requests,
        waited,
        commit.rejected,
        commit.state,
    ]
