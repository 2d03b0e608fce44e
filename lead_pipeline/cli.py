"""The command `lead-pipeline`: its commands in the order of `--help`, and how every failure ends."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Annotated, Any

import typer

from lead_pipeline.commands import (
    alerts,
    check,
    compact,
    demo,
    explain,
    fetch,
    forget,
    move,
    new_model,
    new_provider,
    poll,
    publish,
    rebuild,
    replay_rejected,
    retention,
    rollback,
    run,
    sandbox,
    scrub,
    serve,
    status,
    verify,
)
from lead_pipeline.commands.console import be_quiet, be_verbose, fail, take_any_terminal
from lead_pipeline.commands.plain_help import PlainCommand, PlainGroup
from lead_pipeline.errors import LeadPipelineError

INTERRUPTED = 130
"""The exit status after Ctrl-C."""

# click's UsageError, of which newer releases of typer bring a copy of their own.
_UsageError: Any = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="lead-pipeline",
    help=(
        "Bring CRM leads from the APIs that know them (**check** lists these) into DuckDB.\n\n"
        "Start with **demo** (no credentials needed), then set credentials "
        "(.env.example), **check** them, and **run**. Everything written lies "
        "below LEAD_PIPELINE_HOME (./data); BI tools open bi/leads.duckdb there."
    ),
    rich_markup_mode="markdown",
    cls=PlainGroup,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"lead-pipeline {version('lead-pipeline')}")
        raise typer.Exit


@app.callback()
def options(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also show log lines, on standard error.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only errors, the last word, and documents.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
) -> None:
    """What counts for every command; the text of the help is that of `app`."""
    if verbose and quiet:
        raise typer.BadParameter("--verbose and --quiet exclude each other; leave one out.")
    if quiet:
        be_quiet()
    if verbose:
        be_verbose()


app.command(cls=PlainCommand)(run.run)
app.command(cls=PlainCommand)(poll.poll)
app.command(cls=PlainCommand)(demo.demo)
app.command(cls=PlainCommand)(sandbox.sandbox)
app.command(cls=PlainCommand)(check.check)
app.command(cls=PlainCommand)(status.status)
app.command(cls=PlainCommand)(explain.explain)
app.command(name="replay-rejected", cls=PlainCommand)(replay_rejected.replay_rejected)
app.command(cls=PlainCommand)(rebuild.rebuild)
app.command(cls=PlainCommand)(verify.verify)
app.command(cls=PlainCommand)(scrub.scrub)
app.command(cls=PlainCommand)(compact.compact)
app.command(cls=PlainCommand)(publish.publish)
app.command(cls=PlainCommand)(rollback.rollback)
app.command(cls=PlainCommand)(serve.serve)
app.command(cls=PlainCommand)(fetch.fetch)
app.command(cls=PlainCommand)(move.move)
app.command(cls=PlainCommand)(forget.forget)
app.command(cls=PlainCommand)(retention.retention)
app.add_typer(alerts.app)
app.command(name="new-model", cls=PlainCommand)(new_model.new_model)
app.command(name="new-provider", cls=PlainCommand)(new_provider.new_provider)


def main() -> None:
    """Entry point: every failure ends with one line on standard error that says what to do."""
    take_any_terminal()
    # Also what DuckDB, Dagster and dbt write, and what children do.
    os.umask(0o077)
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
        fail("lead-pipeline: interrupted. What has landed is kept; run again to resume from there.")
        sys.exit(INTERRUPTED)
    except Exception as error:
        from lead_pipeline.causes import cause_of, stack_of

        if os.environ.get("LEAD_PIPELINE_DEBUG"):
            sys.stderr.write(stack_of(error))
        if said := _said_of_disk(error):
            fail(f"lead-pipeline: {said}")
            sys.exit(1)
        fail(
            f"lead-pipeline: unexpected {cause_of(error)}. This is a defect; nothing landed "
            "is lost. Run again with LEAD_PIPELINE_DEBUG=1 for the stack trace, which names no "
            "values of leads, and report it."
        )
        sys.exit(1)


def _said_of_disk(error: Exception) -> str | None:
    # Only where something failed: it imports DuckDB.
    from lead_pipeline.storage.disks import disk_error, unwritable

    cause = disk_error(error)
    return None if cause is None else unwritable("A file", cause)


if __name__ == "__main__":
    main()
