"""`lead-pipeline scrub`: whether landing is, byte for byte, what crawls have written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import (
    answer_in_json,
    fail,
    is_interactive,
    last_word,
    print_json,
    say,
    show_table,
    working,
)
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.commands.outcome import load_and_publish

if TYPE_CHECKING:
    from lead_pipeline.landing.scrub import Scrubbed
    from lead_pipeline.settings import Settings

SHOWN_FOREIGN = 5
"""So many files of other programs are named."""


def scrub(
    every_file: Annotated[
        bool, typer.Option("--all", help="Read every landed file, not a thirtieth of them.")
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Without a backup: set damaged files aside, take up files of lost records, "
            "rebuild and publish. Reads every file.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Repair without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compare landed files and commit records with their digests.

    Each publication does a thirtieth of it, so within thirty nights every file has been read. Takes
    no lock and changes nothing. Restore what is damaged or gone from a backup of landing/, or use
    --repair.

    Exit status 1 when something is damaged or gone; each is named with what to do.
    """
    from lead_pipeline.errors import ConfigurationError
    from lead_pipeline.landing.commits import accounts_with_landing

    settings = settings_of_command()
    if not accounts_with_landing(settings.landing_path):
        raise ConfigurationError(
            f"Nothing has landed in {settings.landing_path}, so there is nothing to compare. Is "
            "LEAD_PIPELINE_HOME right?"
        )
    if as_json:
        answer_in_json()
    found = _look(settings, every_file=every_file or repair)
    if as_json:
        print_json(_document(found))
    else:
        _show(found)
    if not found.problems:
        last_word(_all_right(found))
        return
    if not repair:
        fail(
            f"lead-pipeline: {len(found.problems):,} landed files or commit records are damaged or "
            f"gone. Restore them from a backup of {settings.landing_path}, or, without one: "
            "lead-pipeline scrub --repair"
        )
        raise typer.Exit(1)
    _repair(settings, found, yes=yes)


def _look(settings: Settings, *, every_file: bool) -> Scrubbed:
    from lead_pipeline.landing.scrub import scrub_landing

    with working("Comparing landed files with their digests") as tell:

        def progress(done: int, total: int) -> None:
            if done % 1_000 == 0:
                tell(f"{done:,} of {total:,} files")

        return scrub_landing(settings, datetime.now(UTC), every_file=every_file, progress=progress)


def _repair(settings: Settings, found: Scrubbed, *, yes: bool) -> None:
    from lead_pipeline.landing.repair import repair_account
    from lead_pipeline.normalized.load import load_landing

    rows = sum(problem.rows for problem in found.problems)
    say(
        f"A repair gives up {rows:,} landed rows that cannot be read as they were written. Present "
        "states are asked for again; older ones cannot be. A backup would keep them."
    )
    if not yes and not (is_interactive() and typer.confirm("Is there no backup to restore?")):
        fail("lead-pipeline: nothing was repaired. Restore a backup, or repeat with --yes.")
        raise typer.Exit(1)
    for account in sorted({problem.account for problem in found.problems}):
        own = [problem for problem in found.problems if problem.account == account]
        repair_account(settings, account, own, say)
    left = _look(settings, every_file=False)
    if left.problems:
        _show(left)
        fail("lead-pipeline: not all could be repaired. Repeat the command, or restore a backup.")
        raise typer.Exit(1)
    with working("Building the normalized tables again") as tell:
        load_landing(settings, rebuild=True, tell=tell)
    load_and_publish(settings)
    last_word("Repaired. Ask for what is open now: lead-pipeline run")


def _show(found: Scrubbed) -> None:
    if found.problems:
        show_table(
            "Damaged or gone",
            ["account", "path in landing", "what", "rows"],
            [[p.account, p.path, p.what, p.rows or None] for p in found.problems],
        )
    if found.foreign:
        named = ", ".join(found.foreign[:SHOWN_FOREIGN])
        more = len(found.foreign) - SHOWN_FOREIGN
        say(
            f"Files of other programs are passed over: {named}"
            + (f" and {more:,} more." if more > 0 else ".")
        )
    if found.without_digest:
        say(
            f"{found.without_digest:,} of the files read were landed before digests were kept: "
            "whether their content is what was written is not known."
        )


def _all_right(found: Scrubbed) -> str:
    return (
        f"{found.records:,} commit records and {found.read_files:,} of {found.listed_files:,} landed "
        f"files ({found.read_bytes:,} bytes) are what was written; none is missing."
    )


def _document(found: Scrubbed) -> dict[str, object]:
    return {
        "commit_records": found.records,
        "listed_files": found.listed_files,
        "read_files": found.read_files,
        "read_bytes": found.read_bytes,
        "files_without_digest": found.without_digest,
        "foreign_files": found.foreign,
        "problems": [
            {
                "account": problem.account,
                "kind": problem.kind,
                "path": problem.path,
                "what": problem.what,
                "rows": problem.rows,
            }
            for problem in found.problems
        ],
    }
