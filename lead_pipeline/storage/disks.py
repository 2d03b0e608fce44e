"""Disks that are full, read-only or failing: which error says so, and how it is told.

Belongs here: recognising such an error of Python, Arrow or DuckDB. Does not belong here: what is
lost by it, which whoever writes knows.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from lead_pipeline.causes import cause_of
from lead_pipeline.errors import LeadPipelineError

_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
_WORDS = (
    "no space left",
    "disk quota exceeded",
    "file too large",
    "read-only file system",
    "input/output error",
    "could not write",
    "could not fsync",
    "could not truncate",
    "max_temp_directory_size",
)
"""What DuckDB and Arrow say, who give no number."""
_ORIGINAL = "Original error: "
"""What DuckDB puts before the cause of a cause."""


def disk_error(error: BaseException) -> str | None:
    """What an error says of the disk, in one line without values of leads; None: nothing.

    The first of a chain counts: what follows a failed write is not the cause.
    """
    while error.__context__ is not None and _says_disk(error.__context__):
        error = error.__context__
    if not _says_disk(error):
        return None
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    # Only the first line of DuckDB's message: the next one quotes the statement. What follows from the
    # failed write stands before it.
    return str(error).partition("\n")[0].rpartition(_ORIGINAL)[2].strip()


def reason_of(error: OSError | duckdb.Error, path: Path) -> str:
    """Why `path` cannot be written, in one line: what the disk says first, and how much room it has."""
    cause = disk_error(error)
    if cause is not None:
        return f"{cause}{_room_at(path)}"
    return cause_of(error)


@contextmanager
def naming_the_disk(what: str, kind: type[LeadPipelineError], path: Path) -> Iterator[None]:
    """Raise `kind` where the block fails because of the disk: `what` cannot be written, and why.

    `path` is what is written, by which the error tells how much room there is, and was needed before.
    """
    try:
        yield
    except (OSError, duckdb.Error) as error:
        cause = disk_error(error)
        if cause is None:
            raise
        raise kind(unwritable(what, cause, path)) from error


def unwritable(what: str, cause: str, path: Path | None = None) -> str:
    """That `what` cannot be written, because of `cause`, and what to do; at `path`: how full it is."""
    return (
        f"{what} cannot be written ({cause}{_room_at(path)}). Make room on that disk, or fix it, and run the same "
        "command again. What has landed is kept, and readers keep the last file."
    )


def _room_at(path: Path | None) -> str:
    """How much is free where `path` lies, and how much it takes now; empty where that is not known."""
    said = ""
    if path is None:
        return said
    with suppress(OSError):
        there = next(folder for folder in (path, *path.parents) if folder.exists())
        said += f"; {_megabytes(shutil.disk_usage(there).free)} are free there"
    with suppress(OSError):
        if path.is_file():
            said += f", {path.name} has {_megabytes(path.stat().st_size)} until now"
    return said


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _says_disk(error: BaseException) -> bool:
    if isinstance(error, duckdb.DataError | duckdb.IntegrityError | duckdb.ProgrammingError):
        # About a value, which can hold any words.
        return False
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return True
    text = str(error).lower()
    return isinstance(error, OSError | duckdb.Error) and any(word in text for word in _WORDS)
