"""Where landing is durable: in the folder itself, or in a team's store of which the folder is a copy.

    crawl, compaction, erasure, repair ──paths below the home──▶ LandingStore ──▶ files, atomically
                                                                           └──▶ objects, then files

Whoever reads landing reads files. Whoever changes it does each step through here, so that the step is
durable when the call returns, whole or not at all. Belongs here: what a store promises, and the folder
as a store. Does not belong here: objects (`team/landing.py`), what the files mean.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

from msgspec import UNSET, UnsetType

from lead_pipeline.storage.files import replace_atomically, sync, write_atomically


class LandingStore(Protocol):
    """Makes each change to what lies below `<home>/landing` and `<home>/erasures` durable.

    Raises `StoreUnavailable` where a team's store does not answer, `OSError` where the disk refuses.
    """

    is_shared: bool
    """Whether several machines write to it."""

    def begin_turn(self, account: str) -> None:
        """Make the files of an account what landing has now; the caller has just got the account's lock.

        From here on, what another worker changes in the account's commit records is noticed.
        """

    def refresh(self, account: str | None = None) -> None:
        """Make the files of an account, or of all, what landing has now, for reading."""

    def renew(self, *paths: Path) -> None:
        """Make files that are not as they were written what landing has, if that is another thing."""

    def writer_of(self, account: str) -> str | UnsetType:
        """What stands in commit records for whoever writes them in this turn, where that matters."""

    def own_name(self, name: str) -> str:
        """A name for a file of new rows, made of `name`, that no other worker takes."""

    def append_page(self, path: Path, content: bytes) -> None:
        """Write a page of a crawl's journal that is not there yet, as a file of its own.

        Raises `Fenced` where another worker has taken over the crawl.
        """

    def save_record(self, path: Path, content: bytes) -> None:
        """Write a commit record, in the place of the state of it that this turn knows.

        Raises `Fenced` where another worker has written it since.
        """

    def put_rows(self, temporary: Path, path: Path) -> None:
        """Let a finished file beside `path` be there under its name, which nobody else uses."""

    def write(self, path: Path, content: bytes) -> None:
        """Write a small file, replacing what is there."""

    def remove(self, *paths: Path) -> None:
        """Remove files, those that are there, in this order."""

    def remove_folder(self, folder: Path) -> None:
        """Remove a folder and all that is in it, if it is there."""

    def move(self, source: Path, target: Path) -> None:
        """Let a file be there under another name."""


class FolderLanding:
    """Landing on one machine: the files are what is durable."""

    is_shared = False

    def begin_turn(self, account: str) -> None:
        """The files are what landing has."""

    def refresh(self, account: str | None = None) -> None:
        """The files are what landing has."""

    def renew(self, *paths: Path) -> None:
        """There is nothing else that they could be."""

    def writer_of(self, account: str) -> UnsetType:
        """The lock keeps others away."""
        return UNSET

    def own_name(self, name: str) -> str:
        """It is its crawl's own, and a killed flush is repeated over what it left."""
        return name

    def append_page(self, path: Path, content: bytes) -> None:
        """Write it, whatever is there."""
        write_atomically(path, content)

    def save_record(self, path: Path, content: bytes) -> None:
        """Write it, whatever is there."""
        write_atomically(path, content)

    def put_rows(self, temporary: Path, path: Path) -> None:
        """Sync and rename."""
        replace_atomically(temporary, path)

    def write(self, path: Path, content: bytes) -> None:
        """Write it, whatever is there."""
        write_atomically(path, content)

    def remove(self, *paths: Path) -> None:
        """One after the other."""
        for path in paths:
            path.unlink(missing_ok=True)

    def remove_folder(self, folder: Path) -> None:
        """What cannot be removed is left for another time."""
        shutil.rmtree(folder, ignore_errors=True)

    def move(self, source: Path, target: Path) -> None:
        """Rename, and sync both folders."""
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        sync(target.parent)
        sync(source.parent)
