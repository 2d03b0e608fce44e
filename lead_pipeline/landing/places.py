"""Where the rows of landed files lie now: in the file itself, or in one that took the place of several.

    file that a crawl has listed ──compacted?──▶ rows [a, b) of another file

The only place that knows. Belongs here: from listed files to those that are read. Does not belong
here: which files are put together, and how (`compaction.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

import duckdb

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import (
    CommitRecord,
    LandedFile,
    accounts_with_landing,
    compaction_records,
)

T = TypeVar("T")


class Place(NamedTuple):
    """Rows `[first_row, end_row)` of the file `path`, which is relative to the landing folder."""

    path: str
    first_row: int
    end_row: int


class Places:
    """Where files of the accounts lie of which these are the commit records."""

    def __init__(self, records: Iterable[CommitRecord]) -> None:
        self._places: dict[str, Place] = {}
        self._sources: dict[str, tuple[LandedFile, ...]] = {}
        self._compacted: dict[str, LandedFile] = {}
        for record in records:
            if record.compactions:
                self._compacted |= {file.path: file for file in record.files}
            for compaction in record.compactions:
                self._sources[compaction.path] = tuple(compaction.replaces)
                row = 0
                for file in compaction.replaces:
                    self._places[file.path] = Place(compaction.path, row, row + file.rows)
                    row += file.rows

    def of(self, file: LandedFile) -> Place:
        """Where the rows of the file lie."""
        return self._places.get(file.path) or Place(file.path, 0, file.rows)

    def holder(self, file: LandedFile) -> LandedFile:
        """The file that holds the rows, as it was written."""
        place = self._places.get(file.path)
        return file if place is None else self._compacted[place.path]

    def has_moved(self, file: LandedFile) -> bool:
        """Whether the rows lie in another file than the crawl has listed."""
        return file.path in self._places

    def paths(self, files: Iterable[LandedFile]) -> list[str]:
        """The files that hold the rows of `files`, each once, in their order."""
        return list(dict.fromkeys(self.of(file).path for file in files))

    def sources(self, path: str) -> tuple[LandedFile, ...]:
        """The listed files whose rows the file at `path` holds; empty where it is one of them."""
        return self._sources.get(path, ())


def places_of(landing: Path) -> Places:
    """Where the files of all accounts lie."""
    return Places(
        record
        for account in accounts_with_landing(landing)
        for record in compaction_records(landing, account)
    )


def read_in_place(landing: Path, read: Callable[[], T]) -> T:
    """What `read` returns, which reads landed files without a lock.

    It is called again where files were put together while it read.
    """
    before = _compactions(landing)
    try:
        return read()
    except (LoadError, OSError, duckdb.Error):
        if _compactions(landing) == before:
            raise
        return read()


def _compactions(landing: Path) -> list[str]:
    return [
        record.crawl_id
        for account in accounts_with_landing(landing)
        for record in compaction_records(landing, account)
    ]
