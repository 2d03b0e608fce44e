"""Files on this machine that are copies of objects, known again without reading them.

    leads.duckdb, .leads.duckdb.copy: SHA-256, and how the file looked then ──the same look──▶ still that copy

A file that looks otherwise is read once. Whoever asks or notes holds the lock of whoever writes the
file. Belongs here: whether a file is that content. Does not
belong here: fetching it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lead_pipeline.storage.files import digest_of, remove_temporaries_of, write_atomically


class _Look(msgspec.Struct, frozen=True):
    """A file without its content; it is another after any ordinary write or replacement."""

    bytes: int
    modified_ns: int
    inode: int


class _Note(msgspec.Struct, frozen=True):
    sha256: str
    look: _Look


def is_copy(path: Path, sha256: str) -> bool:
    """Whether the file at `path` has that content; it is noted, so that asking again is cheap."""
    if not path.exists():
        return False
    note = _read(path)
    if note is None or note.look != _look_of(path):
        note_copy(path, digest_of(path))
        note = _read(path)
    return note is not None and note.sha256 == sha256


def note_copy(path: Path, sha256: str) -> None:
    """Note what the file at `path`, which is complete, holds."""
    remove_temporaries_of(_note_of(path))
    write_atomically(_note_of(path), msgspec.json.encode(_Note(sha256, _look_of(path))))


def forget_copy(path: Path) -> None:
    """From now on nothing is known of the file at `path`: it is about to be written to."""
    _note_of(path).unlink(missing_ok=True)


def _read(path: Path) -> _Note | None:
    try:
        return msgspec.json.decode(_note_of(path).read_bytes(), type=_Note)
    except (FileNotFoundError, msgspec.DecodeError):
        # Reading the file itself answers as well.
        return None


def _look_of(path: Path) -> _Look:
    status = path.stat()
    return _Look(status.st_size, status.st_mtime_ns, status.st_ino)


def _note_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.copy")
