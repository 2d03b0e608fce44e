"""What the columns mean: from one place, for DuckDB's comments and Dagster's column schema.

dbt_project/models/**/*.md ──┬──▶ descriptions of dbt's sources and marts ({{ doc('…') }})
                             ├──▶ comments in warehouse.duckdb
                             └──▶ column schema of the assets `normalized/*`
"""

from __future__ import annotations

import re
from contextlib import closing
from functools import cache

import duckdb

from lead_pipeline.errors import LoadError
from lead_pipeline.normalized.session import Session
from lead_pipeline.settings import DBT_PROJECT_DIR

MODELS_PATH = DBT_PROJECT_DIR / "models"
_BLOCK = re.compile(r"{%\s*docs\s+(\w+)\s*%}(.*?){%\s*enddocs\s*%}", re.DOTALL)


@cache
def docs_blocks() -> dict[str, str]:
    """The text of each docs block of the dbt project by its name, on one line."""
    return {
        name: " ".join(text.split())
        for path in sorted(MODELS_PATH.rglob("*.md"))
        for name, text in _BLOCK.findall(path.read_text("utf-8"))
    }


def description_of(table: str, column: str) -> str:
    """What the column means: the block `<table>__<column>`, else `<column>`.

    Raises `LoadError` when neither is there.
    """
    blocks = docs_blocks()
    text = blocks.get(f"{table}__{column}") or blocks.get(column)
    if text is None:
        raise LoadError(
            f"No docs block below {MODELS_PATH} describes column {column} of normalized.{table}. "
            "Write one: {% docs " + column + " %}…{% enddocs %}."
        )
    return text


def describe_tables(session: Session) -> None:
    """Comment every column of schema `normalized`."""
    for table, column, _ in session.query("normalized_columns"):
        text = description_of(table, column).replace("'", "''")
        session.execute(f"comment on column normalized.{table}.{column} is '{text}'")


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
        session = Session(connection)
        session.run("schema")
        return session.query("normalized_columns")
