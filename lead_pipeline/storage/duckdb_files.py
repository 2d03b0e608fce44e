"""DuckDB files as files: opening, attaching, what lies beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb


def connect_utc(path: Path | str, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection whose session is in UTC; the caller closes it."""
    connection = duckdb.connect(str(path), read_only=read_only)
    connection.execute("set TimeZone = 'UTC'")
    return connection


def attach(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, *, options: str = ""
) -> None:
    """Attach the DuckDB file at `path` as the database `name`, with ATTACH's `options`."""
    # ATTACH takes no parameters.
    given = f"({options})" if options else ""
    connection.execute(f"attach {literal(str(path))} as {name} {given}")


def literal(text: str) -> str:
    """The text as SQL writes it, for statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


def wal_of(path: Path) -> Path:
    """The write-ahead log that DuckDB keeps beside the file at `path`."""
    return path.with_name(path.name + ".wal")


def spill_of(path: Path) -> Path:
    """The folder beside the file at `path` for what DuckDB has no memory for."""
    return path.with_name(path.name + ".tmp")


def spill_beside(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Let a connection without a file of its own put what it has no memory for beside `path`.

    DuckDB would use a folder below wherever the process happens to run.
    """
    connection.execute("set temp_directory = $folder", {"folder": str(spill_of(path))})


def remove_duckdb_file(path: Path) -> None:
    """Remove the file at `path` and all that DuckDB may have left beside it."""
    path.unlink(missing_ok=True)
    wal_of(path).unlink(missing_ok=True)
    remove_spill(path)


def remove_spill(path: Path) -> None:
    """Remove what a killed process had no memory for while it had the file at `path` open."""
    if spill_of(path).exists():
        shutil.rmtree(spill_of(path))
