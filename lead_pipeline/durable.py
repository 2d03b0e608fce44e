"""Files that are there whole or not at all, also after a power cut.

Belongs here: the order of write, sync and rename. Does not belong here: what is in the files.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Write a file, replacing the one at `path`; it is on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    replace_durably(temporary, path)


def replace_durably(temporary: Path, path: Path) -> None:
    """Sync `temporary`, rename it to `path` in the same file system, and sync the folder."""
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
