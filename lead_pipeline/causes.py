"""What may be told of an error that is not ours: what kind it is and where, never a value.

    ConversionException: Could not convert string 'Ada Lovelace' to INT32
      ──cause_of──▶ ConversionException: a value cannot be converted to INT32

DuckDB, Arrow, msgspec and Python quote the value that they could not take, and it may be a person's
name or a token. So nothing of their messages passes but what is listed here. Belongs here: which
words of which libraries are safe. Does not belong here: who is told, and what to do about it.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lead_pipeline.errors import LeadPipelineError

_NAME = r'"?[A-Za-z_][\w.]*"?'
"""A name in a statement: no blank, no sign of an address."""
_TYPE = (
    r"(?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INT(?:EGER|8|16|32|64|128)?|DECIMAL\(\d+,\s?\d+\)|DOUBLE|FLOAT|BOOL"
    r"(?:EAN)?|DATE|TIME|TIMESTAMP(?:_\w+| WITH TIME ZONE)?|INTERVAL|UUID|JSON|VARCHAR|BLOB)"
)

_SAFE = tuple(
    re.compile(pattern)
    for pattern in (
        # Statements: names of columns and tables, types.
        rf"Referenced (?:column|table) {_NAME} not found",
        rf"(?:Table|Schema|Catalog|View|Macro|(?:\w+ )?Function) with name {_NAME} does not exist",
        r"No function matches the given name and argument types '[A-Z0-9_a-z+*/|<>=()\[\], -]+'",
        rf"table {_NAME} has \d+ columns but \d+ values were supplied",
        # Not near what: a word of a value that somebody has written into a statement.
        r"syntax error",
        rf"column {_NAME} must appear in the GROUP BY clause",
        # Rows: which rule, of which column.
        r"NOT NULL constraint failed: [\w.]+",
        r"violates (?:primary key|unique|foreign key) constraint",
        r"PRIMARY KEY or UNIQUE constraint violat\w+",
        r"CHECK constraint failed on table \w+",
        r"More than one row returned by a subquery",
        r"Malformed JSON at byte \d+ of input: [a-z ]+",
        r"Failed to commit",
        # Files.
        r"No magic bytes found at end of file",
        r"Footer length error in file",
        r"Failed to read file",
        r"Invalid string encoding found in Parquet file",
        r"Parquet magic bytes not found in footer",
    )
)
"""What libraries say that holds no value of a row."""

_CONVERSION = re.compile(
    rf"Could not (?:convert|cast) .* to '?({_TYPE})'?(?: when casting from source column \w+)?\.?\s*",
    re.DOTALL,
)
_STATEMENT_LINE = re.compile(r"\n\nLINE (\d+): ")
_PATH = re.compile(r"""["'](/[^"'\n]+)["']""")

_ABOUT_FILES = frozenset({"IOException", "PermissionException", "OutOfMemoryException"})
"""Errors of DuckDB whose first line names files, sizes and what the system says of them."""


def cause_of(error: BaseException) -> str:
    """What happened and where, in one line without a value: the class of the error, and what is safe.

    A number of a byte, a line or a column, names of columns, types, and paths that exist may pass.
    The words of our own errors are made for people and pass whole.
    """
    if isinstance(error, LeadPipelineError):
        return str(error)
    name = type(error).__name__
    said = _said(error)
    return f"{name}: {said}" if said else name


def stack_of(error: BaseException) -> str:
    """Where it happened, with all that led to it: files, lines and source code, no values."""
    parts = []
    for one, why in _chain(error):
        frames = "".join(traceback.format_tb(one.__traceback__))
        parts.append(f"{why}Traceback (most recent call last):\n{frames}{cause_of(one)}\n")
    return "\n".join(reversed(parts))


@contextmanager
def without_values() -> Iterator[None]:
    """Let errors of DuckDB leave the block as errors of the same class that quote nothing."""
    try:
        yield
    except Exception as error:
        if not _is_of_duckdb(error):
            raise
        raise type(error)(cause_of(error)) from None


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """The error, then what it was raised from, and so on; each with what leads over to it."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        # Also what `from None` keeps from messages that quote values.
        earlier = current.__cause__ or current.__context__
        yield current, "" if earlier is None else "What follows was raised because of it:\n"
        current = earlier


def _said(error: BaseException) -> str:
    """What is safe of an error's words; empty: nothing is."""
    for kind, said in _OF_PYTHON:
        if isinstance(error, kind):
            return said(error)
    if type(error).__module__.startswith("msgspec"):
        # Other than names of our own structures it quotes what it has met.
        return re.sub(r"'.*'|(?<=unknown field )`.*`", "…", str(error))
    if _is_of_duckdb(error) or type(error).__module__.startswith("pyarrow"):
        return _said_by_library(type(error).__name__, str(error))
    return ""


def _said_of_file(error: OSError) -> str:
    if not error.strerror:
        # Arrow raises it for whatever a file holds.
        return _said_by_library("", str(error))
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror


def _said_of_json(error: json.JSONDecodeError) -> str:
    return f"{error.msg} in line {error.lineno}, column {error.colno}"


def _said_of_text(error: UnicodeDecodeError) -> str:
    return f"{error.reason} at byte {error.start}"


_OF_PYTHON: tuple[tuple[type[BaseException], Callable[..., str]], ...] = (
    (json.JSONDecodeError, _said_of_json),
    (UnicodeDecodeError, _said_of_text),
    (OSError, _said_of_file),
)


def _said_by_library(name: str, message: str) -> str:
    if name in _ABOUT_FILES:
        return message.partition("\n")[0].partition(": ")[2]
    words = [found.group() for pattern in _SAFE if (found := pattern.search(message))]
    body, *_ = _STATEMENT_LINE.split(message, maxsplit=1)
    if converted := _CONVERSION.fullmatch(body.partition(": ")[2]):
        words.append(f"a value cannot be converted to {converted.group(1)}")
    words += [path for path in _PATH.findall(message) if Path(path).exists()]
    if line := _STATEMENT_LINE.search(message):
        words.append(f"line {line.group(1)} of the statement")
    return ", ".join(dict.fromkeys(words))


def _is_of_duckdb(error: BaseException) -> bool:
    # Asked by its module: importing DuckDB takes time that most commands need not spend.
    return any(kind.__module__ in ("duckdb", "_duckdb") for kind in type(error).__mro__)
