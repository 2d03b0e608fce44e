"""Landed Parquet files: their columns, their places, and writing them whole or not at all.

    landing/<account>/<stream>/date=YYYY-MM-DD/<crawl_id>-<first page>-<last page>.parquet
        (in a team's store also -u and a random number, so that no two workers write the same file)
    landing/<account>/_rejected/<crawl_id>-….parquet
    landing/<account>/_seen/<crawl_id>-….parquet

Belongs here: the form of the files. Does not belong here: when a file is due, and which files
count (that is the commit record's to say).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import accumulate, chain, repeat
from pathlib import Path
from typing import Any, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lead_pipeline.errors import LoadError
from lead_pipeline.landing import arrays
from lead_pipeline.landing.columns import RECORD_COLUMNS
from lead_pipeline.landing.commits import CommitRecord, LandedFile
from lead_pipeline.landing.records import FiledColumns, FiledPage
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.storage.files import digest_of, temporary_of
from lead_pipeline.storage.seams import landing_at

_OWN_STEM = re.compile(r"-\d{6,}-\d{6,}-u[0-9a-f]{8}$")
"""What follows the crawl in the name of a file in a team's store."""

_TYPES = {str(kind): kind for kind in (pa.string(), pa.int32(), arrays.MOMENT)}

RECORD_SCHEMA = pa.schema([(column.name, _TYPES[column.type]) for column in RECORD_COLUMNS])
"""The landing columns that the contract fixes. Files of earlier releases have no `served_at`."""

REJECTED_SCHEMA = pa.schema(
    [
        ("provider", pa.string()),
        ("account", pa.string()),
        ("stream", pa.string()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("payload", pa.binary()),
        ("fetched_at", arrays.MOMENT),
        ("served_at", arrays.MOMENT),
        ("crawl_id", pa.string()),
        ("page", pa.int32()),
        ("position", pa.int32()),
    ]
)

SEEN_SCHEMA = pa.schema(
    [
        ("account", pa.string()),
        ("record_id", pa.string()),
        ("fetched_at", arrays.MOMENT),
        ("served_at", arrays.MOMENT),
        ("crawl_id", pa.string()),
    ]
)


_ARRAYS: Mapping[pa.DataType, Callable[[Any], pa.Array]] = {
    pa.string(): arrays.texts,
    pa.binary(): arrays.binaries,
    pa.int32(): arrays.numbers,
    arrays.MOMENT: arrays.moments,
}
"""How a column of each type in use is made."""

_ROWS_OWN = frozenset({"record_id", "updated_at", "created_at", "payload"})
"""Columns in which hardly a value comes twice."""

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class FlushedFiles:
    """The files of one flush."""

    records: list[LandedFile]
    rejected: list[LandedFile]
    seen: list[LandedFile]
    rows_by_date: dict[str, int]
    overlap_rows: int = 0
    """How many records are older than what the crawl was asked for begins."""

    @property
    def all(self) -> list[LandedFile]:
        """Every one of them."""
        return [*self.records, *self.rejected, *self.seen]


def write_flush(landing: Path, commit: CommitRecord, pages: Sequence[FiledPage]) -> FlushedFiles:
    """Write what `pages` (at least one) hold, one file per UTC date of the records' `updated_at`.

    A cohort is filed by the day on which the crawl began: its records come again with each crawl,
    changed or not. Of records that were met but are not landed only the ids are kept. Files appear under their
    names once they are whole and on disk.
    """
    name = landing_at(landing).own_name(
        f"{commit.crawl_id}-{pages[0].number:06d}-{pages[-1].number:06d}.parquet"
    )
    account = Path(commit.account)
    table = _records_table(commit, pages)
    by_date = dict(_by_date(table, _crawl_date(commit)))
    records = [
        _write(landing, account / commit.stream / f"date={day}" / name, rows)
        for day, rows in by_date.items()
    ]
    rejected_rows = [
        (
            commit.provider,
            commit.account,
            commit.stream,
            record.kind,
            record.reason,
            record.payload,
            page.fetched_at,
            page.served_at,
            commit.crawl_id,
            page.number,
            record.position,
        )
        for page in pages
        for record in page.rejected
    ]
    seen_rows = [
        (commit.account, record_id, page.fetched_at, page.served_at, commit.crawl_id)
        for page in pages
        for record_id in page.seen_ids
    ]
    return FlushedFiles(
        records=records,
        rejected=_write_some(landing, account / "_rejected" / name, REJECTED_SCHEMA, rejected_rows),
        seen=_write_some(landing, account / "_seen" / name, SEEN_SCHEMA, seen_rows),
        rows_by_date={day.isoformat(): rows.num_rows for day, rows in by_date.items()},
        overlap_rows=_rows_before(table, commit.window.start),
    )


def _crawl_date(commit: CommitRecord) -> date | None:
    """The date of all records of the crawl; None where each record has its own."""
    stream = PROVIDERS[commit.provider].stream(commit.stream)
    return commit.started_at.astimezone(UTC).date() if stream.kind == "cohort" else None


def remove_uncommitted(landing: Path, commit: CommitRecord) -> None:
    """Remove files of a killed crawl that its commit record does not list.

    They were never landed: the pages they were made of are still in the journal.
    """
    committed = {file.path for file in commit.all_files}
    account = landing / commit.account
    for pattern in (f"{commit.stream}/date=*", "_rejected", "_seen"):
        there = list(account.glob(f"{pattern}/*{commit.crawl_id}-*"))
        landing_at(landing).remove(
            *(path for path in there if path.relative_to(landing).as_posix() not in committed)
        )


def remove_strays(landing: Path, account: str, records: Iterable[CommitRecord]) -> None:
    """Remove rows that a worker has put into a team's store after its crawl had been taken over.

    The crawl has ended without them, so nothing reads them. `records` are all those of the account,
    whose lock the caller holds.
    """
    store = landing_at(landing)
    if not store.is_shared:
        return
    records = list(records)
    ended = {record.crawl_id for record in records if record.finished_at is not None}
    listed = {file.path for record in records for file in record.all_files}
    store.remove(
        *(
            path
            for path in sorted((landing / account).rglob("*-u*.parquet"))
            if _OWN_STEM.sub("", path.stem) in ended
            and path.relative_to(landing).as_posix() not in listed
        )
    )


def write_again(
    landing: Path, folder: Path, table: pa.Table, name_of: Callable[[str], str]
) -> LandedFile:
    """Write rows that have landed before into a new file in `folder`, which is below landing.

    `name_of` its digest is its name; it is on disk on return. Raises `LoadError` where what was
    written does not read back, `OSError` when the disk refuses it.
    """
    temporary = temporary_of(landing / folder / name_of(""))
    try:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        if pq.ParquetFile(temporary, page_checksum_verification=True).read() != table:
            raise LoadError(
                f"What was written to {temporary} does not read back as it was. Look at the disk; "
                "nothing is lost."
            )
        size, digest = temporary.stat().st_size, digest_of(temporary)
        path = folder / name_of(digest)
        landing_at(landing).put_rows(temporary, landing / path)
    finally:
        temporary.unlink(missing_ok=True)
    return LandedFile(path.as_posix(), table.num_rows, size, digest)


def _records_table(commit: CommitRecord, pages: Sequence[FiledPage]) -> pa.Table:
    """The rows of records of one crawl, column by column: most columns hold few values, or one."""
    filed = [FiledColumns.of(page.filed) for page in pages]
    rows = sum(map(len, filed))
    # The place of its page among the pages, for each row.
    places = arrays.numbers(
        chain.from_iterable(repeat(place, len(page)) for place, page in enumerate(filed))
    )
    columns = {
        "provider": arrays.repeated(commit.provider, rows),
        "account": arrays.repeated(commit.account, rows),
        "stream": arrays.repeated(commit.stream, rows),
        "record_id": arrays.texts(_chained(page.record_ids for page in filed)),
        "updated_at": arrays.texts(_chained(page.updated_at for page in filed)).cast(arrays.MOMENT),
        "created_at": _times_or_none(list(_chained(page.created_at for page in filed))),
        "payload": arrays.encoded_texts(list(_chained(page.payloads for page in filed))),
        "fetched_at": arrays.moments(page.fetched_at for page in pages).take(places),
        "served_at": arrays.moments(page.served_at for page in pages).take(places),
        "crawl_id": arrays.repeated(commit.crawl_id, rows),
        "page": arrays.numbers(page.number for page in pages).take(places),
    }
    return pa.table(columns, schema=RECORD_SCHEMA)


def _times_or_none(values: Sequence[str | None]) -> pa.Array:
    if None not in values:
        return arrays.texts(cast("Sequence[str]", values)).cast(arrays.MOMENT)
    known = arrays.texts(value for value in values if value is not None).cast(arrays.MOMENT)
    # The place of each value among the known ones; past their end stands the null.
    places = accumulate((value is not None for value in values), initial=0)
    with_null = pa.concat_arrays([known, pa.nulls(1, arrays.MOMENT)])
    return with_null.take(
        arrays.numbers(
            len(known) if value is None else place
            for place, value in zip(places, values, strict=False)
        )
    )


def _chained(columns: Iterable[Sequence[_Value]]) -> Iterator[_Value]:
    return chain.from_iterable(columns)


def _by_date(table: pa.Table, crawl_date: date | None) -> Iterator[tuple[date, pa.Table]]:
    """The rows of each UTC date of `updated_at`, by date, in their order.

    All under `crawl_date` where it is given.
    """
    if not table.num_rows:
        return
    if crawl_date is not None:
        yield crawl_date, table
        return
    days = table["updated_at"].combine_chunks().cast(pa.date32(), safe=False)
    if not pc.all(pc.less_equal(days[:-1], days[1:])).as_py():
        # Stable: rows of one date stay in their order.
        order = pc.array_sort_indices(days)
        days, table = days.take(order), table.take(order)
    start = 0
    for found in days.value_counts().to_pylist():
        yield found["values"], table.slice(start, found["counts"])
        start += found["counts"]


def _rows_before(table: pa.Table, start: datetime | None) -> int:
    if start is None or not table.num_rows:
        return 0
    return int(pc.sum(pc.less(table["updated_at"], arrays.moments([start])[0])).as_py())


def _write_some(
    landing: Path, path: Path, schema: pa.Schema, rows: Sequence[tuple[object, ...]]
) -> list[LandedFile]:
    if not rows:
        return []
    columns = zip(*rows, strict=True)
    made = [_ARRAYS[field.type](column) for column, field in zip(columns, schema, strict=True)]
    return [_write(landing, path, pa.Table.from_arrays(made, schema=schema))]


def _write(landing: Path, path: Path, table: pa.Table) -> LandedFile:
    target = landing / path
    target.parent.mkdir(parents=True, exist_ok=True)
    # A target's name is its crawl's own, and a killed flush is repeated over what it left.
    temporary = target.with_name(f".{target.name}.tmp")
    pq.write_table(
        table,
        temporary,
        compression="zstd",
        write_page_checksum=True,
        # Of what each row has its own of, a dictionary would be made in vain.
        use_dictionary=[name for name in table.column_names if name not in _ROWS_OWN],
    )
    size, digest = temporary.stat().st_size, digest_of(temporary)
    landing_at(landing).put_rows(temporary, target)
    return LandedFile(path.as_posix(), table.num_rows, size, digest)
