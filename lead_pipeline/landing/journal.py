"""The journal of a crawl: each page as it came, until the Parquet file that holds it is durable.

    landing/<account>/_journal/<crawl_id>/000120.page

A page is in the journal before the next one is asked for. So a kill at any instant costs at
most the one page whose answer was under way, while files stay large. Each page carries a digest of
itself. Belongs here: writing, reading and dropping pages. Does not belong here: what is in them.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.logs import log_of
from lead_pipeline.storage.sealed import DamagedFile, open_bytes, seal_bytes
from lead_pipeline.storage.seams import landing_at

_log = log_of(__name__)


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


class Journal:
    """The journal folder of one crawl. Pages are numbered from 1."""

    def __init__(self, landing: Path, commit: CommitRecord) -> None:
        self._store = landing_at(landing)
        self._folder = landing / commit.account / "_journal" / commit.crawl_id

    def append(self, page: JournalPage) -> None:
        """Keep a page; it is durable when this returns. Raises `Fenced` in a crawl that was taken over."""
        self._store.append_page(
            self._folder / f"{page.number:06d}.page", seal_bytes(msgspec.msgpack.encode(page))
        )

    def pages_after(self, number: int) -> Iterator[JournalPage]:
        """The kept pages that follow page `number`, in order.

        They end at the first page that is not there, as after restoring a part of a backup, or
        that is damaged: what comes after it is asked for again.
        """
        for path in sorted(self._folder.glob("[0-9]*.page")):
            if int(path.stem) <= number:
                continue
            number += 1
            if int(path.stem) != number:
                return
            try:
                yield msgspec.msgpack.decode(open_bytes(path.read_bytes()), type=JournalPage)
            except (DamagedFile, msgspec.DecodeError):
                _log.warning("damaged page in a journal is asked for again", page=number, path=path)
                return

    def drop_through(self, number: int) -> None:
        """Forget the pages up to `number`: their Parquet files are durable."""
        self._store.remove(
            *(p for p in sorted(self._folder.glob("[0-9]*.page")) if int(p.stem) <= number)
        )

    def drop_from(self, number: int) -> None:
        """Forget page `number` and those after it: they are to be asked for again."""
        pages = sorted(self._folder.glob("[0-9]*.page"), reverse=True)
        self._store.remove(*(path for path in pages if int(path.stem) >= number))

    def remove(self) -> None:
        """Forget all pages and the folder."""
        self._store.remove_folder(self._folder)


def remove_other_journals(landing: Path, account: str, unfinished: Container[str]) -> None:
    """Forget the pages of an account's crawls that are not `unfinished`.

    A crawl that was killed between its last commit record and its end leaves them behind.
    """
    for folder in sorted((landing / account / "_journal").glob("*")):
        if folder.name not in unfinished:
            landing_at(landing).remove_folder(folder)
