"""What people see on a terminal: progress, tables, the last word.

    say, tables, progress ──▶ standard output        nothing with --quiet; with --json: error
    last_word             ──▶ standard output        always; with --json: standard error
    print_json            ──▶ standard output        always
    note                  ──▶ standard error         nothing with --quiet
    fail                  ──▶ standard error         always

Belongs here: showing, whatever the encoding and width. Does not belong here: what is said.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import typer
from rich.cells import cell_len
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

if TYPE_CHECKING:
    from lead_pipeline.landing.progress import LogListener, Progress, ProgressListener

PIPED_WIDTH = 120
"""How wide tables are where nobody says: in a file, a pipe, a log of CI."""
NARROWEST = 20
"""Columns below which nothing is laid out."""
NOW_AND_THEN = 15.0
"""Seconds between two lines that say that something still goes on, where there is no terminal."""

_PLAIN = {
    "…": "...",
    "→": "->",
    "“": '"',
    "”": '"',
    "½": "1/2",
    "≤": "<=",
}
"""What stands for characters of ours that an encoding lacks."""


def take_any_terminal() -> None:
    """Let every encoding of standard output and error take all that is said, and every width."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) < NARROWEST:
        # Help would be laid out in no column at all.
        del os.environ["COLUMNS"]

    def plain(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        lacking = error.object[error.start : error.end]
        return "".join(_PLAIN.get(character, "?") for character in lacking), error.end

    codecs.register_error("lead_pipeline.plain", plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lead_pipeline.plain")


def _width(stream: TextIO) -> int | None:
    """None lets the terminal say."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) >= NARROWEST:
        return int(columns)
    return None if stream.isatty() else PIPED_WIDTH


console = Console(highlight=False, width=_width(sys.stdout))
error_console = Console(stderr=True, highlight=False, soft_wrap=True)


def is_interactive() -> bool:
    """Whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


_bars: list[ProgressBar] = []
"""Bars that are shown now: what is told meanwhile is told in lines, since two would overwrite each
other."""
_is_verbose = False


def be_verbose() -> None:
    """Let commands show log lines, too."""
    global _is_verbose
    _is_verbose = True


def is_verbose() -> bool:
    """Whether somebody wants to see log lines."""
    return _is_verbose


def be_quiet() -> None:
    """Show no more than errors, the last word and documents."""
    console.quiet = True


def say(message: str) -> None:
    """One line of text, not wrapped, without markup."""
    console.print(message, markup=False, soft_wrap=True)


def answer_in_json() -> None:
    """Standard output is for the one document; all else that is said goes to standard error."""
    console.stderr = True


def last_word(message: str) -> None:
    """The line that says what came of it: also said where only errors are."""
    quiet, console.quiet = console.quiet, False
    say(message)
    console.quiet = quiet


def fail(message: str) -> None:
    """The last line on standard error: what failed, and what to do."""
    sys.stdout.flush()
    error_console.print(" ".join(message.split()), markup=False)


def note(message: str) -> None:
    """One line on standard error that is no failure, where standard output is for a machine."""
    if not console.quiet:
        error_console.print(message, markup=False)


def _shown() -> Console:
    """What is standard output now: a run redirects it, to keep its own log from the terminal."""
    return Console(
        file=console.file, highlight=False, width=_width(sys.stdout), quiet=console.quiet
    )


@contextmanager
def working(title: str) -> Iterator[Callable[[str], None]]:
    """Show for the block that it goes on: a spinner on a terminal, else a line now and then.

    Yields a function that tells what has been reached.
    """
    shown = _shown()
    if shown.is_terminal and not shown.quiet and not _bars:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with ProgressBar(*columns, console=shown, transient=True) as bar:
            bar.add_task(f"{title} …", total=None)
            yield lambda message: shown.print(message, markup=False, soft_wrap=True)
        return
    with _told_now_and_then(shown, title):
        yield lambda message: shown.print(message, markup=False, soft_wrap=True)


@contextmanager
def _told_now_and_then(shown: Console, title: str) -> Iterator[None]:
    ended = threading.Event()
    began = time.monotonic()

    def tell() -> None:
        while not ended.wait(NOW_AND_THEN):
            seconds = time.monotonic() - began
            shown.print(f"{title}: {seconds:,.0f} s so far", markup=False, soft_wrap=True)

    shown.print(f"{title} …", markup=False, soft_wrap=True)
    teller = threading.Thread(target=tell, name="telling that it goes on", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def print_json(document: object) -> None:
    """One JSON document on standard output, for programs: UTF-8, whatever the locale and width."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


@contextmanager
def shown_progress() -> Iterator[ProgressListener]:
    """A listener that shows crawls: bars on a terminal, else a line now and then."""
    shown = _shown()
    if not shown.is_terminal or shown.quiet:
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
        _bars.append(bars)
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

        try:
            yield listener
        finally:
            _bars.remove(bars)


def _lines(shown: Console) -> ProgressListener:
    from lead_pipeline.landing.progress import LogListener

    listeners: dict[str, LogListener] = {}

    def show(message: str) -> None:
        shown.print(message, markup=False, soft_wrap=True)

    def listener(progress: Progress) -> None:
        stream = f"{progress.account}/{progress.stream}"
        listeners.setdefault(stream, LogListener(show, forward=False))(progress)

    return listener


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; numbers to the right, with thousands separators.

    Where its columns would be too narrow to be read, each row is a list of its values instead.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    if not _fits(columns, cells):
        _show_lists(title, columns, cells)
        return
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*row)
    console.print(table)


READABLE = 8
"""Characters of a column below which its longer values cannot be read any more."""


def _fits(columns: Sequence[str], cells: Sequence[Sequence[Text]]) -> bool:
    """Whether each column gets its longest value, or at least a readable part of it."""
    needed = sum(
        min(READABLE, max([cell_len(column), *(row[number].cell_len for row in cells)]))
        for number, column in enumerate(columns)
    )
    # A border on the left of each column, one at the end, a blank on both sides of each value.
    return needed + 3 * len(columns) + 1 <= console.width


def _show_lists(title: str, columns: Sequence[str], cells: Sequence[Sequence[Text]]) -> None:
    say(title)
    for row in cells:
        for number, (column, cell) in enumerate(zip(columns, row, strict=True)):
            say(f"{'-' if number == 0 else ' '} {f'{column}: ' if column else ''}{cell.plain}")


def _cell(value: object) -> Text:
    # As text, for rich would take brackets and colons in it for markup and emoji.
    if value is None:
        return Text("-")
    if isinstance(value, int) and not isinstance(value, bool):
        return Text(f"{value:,}")
    text = str(value)
    if not console.encoding.startswith("utf"):
        # Here, since the columns are as wide as what is in them.
        text = text.translate({ord(lacking): plain for lacking, plain in _PLAIN.items()})
    return Text(text)
