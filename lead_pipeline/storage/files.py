"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, replacing the one at `path`; it is on disk when this returns.

    Several processes may write the same file at the same moment: one of them wins, whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    try:
        temporary.write_bytes(content)
        replace_atomically(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def append_to(path: Path, content: bytes, *, is_new: bool, waits_for_disk: bool) -> None:
    """Write `content` at the end of a file, or as all of a new one.

    No kill of this process takes it away when this returns; no power cut does where it
    `waits_for_disk`, nor what was written to the file before. A kill meanwhile may leave a part of
    it: whoever reads the file tells a whole part from a torn one. One process writes the file.
    """
    if is_new:
        path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb" if is_new else "ab", buffering=0) as file:
        written = 0
        while written < len(content):
            written += file.write(memoryview(content)[written:])
        if waits_for_disk:
            os.fsync(file.fileno())
    if is_new:
        sync(path.parent)


def temporary_of(path: Path) -> Path:
    """A name beside `path` that nobody else uses, for a file that is not yet `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def remove_temporaries(folder: Path) -> None:
    """Remove what killed processes left of unfinished files directly in `folder`.

    The caller holds the lock of whoever writes there.
    """
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def remove_temporaries_of(path: Path) -> None:
    """Remove what killed processes left of files that should have become `path`.

    The caller holds the lock of whoever writes `path`.
    """
    for unfinished in path.parent.glob(f".{path.name}.*.tmp"):
        unfinished.unlink(missing_ok=True)


def replace_atomically(temporary: Path, path: Path) -> None:
    """Sync `temporary`, rename it to `path` in the same file system, and sync the folder."""
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hex digits. Raises `OSError`."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
