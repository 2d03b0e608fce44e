"""A finished file as its own catalog tells it: tables, columns, texts, rows, the build's identity."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from lead_pipeline.bi.builds import read_build
from lead_pipeline.bi.candidate import row_counts
from lead_pipeline.bi.retained_builds import name_of
from lead_pipeline.errors import PublishError
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.sql import read_sql


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    data_type: str
    is_nullable: bool
    comment: str | None


@dataclass(frozen=True)
class Table:
    """A table or view that readers have."""

    schema: str
    name: str
    kind: str
    """`table` or `view`."""
    comment: str | None
    rows: int | None
    """None for a view, which has none of its own."""
    columns: Sequence[Column]

    @property
    def relation(self) -> tuple[str, str]:
        """Schema and name."""
        return self.schema, self.name


@dataclass(frozen=True)
class Deprecation:
    """A table, or a column of one, that a later version does without."""

    replacement: str | None
    deprecated_in: str | None
    removed_in: str | None
    note: str | None


Deprecations = dict[tuple[str, str, str | None], Deprecation]
"""By schema, table and column; None: the whole table."""


@dataclass(frozen=True)
class DescribedFile:
    """A published file."""

    build: str
    run_id: str
    published_at: datetime
    is_masked: bool
    tables: Sequence[Table]
    deprecations: Deprecations

    def table(self, schema: str, name: str) -> Table | None:
        """The table of that name, if the file has it."""
        return next((found for found in self.tables if found.relation == (schema, name)), None)


def describe(published: Path) -> DescribedFile:
    """Read it from the file at `published`. Raises `PublishError` where it cannot be read."""
    build = read_build(published)
    if build is None:
        raise PublishError(
            f"{published} cannot be read, so it has no catalog. Publish again: lead-pipeline publish."
        )
    with closing(connect_utc(published, read_only=True)) as connection:
        return DescribedFile(
            build=name_of(build),
            run_id=build.run_id,
            published_at=build.published_at,
            is_masked=build.masking_key_id is not None,
            tables=_tables(connection),
            deprecations=_deprecations(connection),
        )


def _tables(connection: duckdb.DuckDBPyConnection) -> list[Table]:
    counts = row_counts(connection)
    columns: dict[tuple[str, str, str, str | None], list[Column]] = {}
    for schema, table, kind, comment, *column in connection.execute(
        read_sql("bi", "described_columns")
    ).fetchall():
        columns.setdefault((schema, table, kind, comment), []).append(Column(*column))
    return [
        Table(schema, name, kind, comment, counts.get(f"{schema}.{name}"), of)
        for (schema, name, kind, comment), of in columns.items()
    ]


def _deprecations(connection: duckdb.DuckDBPyConnection) -> Deprecations:
    """What the file announces; nothing where it has no such table."""
    try:
        rows = connection.execute(
            "select schema_name, table_name, column_name, replacement, deprecated_in, removed_in, note"
            " from meta.deprecations"
        ).fetchall()
    except duckdb.CatalogException:
        return {}
    return {(schema, table, column): Deprecation(*said) for schema, table, column, *said in rows}
