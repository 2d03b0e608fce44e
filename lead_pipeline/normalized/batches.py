"""Landed files that the tables do not hold yet, in batches, so that memory does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lead_pipeline.landing.commits import CommitRecord, LandedFile
from lead_pipeline.landing.places import Place
from lead_pipeline.providers import PROVIDERS

BATCH_ROWS = 200_000
BATCH_BYTES = 300_000_000
"""Bytes of columns mapped at a time, unpacked: 200,000 rows of the usual size."""


@dataclass(frozen=True)
class NewFile:
    """A landed file that the tables do not hold yet; `path` is relative to the landing folder."""

    crawl: CommitRecord
    path: str
    rows: int
    place: Place
    """Where the rows lie."""
    holder: LandedFile
    """The file that holds them, as it was written."""
    is_part: bool = False
    """Whether the tables hold other rows of the file that they lie in."""

    @property
    def is_seen(self) -> bool:
        """Whether it holds ids that a crawl saw without landing their records."""
        return "/_seen/" in self.path


class Contents(NamedTuple):
    """What the files of a batch hold, all alike."""

    provider: str = ""
    """Empty where they hold ids that were seen."""
    has_leads: bool = False
    """Whether `leads.sql` reads their records."""
    has_stage_changes: bool = False
    """Whether `stage_events.sql` does."""
    are_parts: bool = False
    """Whether not all rows of the files are wanted."""


class Batch(NamedTuple):
    """Files that are read at a time."""

    contents: Contents
    files: list[NewFile]

    @property
    def rows(self) -> int:
        """How many records or ids its files hold."""
        return sum(file.rows for file in self.files)

    @property
    def holders(self) -> list[LandedFile]:
        """The files that hold their rows, each once."""
        return list({file.holder.path: file.holder for file in self.files}.values())

    @property
    def paths(self) -> list[str]:
        """Where their rows lie, each file once."""
        return list(dict.fromkeys(file.place.path for file in self.files))


def batches(landing: Path, files: Sequence[NewFile]) -> Iterator[Batch]:
    """Files of like contents, up to `BATCH_ROWS` rows and `BATCH_BYTES` at a time, in their order.

    Those whose rows lie in one file stay together.
    """
    by_contents: dict[Contents, list[NewFile]] = {}
    for file in files:
        by_contents.setdefault(_contents(file), []).append(file)
    for contents in sorted(by_contents):
        batch = Batch(contents, [])
        rows = size = 0
        for path, together in groupby(by_contents[contents], key=lambda file: file.place.path):
            files = list(together)
            added, added_bytes = sum(file.rows for file in files), _unpacked_bytes(landing / path)
            if batch.files and (rows + added > BATCH_ROWS or size + added_bytes > BATCH_BYTES):
                yield batch
                batch, rows, size = Batch(contents, []), 0, 0
            batch.files.extend(files)
            rows, size = rows + added, size + added_bytes
        yield batch


def _unpacked_bytes(path: Path) -> int:
    """Bytes of a file's columns as they are in memory; 0 where it cannot be read, which its load says."""
    try:
        metadata = pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return 0
    return sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))


def _contents(file: NewFile) -> Contents:
    if file.is_seen:
        return Contents()
    provider = PROVIDERS[file.crawl.provider]
    stream = provider.stream(file.crawl.stream)
    return Contents(
        provider.slug, stream.kind != "events", stream.tells_stage_changes, file.is_part
    )
