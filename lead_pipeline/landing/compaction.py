"""Many small landed files of closed days put together, with every row as it landed.

    files of a closed day ──▶ compacted-….parquet ──▶ commit record ──▶ the files are removed
                              durable, counts not yet    the switch

Each step can be the last one before a kill: without the record the new file does not count and is
made again, with it the old ones do not count and are removed by the next call. Nothing else changes:
ledger, rebuild and explanations know rows by the file that their crawl has listed (`places.py`).
Belongs here: which files, the order of writes, whose turn it is. Does not belong here: where rows lie.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import (
    COMPACTIONS,
    CommitRecord,
    Compaction,
    LandedFile,
    Window,
    accounts_with_landing,
    commit_records,
    crawls_folder,
    new_crawl_id,
    save,
)
from lead_pipeline.landing.digests import REMEDY, check_file
from lead_pipeline.landing.files import RECORD_SCHEMA, SEEN_SCHEMA, write_again
from lead_pipeline.landing.places import Places
from lead_pipeline.landing.turns import account_turn
from lead_pipeline.settings import Settings
from lead_pipeline.storage.files import remove_temporaries
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.seams import landing_at

_logger = logging.getLogger(__name__)

PREFIX = "compacted-"
LEAST_FILES = 8
"""Fewer are not worth a record of their own."""
SMALL_BYTES = 2 * 1024 * 1024
"""Larger files stay as they are."""
MOST_ROWS, MOST_BYTES = 50_000, 16 * 1024 * 1024
"""Of a new file, which is held in memory while it is written."""
CLOSED_AFTER = timedelta(days=3)
"""By then nights that failed have been made good, and most of what is late has come."""
FILES_AT_A_TIME = 2_000
"""Of an account in one call; the next one goes on."""

_SEEN = "_seen"


@dataclass(frozen=True)
class Compacted:
    """What one call has put together."""

    before: int = 0
    """Files that were replaced …"""
    after: int = 0
    """… by so many."""
    rows: int = 0

    def __bool__(self) -> bool:
        return self.before > 0

    def __add__(self, other: Compacted) -> Compacted:
        return Compacted(
            self.before + other.before, self.after + other.after, self.rows + other.rows
        )

    def __str__(self) -> str:
        return f"{self.before:,} small files with {self.rows:,} rows put into {self.after:,}"


def compact_landing(
    settings: Settings,
    now: datetime,
    tell: Callable[[str], None] = _logger.info,
    patience: float | None = None,
) -> dict[str, Compacted]:
    """Put small files of closed days together, of one account after the other.

    Pulls of the account and loads wait meanwhile. What others hold for longer than `patience` seconds
    (None: as long as it takes) is left for another time, and told. Raises what `compact_account` does.
    """
    done = {}
    for account in accounts_with_landing(settings.landing_path):
        purpose = f"putting small files of {account} together"
        try:
            with (
                account_turn(settings, account, purpose, tell, patience),
                held(settings.warehouse_lock, purpose, tell, patience),
            ):
                done[account] = compact_account(settings.landing_path, account, now)
        except TimeoutError as error:
            tell(f"Small files of {account} are put together another time: {error} is at work.")
    return done


def compact_account(landing: Path, account: str, now: datetime) -> Compacted:
    """Put small files of the account's closed days together, at most `FILES_AT_A_TIME`.

    The caller holds the account's lock and that of the warehouse, since files are removed. Raises
    `LoadError` naming a file that is not as its crawl has written it, `OSError` when the disk
    refuses one; all that was landed is then still there.
    """
    remove_temporaries(crawls_folder(landing, account))
    records = list(commit_records(landing, account))
    _remove_replaced(landing, [r for r in records if r.compactions][-1:])
    made: list[tuple[LandedFile, Compaction]] = []
    left = FILES_AT_A_TIME
    listed = {file.path for record in records if record.compactions for file in record.files}
    for files in _due(records, now):
        if len(files) > left:
            break
        listed |= {new.path for new, _ in made}
        _remove_unlisted(landing, files[0], listed)
        made.append(_put_together(landing, files))
        left -= len(files)
    if not made:
        return Compacted()
    record = record_of(records[0], made, now)
    save(landing, record)
    _remove_replaced(landing, [record])
    replaced = [file for _, compaction in made for file in compaction.replaces]
    return Compacted(len(replaced), len(made), sum(file.rows for file in replaced))


def _due(records: Sequence[CommitRecord], now: datetime) -> Iterator[list[LandedFile]]:
    """Groups of files that one new file each can replace, oldest first."""
    places = Places(records)
    groups: dict[tuple[str, str], list[LandedFile]] = defaultdict(list)
    closed = (now - CLOSED_AFTER).astimezone(UTC).date()
    for record in records:
        # A killed crawl that is resumed removes and writes files of its own.
        if record.finished_at is None or record.stream == COMPACTIONS:
            continue
        for file in (*record.files, *record.seen_files):
            period, ends = _period_of(file)
            if ends < closed and file.bytes < SMALL_BYTES and not places.has_moved(file):
                groups[period, str(Path(file.path).parent)].append(file)
    for key in sorted(groups):
        yield from _of_bounded_size(sorted(groups[key], key=lambda file: file.path))


def _period_of(file: LandedFile) -> tuple[str, date]:
    """The day of a record's folder, or the month of a crawl's seen ids, and the last day of it."""
    folder, name = Path(file.path).parent.name, Path(file.path).name
    try:
        if folder != _SEEN:
            day = date.fromisoformat(folder.removeprefix("date="))
            return day.isoformat(), day
        first = datetime.strptime(name[:6], "%Y%m").replace(tzinfo=UTC).date()
    except ValueError:
        # Not written by a crawl of ours: it stays as it is.
        return name, date.max
    after = (first + timedelta(days=31)).replace(day=1)
    return f"{first:%Y-%m}", after - timedelta(days=1)


def _of_bounded_size(files: Sequence[LandedFile]) -> Iterator[list[LandedFile]]:
    """Parts of `files` with enough files to be worth it, and not too many, nor too much in them."""
    part: list[LandedFile] = []
    for file in files:
        if part and _is_full([*part, file]):
            if len(part) >= LEAST_FILES:
                yield part
            part = []
        part.append(file)
    if len(part) >= LEAST_FILES:
        yield part


def _is_full(part: Sequence[LandedFile]) -> bool:
    return (
        len(part) > FILES_AT_A_TIME
        or sum(file.rows for file in part) > MOST_ROWS
        or sum(file.bytes for file in part) > MOST_BYTES
    )


def _put_together(landing: Path, files: Sequence[LandedFile]) -> tuple[LandedFile, Compaction]:
    """Write one file with the rows of `files`, one after the other; it is on disk on return."""
    folder = Path(files[0].path).parent
    schema = SEEN_SCHEMA if folder.name == _SEEN else RECORD_SCHEMA
    table = pa.concat_tables([_read(landing, file, schema) for file in files])
    new = write_again(landing, folder, table, lambda digest: f"{PREFIX}{digest[:16]}.parquet")
    return new, Compaction(new.path, list(files))


def _read(landing: Path, file: LandedFile, schema: pa.Schema) -> pa.Table:
    """The rows of the file; columns that earlier releases did not write are null.

    Raises `LoadError` where it is not as its crawl has written it, or holds more than we know.
    """
    check_file(landing, file)
    path = landing / file.path
    try:
        with path.open("rb") as source:
            table = pq.ParquetFile(source, page_checksum_verification=True).read()
    except (OSError, pa.ArrowException) as error:
        raise LoadError(f"{path} cannot be read ({type(error).__name__}). {REMEDY}") from None
    unknown = set(table.column_names) - set(schema.names)
    if table.num_rows != file.rows or unknown:
        raise LoadError(
            f"{path} holds {table.num_rows:,} rows and the unknown columns {sorted(unknown)}; its "
            f"crawl wrote {file.rows:,} rows. {REMEDY}"
        )
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def record_of(
    like: CommitRecord, made: Sequence[tuple[LandedFile, Compaction]], now: datetime
) -> CommitRecord:
    """The commit record that lets the new files count, of the same account as `like`."""
    return CommitRecord(
        crawl_id=new_crawl_id(now, COMPACTIONS),
        account=like.account,
        provider=like.provider,
        stream=COMPACTIONS,
        window=Window(None, now),
        state="compacted",
        note="Files that were put together; no row was changed.",
        started_at=now,
        finished_at=datetime.now(UTC),
        files=[file for file, _ in made],
        compactions=[compaction for _, compaction in made],
    )


def _remove_replaced(landing: Path, records: Sequence[CommitRecord]) -> None:
    """Remove the files whose rows lie in those of the records, which are durable."""
    for record in records:
        for compaction in record.compactions:
            if not (landing / compaction.path).exists():
                raise LoadError(
                    f"{landing / compaction.path} is gone, which its commit record lists. Restore "
                    "it from a backup."
                )
            landing_at(landing).remove(*(landing / file.path for file in compaction.replaces))


def _remove_unlisted(landing: Path, file: LandedFile, listed: Container[str]) -> None:
    """Remove what a killed call has written beside `file`, without a record that lists it."""
    folder = (landing / file.path).parent
    for path in (*folder.glob(f"{PREFIX}*.parquet"), *folder.glob(f".{PREFIX}*.tmp")):
        if path.relative_to(landing).as_posix() not in listed:
            landing_at(landing).remove(path)
