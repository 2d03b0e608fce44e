"""One connection to a warehouse file, and the few ways in which loading talks to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import duckdb
import pyarrow as pa

from lead_pipeline.storage.sql import read_sql


def values_of(row: Any) -> tuple[Any, ...]:
    """The fields of a row that is a dataclass, in order.

    `dataclasses.astuple` copies each of them, which took a seventh of a small load.
    """
    return tuple(vars(row).values())


@dataclass(frozen=True)
class Session:
    """A connection in which the names of statements are those of the files below `sql/`."""

    connection: duckdb.DuckDBPyConnection

    @staticmethod
    def text(name: str) -> str:
        """The statements of `sql/<name>.sql`."""
        return read_sql("normalized", name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that the block writes, or nothing of it."""
        self.execute("begin")
        try:
            yield
            self.execute("commit")
        except BaseException:
            # A commit that failed has ended the transaction, and is the error to see.
            with suppress(duckdb.TransactionException):
                self.execute("rollback")
            raise

    def run(self, name: str, parameters: Any = None) -> None:
        """Execute the statements of `sql/<name>.sql`; the parameters are those of the last one."""
        self.connection.execute(self.text(name), parameters)

    def query(self, name: str, parameters: Any = None) -> list[Any]:
        """The rows that `sql/<name>.sql` returns."""
        return self.fetch(self.text(name), parameters)

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
        """Append some rows, in one statement; values stand in the order of the table's columns."""
        if rows:
            marks = f"({', '.join('?' * len(rows[0]))})"
            values = ", ".join([marks] * len(rows))
            self.execute(f"insert into {table} values {values}", list(chain.from_iterable(rows)))  # noqa: S608

    def create_table(
        self, table: str, columns: Mapping[str, str], values: Mapping[str, Sequence[Any]]
    ) -> None:
        """Make a temporary table with `columns` (name to type) of `values` by column."""
        types = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
        self.execute(f"create temp table {table} ({types})")
        if not any(values.values()):
            return
        self.connection.register("given_values", pa.table(dict(values)))
        self.execute(f"insert into {table} by name select * from given_values")  # noqa: S608
        self.connection.unregister("given_values")

    def texts(self, name: str) -> pa.ChunkedArray:
        """The one column of texts that `sql/<name>.sql` returns."""
        return self.connection.execute(self.text(name)).to_arrow_table().column(0)

    def create_text_table(
        self, table: str, columns: Sequence[str], parts: Iterable[Sequence[pa.Array]]
    ) -> None:
        """Make a temporary table with `columns` of texts; `parts` are its rows, by column."""
        schema = pa.schema([(name, pa.string()) for name in columns])
        batches = [pa.record_batch(list(part), schema=schema) for part in parts]
        self.connection.register("given_values", pa.Table.from_batches(batches, schema))
        self.execute(f"create temp table {table} as select * from given_values")  # noqa: S608
        self.connection.unregister("given_values")

    def drop_temporary(self, names: Collection[str]) -> None:
        """Drop the temporary tables and views of these names."""
        views = {name for (name,) in self.fetch("select view_name from duckdb_views()")}
        for name in sorted(names, key=lambda name: (name not in views, name)):
            self.execute(f"drop {'view' if name in views else 'table'} temp.{name}")
