"""What the columns mean: `columns.csv`, for DuckDB's comments, Dagster's column schema and dbt.

    columns.csv ──┬──▶ comments in warehouse.duckdb
                  ├──▶ column schema of the assets `normalized/*`
                  └──make docs──▶ docs blocks of the dbt project ({{ doc('…') }})

A row without a table describes the column wherever no row of its own table does.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from importlib.resources import files

import duckdb

from lead_pipeline.errors import LoadError
from lead_pipeline.storage.sql import read_sql

TEXTS = files("lead_pipeline").joinpath("normalized", "columns.csv")


@cache
def column_texts() -> Mapping[tuple[str, str], str]:
    """The text of each row of `columns.csv`, by (table, column); the table can be empty."""
    rows = csv.DictReader(io.StringIO(TEXTS.read_text("utf-8")))
    return {(row["table"], row["column"]): row["text"] for row in rows}


def description_of(table: str, column: str) -> str:
    """What the column means. Raises `LoadError` when no row says it."""
    texts = column_texts()
    text = texts.get((table, column)) or texts.get(("", column))
    if text is None:
        raise LoadError(
            f"No row of normalized/columns.csv describes column {column} of normalized.{table}. "
            "Add one."
        )
    return text


def column_schema(table: str) -> list[tuple[str, str, str]]:
    """(name, DuckDB type, description) of each column of `normalized.<table>`, in order."""
    return [
        (column, data_type, description_of(table, column))
        for name, column, data_type in _declared_columns()
        if name == table
    ]


@cache
def _declared_columns() -> list[tuple[str, str, str]]:
    """As `schema.sql` declares them: (table, column, type)."""
    with closing(duckdb.connect()) as connection:
        connection.execute(read_sql("normalized", "schema"))
        return connection.execute(read_sql("normalized", "normalized_columns")).fetchall()
