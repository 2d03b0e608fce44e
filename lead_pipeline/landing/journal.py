"""The journal of a crawl: each page as it came, until the Parquet file that holds it is durable.

    landing/<account>/_journal/<crawl_id>/000101.pages      pages from 101 on, one after the other
    landing/<account>/_journal/<crawl_id>/000120.page       one page: in a team's store, and in
                                                            journals of earlier releases

A page is in the journal before the next one is asked for. So a kill at any instant costs at
most the one page whose answer was under way, while files stay large. A power cut may cost, besides,
the pages that came within `SYNC_SECONDS` of each other: a disk takes as long as a fast server's page.
Of pages that come more slowly than that none is at risk, nor is any while a quota is waited for.

Each page carries a digest of itself; what follows a torn or damaged one in its file counts for
nothing. Belongs here: writing, reading and dropping pages. Does not belong here: what is in them.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Container, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.logs import log_of
from lead_pipeline.storage.files import append_to, sync
from lead_pipeline.storage.sealed import DamagedFile, open_bytes, seal_bytes
from lead_pipeline.storage.seams import landing_at

_log = log_of(__name__)

_ONE, _SEVERAL = ".page", ".pages"
"""How files of one and of several pages end."""
SYNC_SECONDS = 0.05
"""So long after one page has waited for the disk, the next one does."""
_LENGTH = struct.Struct(">Q")
"""What stands before each page in such a file: how many bytes it has."""


class JournalPage(msgspec.Struct, frozen=True):
    """One answer. `body` is None where the server said that the record is gone (404).

    `fetched_at` is when it came by our clock, `served_at` by the server's, None where it did not
    say (and in journals of earlier releases).
    """

    number: int
    cursor: str | None
    fetched_at: datetime
    body: bytes | None
    served_at: datetime | None = None


_decoder = msgspec.msgpack.Decoder(JournalPage)


class Journal:
    """The journal folder of one crawl. Pages are numbered from 1."""

    def __init__(self, landing: Path, commit: CommitRecord) -> None:
        self._store = landing_at(landing)
        self._folder = landing / commit.account / "_journal" / commit.crawl_id
        self._begun: tuple[Path, int] | None = None
        """The file that pages are added to, and the number of the next one. Nobody adds to what another
        process has begun: its end may be torn."""
        self._synced_at = float("-inf")
        self._waiting: Path | None = None
        """The file of pages that are not on disk yet."""

    def append(self, page: JournalPage) -> None:
        """Keep a page: no kill takes it away when this returns, nor, once the next ones are kept, a power cut.

        Raises `Fenced` in a crawl that was taken over.
        """
        sealed = seal_bytes(msgspec.msgpack.encode(page))
        name = f"{page.number:06d}"
        if self._store.is_shared:
            # Created, never replaced or added to: so two workers cannot write the same page.
            self._store.append_page(self._folder / f"{name}.page", sealed)
            return
        path, next_number = self._begun or (self._folder, 0)
        is_new = page.number != next_number
        if is_new:
            self.sync()
            path = self._folder / f"{name}{_SEVERAL}"
        # Should this fail, what follows must not stand behind half a page.
        self._begun = None
        is_due = time.monotonic() - self._synced_at >= SYNC_SECONDS
        content = _LENGTH.pack(len(sealed)) + sealed
        append_to(path, content, is_new=is_new, waits_for_disk=is_due)
        self._waiting = None if is_due else path
        if is_due:
            self._synced_at = time.monotonic()
        self._begun = path, page.number + 1

    def begin_file(self) -> None:
        """Let the next page be the first of another file, so that those before can be dropped."""
        self._begun = None

    def sync(self) -> None:
        """Wait until all pages are on disk."""
        if self._waiting is not None:
            sync(self._waiting)
            self._waiting = None

    def pages_after(self, number: int) -> Iterator[JournalPage]:
        """The kept pages that follow page `number`, in order.

        They end at the first page that is not there, as after restoring a part of a backup, or
        that is damaged: what comes after it is asked for again.
        """
        for path in self._files():
            if _first_number(path) > number + 1:
                return
            for page in _pages_in(path):
                if page.number == number + 1:
                    yield page
                    number += 1

    def drop_through(self, number: int) -> None:
        """Forget the pages up to `number`: their Parquet files are durable."""
        dropped = [path for path in self._files() if _last_number(path) <= number]
        if self._begun is not None and self._begun[0] in dropped:
            self._begun = None
        if self._waiting in dropped:
            self._waiting = None
        self._store.remove(*dropped)

    def drop_from(self, number: int) -> None:
        """Forget page `number` and those after it: they are to be asked for again."""
        self._begun = self._waiting = None
        files = self._files()
        self._store.remove(*(path for path in reversed(files) if _first_number(path) >= number))
        for path in files:
            first = _first_number(path)
            if first < number <= _last_number(path):
                kept = islice(_contents(path), number - first)
                self._store.write(path, b"".join(_LENGTH.pack(len(c)) + c for c in kept))

    def remove(self) -> None:
        """Forget all pages and the folder."""
        self._begun = self._waiting = None
        self._store.remove_folder(self._folder)

    def _files(self) -> list[Path]:
        return sorted(
            path
            for path in self._folder.glob("[0-9]*")
            if path.suffix in (_ONE, _SEVERAL) and path.stem.isdigit()
        )


def _first_number(path: Path) -> int:
    return int(path.stem)


def _last_number(path: Path) -> int:
    """The number of the last page in a file, also where that is torn."""
    if path.suffix == _ONE:
        return _first_number(path)
    return _first_number(path) + max(0, sum(1 for _ in _sizes(path)) - 1)


def _pages_in(path: Path) -> Iterator[JournalPage]:
    """The pages of a file, up to the first that is damaged."""
    for content in _contents(path):
        try:
            yield _decoder.decode(open_bytes(content))
        except (DamagedFile, msgspec.DecodeError):
            _log.warning("damaged page in a journal is asked for again", path=path)
            return


def _contents(path: Path) -> Iterator[bytes]:
    """The sealed pages of a file; of one that is torn, what there is of it."""
    with path.open("rb") as file:
        for start, size in _sizes(path):
            file.seek(start)
            yield file.read(size)


def _sizes(path: Path) -> Iterator[tuple[int, int]]:
    """Where each page of a file begins, and how many bytes it has."""
    end = path.stat().st_size
    if path.suffix == _ONE:
        yield 0, end
        return
    with path.open("rb") as file:
        start = _LENGTH.size
        while start < end:
            file.seek(start - _LENGTH.size)
            # A damaged length may be any number.
            size = min(_LENGTH.unpack(file.read(_LENGTH.size))[0], end - start)
            yield start, size
            start += size + _LENGTH.size


def remove_other_journals(landing: Path, account: str, unfinished: Container[str]) -> None:
    """Forget the pages of an account's crawls that are not `unfinished`.

    A crawl that was killed between its last commit record and its end leaves them behind.
    """
    for folder in sorted((landing / account / "_journal").glob("*")):
        if folder.name not in unfinished:
            landing_at(landing).remove_folder(folder)
