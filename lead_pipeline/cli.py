"""The command `lead-pipeline`.

Belongs here: arguments, help, exit status, and which tables are printed. Does not belong here:
doing the work; heavy modules are imported by the command that needs them, so that `--help`
answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lead_pipeline.console import fail, say, show_table, shown_progress
from lead_pipeline.errors import ConfigurationError, LeadPipelineError

if TYPE_CHECKING:
    from lead_pipeline.check import AccountCheck
    from lead_pipeline.landing.commits import CommitRecord
    from lead_pipeline.partitions import UpdatedWindow
    from lead_pipeline.providers.base import Account
    from lead_pipeline.runner import RunOutcome
    from lead_pipeline.settings import Settings
    from lead_pipeline.status import AccountStatus

INTERRUPTED = 130
"""The exit status after Ctrl-C."""

# click's UsageError, of which newer releases of typer bring a copy of their own.
_UsageError: Any = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="lead-pipeline",
    help=(
        "Bring CRM leads from MEGA, Expert AI Labs and Vorel into DuckDB.\n\n"
        "Start with [bold]demo[/bold] (no credentials needed), then set credentials "
        "(.env.example), [bold]check[/bold] them, and [bold]run[/bold]. Everything written lies "
        "below LEAD_PIPELINE_HOME (./data); BI tools open bi/leads.duckdb there."
    ),
    rich_markup_mode="rich",
    add_completion=False,
)


def main() -> None:
    """Entry point: every failure ends with one line on standard error that says what to do."""
    warnings.filterwarnings("ignore", module="dagster")
    warnings.filterwarnings("ignore", message="sqlglotrs is deprecated")
    # Who stops a service means the same as who presses Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        if status == INTERRUPTED:
            # typer has caught the interrupt and made a status of it.
            raise KeyboardInterrupt
        sys.exit(status)
    except _UsageError as error:
        error.show()
        sys.exit(error.exit_code)
    except LeadPipelineError as error:
        fail(f"lead-pipeline: {error}")
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        fail("lead-pipeline: interrupted. What has landed is kept; run again to go on from there.")
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("LEAD_PIPELINE_DEBUG"):
            traceback.print_exc()
        fail(
            f"lead-pipeline: unexpected {type(error).__name__}. This is a defect; nothing landed "
            "is lost. Run again with LEAD_PIPELINE_DEBUG=1 for the stack trace, and report it."
        )
        sys.exit(1)


@app.command()
def run(
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First day. [the last]"
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
        str | None, typer.Option(help="Only this account. [all with credentials]")
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Read everything that exists: shows which leads vanished."),
    ] = False,
) -> None:
    """Pull a range of days, load, build and test the marts, publish the BI file.

    One crawl serves the whole range. An interrupted run goes on where it stopped when it is
    run again with the same range. Days are UTC.

    Example: lead-pipeline run --from 2026-01-01 --to 2026-01-31
    """
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.demo import refuse_demo_home
    from lead_pipeline.settings import load_settings

    settings = load_settings()
    days = _days(first, last, settings)
    accounts = load_accounts(settings)
    chosen = list(accounts.usable) if account is None else [accounts.named(account)]
    if not chosen:
        raise ConfigurationError(
            "No account has credentials. `lead-pipeline check` says what to set; "
            "`lead-pipeline demo` needs none."
        )
    refuse_demo_home(settings)
    outcomes = _run_days(settings, chosen, days, full=full)
    _show_crawls(settings, {outcome.run_id for outcome in outcomes})
    _conclude(settings, outcomes)


def _days(first: datetime | None, last: datetime | None, settings: Settings) -> tuple[date, date]:
    from lead_pipeline.partitions import ONE_DAY

    today = datetime.now(UTC).date()
    last_day = last.date() if last else today - ONE_DAY
    first_day = first.date() if first else last_day
    if last_day > today:
        raise ConfigurationError(
            f"--to {last_day} lies in the future. The last day can be today, {today} (UTC)."
        )
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
    settings: Settings, accounts: list[Account], days: tuple[date, date], *, full: bool
) -> list[RunOutcome]:
    from lead_pipeline.definitions import defs
    from lead_pipeline.landing.progress import subscribed
    from lead_pipeline.runner import (
        PipelineRunner,
        end_dead_runs,
        open_instance,
        runs_under_way,
    )
    from lead_pipeline.side_by_side import LandingJob, land_side_by_side

    with open_instance(settings) as instance:
        end_dead_runs(instance)
        for other in runs_under_way(instance):
            say(f"Under way elsewhere: {other}. What both runs need, they do one after the other.")
        with shown_progress() as listener:
            if len(accounts) > 1:
                outcomes = land_side_by_side(accounts, LandingJob(*days, full), listener)
                runner = PipelineRunner(defs(), instance)
            else:
                runner = PipelineRunner(defs(), instance)
                with subscribed(listener):
                    outcomes = [runner.land(accounts[0], *days, full=full)]
        say("Loading, building the marts, publishing …")
        outcomes.append(runner.load_and_publish())
    return outcomes


def _show_crawls(settings: Settings, run_ids: set[str]) -> None:
    commits = _commits_of(settings, run_ids)
    if not commits:
        return
    show_table(
        "Crawls",
        ["account", "stream", "rows", "pages", "requests", "waited s", "rejected", "state"],
        [_crawl_row(commit) for commit in commits],
    )
    for note in dict.fromkeys(commit.note for commit in commits if commit.note):
        say(f"Note: {note}")


def _commits_of(settings: Settings, run_ids: set[str]) -> list[CommitRecord]:
    from lead_pipeline.landing.commits import accounts_with_landing, commit_records

    return [
        commit
        for name in accounts_with_landing(settings.landing_path)
        for commit in commit_records(settings.landing_path, name)
        if commit.dagster_run_id in run_ids
    ]


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


def _conclude(settings: Settings, outcomes: list[RunOutcome]) -> None:
    """Say where the result is; exit with 1 and the remedy when anything failed."""
    failures = [outcome for outcome in outcomes if outcome.failure]
    published = outcomes[-1].name.endswith("publish") and not outcomes[-1].failure
    if published:
        say(f"Published {settings.published_path}")
    if not failures:
        return
    # One line, however many failed: the last line is what schedulers keep.
    fail("lead-pipeline: " + " ".join(f"{o.name} failed: {o.failure}" for o in failures))
    raise typer.Exit(1)


@app.command()
def demo(
    nights: Annotated[int, typer.Option(min=1, max=365, help="Nights to live through.")] = 14,
) -> None:
    """Live through nights with invented leads, and publish them. Needs no credentials.

    The three APIs are imitated on this machine. Run again, it goes on with the nights after.
    """
    import time

    from lead_pipeline.demo import Night, live_through_nights, prepare_demo

    started = time.monotonic()
    settings = prepare_demo()
    say(f"Living through {nights} nights with the sandbox's three lead APIs …")

    def tell(night: Night) -> None:
        say(f"night {night.number:>3} of {nights}: {night.day} pulled from all accounts")

    outcomes = live_through_nights(settings, nights, tell)
    if not any(outcome.failure for outcome in outcomes):
        _show_demo(settings, outcomes, time.monotonic() - started)
    _conclude(settings, outcomes)
    if not any(outcome.failure for outcome in outcomes):
        _show_next_steps(settings)


def _show_demo(settings: Settings, outcomes: list[RunOutcome], seconds: float) -> None:
    from lead_pipeline.report import leads_by_stage, published_tables

    accounts, rows = leads_by_stage(settings.published_path)
    show_table("Leads per provider and stage", ["stage", *accounts], rows)
    show_table(
        "Tables of the BI file", ["table", "rows"], published_tables(settings.published_path)
    )
    commits = _commits_of(settings, {outcome.run_id for outcome in outcomes})
    requests = sum(commit.requests for commit in commits)
    waits = sum(wait.seconds for commit in commits for wait in commit.quota_waits)
    say(
        f"{requests:,} requests, {waits:,.1f} s of them waiting for quotas, {seconds:,.0f} s in all."
    )


def _show_next_steps(settings: Settings) -> None:
    home = settings.home
    # As it was called, so that the lines work as pasted without the environment activated.
    command = sys.argv[0]
    say("Try next:")
    say(f"  duckdb -readonly {settings.published_path}   or any BI tool")
    say(f"  LEAD_PIPELINE_HOME={home} {command} status")
    say("  make dev    for the asset graph at http://localhost:3000")
    say(f"  {command} demo    again, for the nights after")


@app.command()
def sandbox(
    mega_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of MEGA; 0 takes a free one.")
    ] = 8701,
    expert_ai_labs_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of Expert AI Labs.")
    ] = 8702,
    vorel_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of Vorel.")] = 8703,
    at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            help="The world's time, UTC. [now]",
        ),
    ] = None,
    limits: Annotated[bool, typer.Option(help="Enforce the documented request limits.")] = True,
    time_scale: Annotated[
        float, typer.Option(min=0.001, help="How much faster the limits' minutes pass.")
    ] = 1.0,
) -> None:
    """Serve the three lead APIs on this machine, with invented leads, until Ctrl-C.

    Prints the variables that point the pipeline at them. The world's clock can be set with
    POST /_sandbox/clock {"now": "2026-01-15T02:00:00Z"}.
    """
    from lead_pipeline.sandbox import serve

    moment = (at or datetime.now(UTC)).replace(tzinfo=UTC)
    try:
        serve((mega_port, expert_ai_labs_port, vorel_port), moment, limits, time_scale)
    except OSError as error:
        raise ConfigurationError(
            f"The sandbox cannot listen ({error.strerror}). Choose other ports, or 0 for free ones."
        ) from None


@app.command()
def check(
    account: Annotated[str | None, typer.Option(help="Only this account. [all]")] = None,
) -> None:
    """Ask each account's API whether the key works; say what is missing, and what comes next.

    Costs one or two requests per account. Exit status 1 when an account does not work or none
    has credentials.
    """
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.check import check_account
    from lead_pipeline.settings import load_settings

    settings = load_settings()
    accounts = load_accounts(settings)
    for missing in accounts.missing:
        if account in (None, missing.name):
            say(f"{missing.name}: left out; {missing.reason}")
    chosen = list(accounts.usable) if account is None else [accounts.named(account)]
    if not chosen:
        raise ConfigurationError(
            "No account has credentials. Set the variables named above "
            "(.env.example lists them all), or try `lead-pipeline demo`, which needs none."
        )
    checks = [check_account(settings, item, say) for item in chosen]
    for result in checks:
        _show_check(result)
    failed = [result for result in checks if result.failure]
    if failed:
        names = ", ".join(result.account.name for result in failed)
        fail(f"lead-pipeline: {names} cannot be pulled: {failed[-1].failure}")
        raise typer.Exit(1)


def _show_check(result: AccountCheck) -> None:
    account = result.account
    mark = "failed" if result.failure else "works"
    say(f"{account.name} ({account.provider}, {account.base_url}): {mark}")
    for fact in result.facts:
        say(f"  {fact}")
    if result.quota:
        say(f"  quota now: {result.quota}")
    if result.failure:
        say(f"  {result.failure}")
    backfill = result.next_backfill
    if backfill is None:
        if not result.failure:
            say("  complete through yesterday; nothing to pull")
        return
    cost = "requests unknown before the first whole crawl"
    if backfill.requests is not None and backfill.seconds is not None:
        cost = f"about {backfill.requests:,} requests, {backfill.seconds / 60:,.0f} min of waiting"
    say(
        f"  next: run --from {backfill.first} --to {backfill.last} --account {account.name} ({cost})"
    )


@app.command()
def status() -> None:
    """Show how far each account's data reaches, and what is open: crawls, details, rejected."""
    from lead_pipeline.settings import load_settings
    from lead_pipeline.status import account_statuses

    settings = load_settings()
    statuses = account_statuses(settings)
    if not statuses:
        say(f"Nothing has landed in {settings.landing_path} yet. Try `lead-pipeline run`.")
        return
    show_table(
        "Streams",
        ["stream", "complete windows", "unfinished crawls", "rows landed", "last crawl"],
        [row for item in statuses for row in _stream_rows(item)],
    )
    show_table(
        "Accounts",
        ["account", "complete from", "complete through", "pending details", "rejected records"],
        [
            [
                item.account,
                _moment(item.complete_from) if item.complete_through else None,
                _moment(item.complete_through) if item.complete_through else "nothing yet",
                item.pending_details,
                sum(group.records for group in item.rejected),
            ]
            for item in statuses
        ],
    )
    _show_rejected(statuses)
    for item in statuses:
        for stream in item.streams:
            if stream.note:
                say(f"Note ({item.account}/{stream.stream}): {stream.note}")


def _stream_rows(item: AccountStatus) -> list[list[object]]:
    return [
        [
            f"{item.account}/{stream.stream}",
            "\n".join(_span(window) for window in stream.complete[-5:]) or None,
            "\n".join(
                f"{_span(commit.updated_window)} {commit.state} at page {commit.pages:,}"
                for commit in stream.unfinished
            )
            or None,
            stream.records,
            None if stream.last_crawl_at is None else _moment(stream.last_crawl_at),
        ]
        for stream in item.streams
    ]


def _show_rejected(statuses: list[AccountStatus]) -> None:
    rows: list[list[object]] = [
        [item.account, group.stream, group.reason, group.records, _moment(group.last_seen_at)]
        for item in statuses
        for group in item.rejected
    ]
    if rows:
        show_table(
            "Rejected records", ["account", "stream", "reason", "records", "last seen"], rows
        )
        say("After a fix, `lead-pipeline replay-rejected` files them.")


def _span(window: UpdatedWindow) -> str:
    """The half-open window, with dates only where it begins or ends at midnight."""
    start = "…" if window.start is None else _short(window.start)
    return f"[{start}, {_short(window.end)})"


def _short(moment: datetime) -> str:
    return _moment(moment).removesuffix(" 00:00Z")


def _moment(moment: datetime | None) -> str:
    return "the beginning" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z"


@app.command(name="replay-rejected")
def replay_rejected_command(
    account: Annotated[str | None, typer.Option(help="Only this account. [all]")] = None,
) -> None:
    """Try to file rejected records again, after a fix; then load and publish.

    Records that can be filed now keep the time at which they were fetched.
    """
    from lead_pipeline.landing.commits import accounts_with_landing
    from lead_pipeline.landing.rejected import replay_rejected
    from lead_pipeline.settings import load_settings

    settings = load_settings()
    names = accounts_with_landing(settings.landing_path)
    if account is not None and account not in names:
        raise ConfigurationError(f"Nothing of an account {account!r} has landed.")
    filed = 0
    still_rejected = 0
    for name in names if account is None else [account]:
        result = replay_rejected(settings, name)
        filed += sum(result.filed.values())
        still_rejected += result.still_rejected
        for stream, records in result.filed.items():
            say(f"{name}/{stream}: {records:,} records filed")
    say(f"{filed:,} filed, {still_rejected:,} still rejected.")
    if filed:
        _load_and_publish(settings)


@app.command()
def rebuild() -> None:
    """Build the normalized tables again from landing, then the marts, and publish."""
    from lead_pipeline.landing.commits import accounts_with_landing
    from lead_pipeline.normalized.load import load_landing
    from lead_pipeline.settings import load_settings

    settings = load_settings()
    if not accounts_with_landing(settings.landing_path):
        raise ConfigurationError(
            f"Nothing has landed in {settings.landing_path}, so there is nothing to build from. Is "
            "LEAD_PIPELINE_HOME right?"
        )
    result = load_landing(settings, rebuild=True, tell=say)
    show_table("Tables", ["table", "rows"], [[name, n] for name, n in result.table_rows.items()])
    _load_and_publish(settings)


def _load_and_publish(settings: Settings) -> None:
    from lead_pipeline.definitions import defs
    from lead_pipeline.runner import PipelineRunner, end_dead_runs, open_instance

    with open_instance(settings) as instance:
        end_dead_runs(instance)
        _conclude(settings, [PipelineRunner(defs(), instance).load_and_publish()])


if __name__ == "__main__":
    main()
