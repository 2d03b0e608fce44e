"""`lead-pipeline demo`: nights with invented leads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import say, show_table, working
from lead_pipeline.commands.outcome import commits_of, conclude

if TYPE_CHECKING:
    from lead_pipeline.orchestration.runner import RunOutcome
    from lead_pipeline.settings import Settings


def demo(
    nights: Annotated[
        int, typer.Option(min=1, max=365, metavar="NIGHTS", help="How many to live through.")
    ] = 14,
) -> None:
    """Live through nights with invented leads, and publish them. Needs no credentials.

    The three APIs are imitated on this machine. Run again, it continues with the nights after.
    """
    import time

    from lead_pipeline.commands.nights import Night, live_through_nights, prepare_demo

    started = time.monotonic()
    settings = prepare_demo()
    title = f"Living through {nights} nights with the sandbox's three lead APIs"
    with working(title) as show:

        def tell(night: Night) -> None:
            show(f"night {night.number:>3} of {nights}: {night.day} pulled from all accounts")

        outcomes = live_through_nights(settings, nights, tell)
    if not any(outcome.failure for outcome in outcomes):
        _show_demo(settings, outcomes, time.monotonic() - started)
    conclude(settings, outcomes)
    if not any(outcome.failure for outcome in outcomes):
        _show_next_steps(settings)


def _show_demo(settings: Settings, outcomes: list[RunOutcome], seconds: float) -> None:
    from lead_pipeline.report.summary import leads_by_stage, published_tables

    accounts, rows = leads_by_stage(settings.published_path)
    show_table("Leads per provider and stage", ["stage", *accounts], rows)
    show_table(
        "Tables of the BI file", ["table", "rows"], published_tables(settings.published_path)
    )
    commits = commits_of(settings, {outcome.run_id for outcome in outcomes})
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
    say(f"  open {settings.report_path} in a browser, or let {command} serve show it and its")
    say("    page to explore by period, owner, source and account")
    say(f"  LEAD_PIPELINE_HOME={home} {command} status")
    say("  make dev    for the asset graph at http://localhost:3000")
    say(f"  {command} demo    again, for the nights after")
