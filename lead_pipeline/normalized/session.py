"""One connection to a warehouse file, and the few ways in which loading talks to it.

Belongs here: executing the statements of `sql/`. Does not belong here: which, and in what order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from lead_pipeline.providers import PROVIDERS
from lead_pipeline.storage.sql import read_sql


@dataclass(frozen=True)
class Session:
    """A connection in which the names of statements are those of the files below `sql/`."""

    connection: duckdb.DuckDBPyConnection

    def prepare(self) -> None:
        """Give the connection what every loading session needs."""
        self.run("session")
        streams = [
            (provider.slug, stream.name, stream.kind)
            for provider in PROVIDERS.values()
            for stream in provider.streams
        ]
        self.insert("streams", streams)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that the block writes, or nothing of it."""
        self.execute("begin")
        try:
            yield
            self.execute("commit")
        except BaseException:
            self.execute("rollback")
            raise

    def run(self, name: str, parameters: Any = None) -> None:
        """Execute the statements of `sql/<name>.sql`."""
        self.connection.execute(read_sql("normalized", name), parameters)

    def query(self, name: str, parameters: Any = None) -> list[Any]:
        """The rows that `sql/<name>.sql` returns."""
        return self.fetch(read_sql("normalized", name), parameters)

    def execute(self, sql: str, parameters: Any = None) -> None:
        """Execute one statement."""
        self.connection.execute(sql, parameters)

    def fetch(self, sql: str, parameters: Any = None) -> list[Any]:
        """The rows that one statement returns."""
        return self.connection.execute(sql, parameters).fetchall()

    def count(self, table: str) -> int:
        """Rows of a table of ours."""
        return int(self.connection.table(table).shape[0])

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows whose values stand in the order of the table's columns."""
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self.connection.executemany(f"insert into {table} values ({marks})", list(rows))  # noqa: S608

    def insert_columns(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Append many rows, given as columns by name; none where the columns are empty."""
        if not any(columns.values()):
            return
        self.connection.register("given_columns", pa.table(dict(columns)))
        self.connection.execute(f"insert into {table} by name select * from given_columns")  # noqa: S608
        self.connection.unregister("given_columns")
