"""Opening `warehouse.duckdb`: one process at a time, always closed again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from lead_pipeline.errors import LoadError
from lead_pipeline.storage.disks import naming_the_disk
from lead_pipeline.storage.duckdb_files import wal_of
from lead_pipeline.storage.files import replace_atomically


@contextmanager
def open_warehouse(path: Path, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse at `path`, made if missing, for the block; times of the session are UTC.

    The caller holds the warehouse's lock. What needs more than `memory_limit` is put into files
    beside `path`. Raises `LoadError` when the disk does not take what is written.
    """
    with naming_the_disk(f"The warehouse {path}", LoadError, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, str | bool | int | float | list[str]] = {"memory_limit": memory_limit}
        with closing(duckdb.connect(str(path), config=options)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            yield connection


@contextmanager
def read_warehouse(
    path: Path, config: Mapping[str, str | bool | int | float | list[str]] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse at `path`, which exists, opened read-only; times of the session are UTC.

    `config` holds DuckDB's own options by name. The caller holds the warehouse's lock, and keeps
    the block short.
    """
    # An access mode in `config` would win over the argument `read_only`.
    options = {**(config or {}), "access_mode": "READ_ONLY"}
    with closing(duckdb.connect(str(path), config=options)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def replace_warehouse(new: Path, path: Path) -> None:
    """Put the closed file `new` in the place of `path`, in one step.

    Raises `LoadError` when `new` is still open somewhere.
    """
    if wal_of(new).exists():
        raise LoadError(
            f"{wal_of(new)} is left although the new warehouse was closed: another program has it "
            "open. Close that program and build again: lead-pipeline rebuild."
        )
    # A log beside the old file would be applied to the new one. If the power fails between the
    # two steps, the old tables lack their last load, which the next load makes good.
    wal_of(path).unlink(missing_ok=True)
    replace_atomically(new, path)
