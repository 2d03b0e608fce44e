"""DuckDB files as files: opening, attaching, what lies beside them.

Belongs here: what every DuckDB file needs. Does not belong here: what is in one.
"""

from __future__ import annotations

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
    literal = "'" + str(path).replace("'", "''") + "'"
    connection.execute(f"attach {literal} as {name} {f'({options})' if options else ''}")


def wal_of(path: Path) -> Path:
    """The write-ahead log that DuckDB keeps beside the file at `path`."""
    return path.with_name(path.name + ".wal")
