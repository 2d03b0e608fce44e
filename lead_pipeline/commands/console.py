"""What people see on a terminal: progress bars, tables, the last word on an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as ProgressBar
from rich.table import Table
from rich.text import Text

from lead_pipeline.landing.progress import LogListener, Progress, ProgressListener

PIPED_WIDTH = 120
"""How wide tables are where nobody says: in a file, a pipe, a log of CI."""


def _width(stream: TextIO) -> int | None:
    """None lets the terminal, or COLUMNS, say."""
    return None if stream.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH


console = Console(highlight=False, width=_width(sys.stdout))
error_console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """One line of text, not wrapped, without markup."""
    console.print(message, markup=False, soft_wrap=True)


def fail(message: str) -> None:
    """The last line on standard error: what failed, and what to do."""
    sys.stdout.flush()
    error_console.print(" ".join(message.split()), markup=False)


def note(message: str) -> None:
    """One line on standard error that is no failure, where standard output is for a machine."""
    error_console.print(message, markup=False)


def print_json(document: object) -> None:
    """One JSON document on standard output, for programs: UTF-8, whatever the locale and width."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


@contextmanager
def shown_progress() -> Iterator[ProgressListener]:
    """A listener that shows crawls: bars on a terminal, else a line now and then."""
    # On what is standard output now: a run redirects it, to keep its own log from the terminal.
    shown = Console(file=sys.stdout, highlight=False, width=_width(sys.stdout))
    if not shown.is_terminal:
        yield _lines(shown)
        return
    with ProgressBar(
        SpinnerColumn(),
        TextColumn("{task.fields[stream]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[message]}"),
        TimeElapsedColumn(),
        console=shown,
        transient=True,
    ) as bars:
        tasks: dict[str, int] = {}

        def listener(progress: Progress) -> None:
            stream = f"{progress.account}/{progress.stream}"
            if stream not in tasks:
                tasks[stream] = bars.add_task("", total=None, stream=stream, message="")
            message = progress.message.removeprefix(f"{stream}: ")
            if progress.page:
                bars.update(
                    tasks[stream],  # type: ignore[arg-type]
                    completed=progress.page,
                    total=progress.expected_pages,
                    message=message,
                )
            else:
                bars.update(tasks[stream], message=message)  # type: ignore[arg-type]

        yield listener


def _lines(shown: Console) -> ProgressListener:
    listeners: dict[str, LogListener] = {}

    def show(message: str) -> None:
        shown.print(message, markup=False, soft_wrap=True)

    def listener(progress: Progress) -> None:
        stream = f"{progress.account}/{progress.stream}"
        listeners.setdefault(stream, LogListener(show, forward=False))(progress)

    return listener


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; numbers to the right, with thousands separators."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: object) -> Text:
    # As text, for rich would take brackets and colons in it for markup and emoji.
    if value is None:
        return Text("-")
    if isinstance(value, int) and not isinstance(value, bool):
        return Text(f"{value:,}")
    return Text(str(value))
