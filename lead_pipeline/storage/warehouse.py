"""The tables: `warehouse.duckdb`, opened by one process at a time and always closed again.

    check_out ──▶ the file is what all have ──changing──▶ it is what all will have, or is given up

In a folder the file is the warehouse. For a team it is this machine's copy of a generation
(`team/warehouse.py`). Whoever calls anything here but `exists` holds the warehouse's lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

import duckdb

from lead_pipeline.errors import LoadError
from lead_pipeline.storage.disks import naming_the_disk
from lead_pipeline.storage.duckdb_files import (
    attach,
    remove_duckdb_file,
    spill_beside,
    wal_of,
)
from lead_pipeline.storage.files import replace_atomically
from lead_pipeline.storage.shared_home import refuse_copy

ROW_GROUP_SIZE = 30_720
"""Rows; a quarter of DuckDB's own, and a multiple of the 2,048 that it processes at a time.

So several cores write and read the rows of a load, it holds fewer of them, and the last group, which
each load writes again, is smaller.
"""
STORAGE_VERSION = "v1.2.0"
"""The oldest DuckDB that reads the file: the first one that keeps texts as Zstandard. Only we open it."""


class Superseded(LoadError):
    """Another loader has committed other tables meanwhile; what was done here is given up."""


class Warehouse(Protocol):
    """Where the tables are kept between those who load and read them."""

    def exists(self) -> bool:
        """Whether there are tables. Needs no lock."""

    def check_out(self) -> None:
        """Let the file on this machine be what all have; without tables there is none."""

    def changing(self, *, rebuild: bool = False) -> AbstractContextManager[None]:
        """Check out, and commit the file as it is, closed, at the end of the block.

        With `rebuild` the block makes all tables, and needs none that are there. Of a block that is left
        by an error nothing is committed. Raises `Superseded` where another loader was faster.
        """

    def discard(self) -> None:
        """Remove the tables, so that the next load rebuilds them in a file that never held these."""

    def discard_earlier(self) -> list[str]:
        """Remove what is kept of earlier states; the names of what was removed."""


class FileWarehouse:
    """The file in its place: nobody else has another one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        """Whether the file is there."""
        return self._path.exists()

    def check_out(self) -> None:
        """The file is what all have."""

    def changing(self, *, rebuild: bool = False) -> AbstractContextManager[None]:
        """What is committed by DuckDB counts."""
        return nullcontext()

    def discard(self) -> None:
        """Remove the file, and what DuckDB may have left beside it."""
        remove_duckdb_file(self._path)

    def discard_earlier(self) -> list[str]:
        """There are no earlier states."""
        return []


_of_files: dict[tuple[int, Path], Warehouse] = {}
"""Warehouses whose file is a copy, by process: connections do not survive a fork."""


def use_warehouse(path: Path, warehouse: Warehouse) -> None:
    """Take this warehouse for the file at `path`, in this process, from now on."""
    _of_files[os.getpid(), path] = warehouse


def warehouse_at(path: Path) -> Warehouse:
    """The warehouse whose file on this machine is `path`.

    Raises `ConfigurationError` where that is a copy of a store that this process has not opened.
    """
    team = _of_files.get((os.getpid(), path))
    if team is not None:
        return team
    refuse_copy(path.parent)
    return FileWarehouse(path)


@contextmanager
def open_warehouse(path: Path, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file at `path`, made if missing, for the block; times of the session are UTC.

    Whoever writes to it has it checked out. What needs more than `memory_limit` is put into files
    beside `path`. Raises `LoadError` when the disk does not take what is written.
    """
    with naming_the_disk(f"The warehouse {path}", LoadError, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(duckdb.connect(config={"memory_limit": memory_limit})) as connection:
            connection.execute("set TimeZone = 'UTC'")
            spill_beside(connection, path)
            # A file does not keep this: opened without, it is written anew with larger groups.
            options = f"row_group_size {ROW_GROUP_SIZE}, storage_version '{STORAGE_VERSION}'"
            attach(connection, path, "warehouse", options=options)
            connection.execute("use warehouse")
            yield connection


@contextmanager
def read_warehouse(
    path: Path, config: Mapping[str, str | bool | int | float | list[str]] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables, opened read-only as all have them; times of the session are UTC.

    `path` is their file on this machine; `config` holds DuckDB's own options by name. Keep the block
    short: loads wait meanwhile.
    """
    warehouse_at(path).check_out()
    # An access mode in `config` would win over the argument `read_only`.
    options = {**(config or {}), "access_mode": "READ_ONLY"}
    with closing(duckdb.connect(str(path), config=options)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def replace_warehouse(new: Path, path: Path) -> None:
    """Put the closed file `new` in the place of `path`, in one step.

    Raises `LoadError` when `new` is still open somewhere.
    """
    refuse_open_file(new)
    # A log beside the old file would be applied to the new one. If the power fails between the
    # two steps, the old tables lack their last load, which the next load makes good.
    wal_of(path).unlink(missing_ok=True)
    replace_atomically(new, path)


def refuse_open_file(path: Path) -> None:
    """Raise `LoadError` where the file at `path`, which was closed, is open somewhere else."""
    if wal_of(path).exists():
        raise LoadError(
            f"{wal_of(path)} is left although the new warehouse was closed: another program has it "
            "open. Close that program and build again: lead-pipeline rebuild."
        )
