"""Landed files that the tables do not hold yet, in batches, so that memory does not grow with them.

Belongs here: what a file is read as. Does not belong here: reading it (`declared_steps.py`), and
which files are new (`ledger.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.providers import PROVIDERS

BATCH_ROWS = 200_000
"""Rows mapped at a time: some 500 MB of DuckDB's memory."""


@dataclass(frozen=True)
class NewFile:
    """A landed file that the tables do not hold yet; `path` is relative to the landing folder."""

    crawl: CommitRecord
    path: str
    rows: int

    @property
    def is_seen(self) -> bool:
        """Whether it holds ids that a crawl met without landing their records."""
        return "/_seen/" in self.path


class Contents(NamedTuple):
    """What the files of a batch hold, all alike."""

    provider: str = ""
    """Empty where they hold ids that were seen."""
    has_leads: bool = False
    """Whether `leads.sql` reads their records."""
    has_stage_changes: bool = False
    """Whether `stage_events.sql` does."""


class Batch(NamedTuple):
    """Files that are read at a time."""

    contents: Contents
    files: list[NewFile]

    @property
    def rows(self) -> int:
        """How many records or ids its files hold."""
        return sum(file.rows for file in self.files)


def batches(files: Sequence[NewFile]) -> Iterator[Batch]:
    """Files of like contents, up to `BATCH_ROWS` rows at a time, in their order."""
    by_contents: dict[Contents, list[NewFile]] = {}
    for file in files:
        by_contents.setdefault(_contents(file), []).append(file)
    for contents in sorted(by_contents):
        batch = Batch(contents, [])
        rows = 0
        for file in by_contents[contents]:
            if batch.files and rows + file.rows > BATCH_ROWS:
                yield batch
                batch, rows = Batch(contents, []), 0
            batch.files.append(file)
            rows += file.rows
        yield batch


def _contents(file: NewFile) -> Contents:
    if file.is_seen:
        return Contents()
    provider = PROVIDERS[file.crawl.provider]
    stream = provider.stream(file.crawl.stream)
    return Contents(provider.slug, stream.kind != "events", stream.tells_stage_changes)
