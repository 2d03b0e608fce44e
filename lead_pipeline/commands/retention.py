"""`lead-pipeline retention`: what landing need not keep for ever, reduced or erased by age."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import last_word, say, show_table, working
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from lead_pipeline.erasure.retention import Due


def retention(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what is due; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Reduce or erase what is older than the settings say. Off until they say something.

    LEAD_PIPELINE_SUPERSEDED_DAYS reduces payloads of superseded states to what stage history and marts
    read; LEAD_PIPELINE_MISSING_DAYS erases leads that the provider no longer has, as forget does;
    LEAD_PIPELINE_REJECTED_DAYS removes rejected records. None of it can be undone. Publishes afterwards.
    Runs of Dagster go by LEAD_PIPELINE_LOG_DAYS, by themselves.

    Example: lead-pipeline retention --dry-run
    """
    from lead_pipeline.commands.forget import erase_persons, rewrite_tables
    from lead_pipeline.erasure.erase import Order
    from lead_pipeline.erasure.retention import due_now, is_on, persons_of, reduce

    settings, now = settings_of_command(), datetime.now(UTC)
    if not is_on(settings):
        raise ConfigurationError(
            "Nothing is to go by age: set LEAD_PIPELINE_SUPERSEDED_DAYS, LEAD_PIPELINE_MISSING_DAYS or "
            "LEAD_PIPELINE_REJECTED_DAYS first (.env.example explains each)."
        )
    with working("Looking for what is due") as tell:
        due = due_now(settings, now, tell)
    _show(due)
    if dry_run or not due:
        last_word("Nothing was changed." if due else "Nothing is due.")
        return
    _confirm(yes=yes)
    with working("Writing landed files again") as tell:
        files = reduce(settings, due, now, tell)
    if due.missing:
        erase_persons(
            settings, persons_of(settings, due.missing), Order("retention", reason="retention")
        )
    else:
        rewrite_tables(settings)
    last_word(f"{files:,} landed files were written again, {len(due.missing):,} leads erased.")


def _show(due: Due) -> None:
    rows = [
        [
            item.account,
            item.payloads,
            item.rejected,
            sum(lead.account == item.account for lead in due.missing),
        ]
        for item in due.reductions
    ]
    show_table("Due", ["account", "superseded payloads", "rejected records", "missing leads"], rows)


def _confirm(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "This cannot be undone, and nobody can be asked here. Look with --dry-run, then say --yes."
        )
    say("It cannot be undone.")
    typer.confirm("Go on?", abort=True)
