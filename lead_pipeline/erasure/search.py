"""Looking through a whole home for what tells a person: raw bytes, and what is packed in them.

    every file ──bytes──┬─▶ Needles ──▶ file and kinds, never the value
    Parquet, DuckDB ──unpacked──┘

Belongs here: reading files of any kind for it. Does not belong here: what is done about what is found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lead_pipeline.erasure.needles import Needles
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.sql import read_sql

CHUNK_BYTES = 32 * 1024 * 1024
_DUCKDB_MARK = b"DUCK"
_DUCKDB_MARK_AT = 8
_PARQUET_MARK = b"PAR1"
_BATCH_ROWS = 50_000


@dataclass(frozen=True)
class Found:
    """A file that holds something that was looked for."""

    path: Path
    needles: frozenset[bytes]


@dataclass(frozen=True)
class Unread:
    """A file that could not be looked through whole, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Search:
    """What a search through a folder has come to."""

    files: int
    bytes: int
    found: tuple[Found, ...]
    unread: tuple[Unread, ...]


def search_folder(folder: Path, needles: Needles, skip: frozenset[Path] = frozenset()) -> Search:
    """Look for the needles in every file below the folder but those to `skip`.

    Links are not followed out of it. Files that come or go meanwhile are looked at or not.
    """
    files = size = 0
    found: list[Found] = []
    unread: list[Unread] = []
    seen: set[tuple[int, int]] = set()
    for path in files_below(folder):
        if path in skip:
            continue
        try:
            about = path.stat()
            if (about.st_dev, about.st_ino) in seen and about.st_nlink > 1:
                continue
            seen.add((about.st_dev, about.st_ino))
            in_file = search_file(path, needles)
        except FileNotFoundError:
            continue
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            # Not the text of the error, which can hold values.
            unread.append(Unread(path, type(error).__name__))
            continue
        files += 1
        size += about.st_size
        if in_file:
            found.append(Found(path, frozenset(in_file)))
    return Search(files, size, tuple(found), tuple(unread))


def files_below(folder: Path) -> Iterator[Path]:
    """All regular files, in the order of their paths."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            if path.is_file() and not path.is_symlink():
                yield path


def search_file(path: Path, needles: Needles) -> set[bytes]:
    """The needles that are in the file: in its bytes, and in what it holds packed.

    Raises `OSError`, and what reading Parquet and DuckDB raises.
    """
    if not needles:
        return set()
    found: set[bytes] = set()
    with path.open("rb") as file:
        beginning = file.read(_DUCKDB_MARK_AT + len(_DUCKDB_MARK))
        file.seek(0)
        tail = b""
        while chunk := file.read(CHUNK_BYTES):
            found |= needles.found_in(tail + chunk)
            tail = chunk[-needles.longest :]
    if beginning.startswith(_PARQUET_MARK):
        found |= search_parquet(path, needles)
    elif beginning[_DUCKDB_MARK_AT:] == _DUCKDB_MARK:
        found |= search_duckdb(path, needles)
    return found


def search_parquet(path: Path, needles: Needles) -> set[bytes]:
    """The needles that are in the values of a Parquet file."""
    found: set[bytes] = set()
    with path.open("rb") as source:
        for batch in pq.ParquetFile(source).iter_batches(_BATCH_ROWS):
            for column in batch.columns:
                found |= needles.found_in(_bytes_of(column))
    return found


def search_duckdb(path: Path, needles: Needles) -> set[bytes]:
    """The needles that are in the values of a DuckDB file."""
    found: set[bytes] = set()
    with closing(connect_utc(path, read_only=True)) as connection:
        columns = connection.execute(
            read_sql("erasure", "text_columns"), {"database": path.stem}
        ).fetchall()
        for schema, table, column in columns:
            quoted = ".".join('"' + name.replace('"', '""') + '"' for name in (schema, table))
            name = '"' + column.replace('"', '""') + '"'
            # Names of columns of the file itself; a statement takes none as parameters.
            query = (
                f"select distinct {name}::varchar as value from {quoted} where {name} is not null"  # noqa: S608
            )
            reader = connection.execute(query).to_arrow_reader(_BATCH_ROWS)
            for batch in reader:
                found |= needles.found_in(_bytes_of(batch.column(0)))
    return found


def _bytes_of(column: pa.Array) -> bytes:
    """The values of a column of texts one after the other; nothing of others."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _bytes_of(column.dictionary)
    if not (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    ):
        return b""
    # Taken again, so that the buffer holds the values of this part alone.
    values = column.cast(pa.large_binary()).drop_null()
    return b"\n".join(values.to_pylist())
