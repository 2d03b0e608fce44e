"""Add what the contracts of the marts promise to dbt_project/promised_columns.csv; nothing is taken away.

A row that no contract keeps fails `lead_pipeline_tests/marts/test_promised_columns.py`: announce it in
lead_pipeline/bi/deprecations.csv for one minor version, or, if no release has had it, remove the row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from lead_pipeline.bi.dbt_project import load_manifest
from lead_pipeline.settings import DBT_PROJECT_DIR

PAGE = DBT_PROJECT_DIR / "promised_columns.csv"
ANNOUNCED = Path(__file__).parents[1] / "lead_pipeline" / "bi" / "deprecations.csv"


class Promise(NamedTuple):
    """A column of a published mart that readers can rely on."""

    table_name: str
    column_name: str
    data_type: str
    since: str
    """The version of lead-pipeline that brought it."""


def promises() -> list[Promise]:
    """Those that are made."""
    return [Promise(**row) for row in csv.DictReader(PAGE.read_text("utf-8").splitlines())]


def announced() -> list[dict[str, str]]:
    """What a version to come will no longer have."""
    if not ANNOUNCED.exists():
        return []
    return list(csv.DictReader(ANNOUNCED.read_text("utf-8").splitlines()))


def kept(manifest: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """The types of the columns that the marts' contracts enforce, by table and column."""
    return {
        (node["name"], name): _type(column["data_type"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
        for name, column in node["columns"].items()
    }


def broken(
    made: Sequence[Promise],
    keeps: Mapping[tuple[str, str], str],
    gone: Sequence[Mapping[str, str]],
    now: str,
) -> list[str]:
    """The promises that version `now` breaks, one sentence each.

    A column can go in a later minor version than the one that announced it, and change its type never.
    """
    found = []
    for promise in made:
        keeps_type = keeps.get((promise.table_name, promise.column_name))
        if keeps_type == promise.data_type:
            continue
        name = f"{promise.table_name}.{promise.column_name}"
        if keeps_type is not None:
            found.append(f"{name} was {promise.data_type} and is {keeps_type}")
        elif not any(_allows(row, promise, now) for row in gone):
            found.append(f"{name} is gone and no version before {now} has announced it")
    return found


def _allows(row: Mapping[str, str], promise: Promise, now: str) -> bool:
    return (
        row["schema_name"] == "marts"
        and row["table_name"] == promise.table_name
        and row["column_name"] in ("", promise.column_name)
        and _minor(row["deprecated_in"]) < _minor(row["removed_in"]) <= _minor(now)
    )


def _minor(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", release)[:2])


def _type(data_type: str) -> str:
    """The type as DuckDB calls it, so that two names of one are no change."""
    row = duckdb.execute(f"select typeof(cast(null as {data_type}))").fetchone()
    return str(row[0]) if row else data_type


def render(manifest: Mapping[str, Any]) -> str:
    """The file as it should be."""
    made = {(p.table_name, p.column_name): p for p in (promises() if PAGE.exists() else [])}
    for (table, column), data_type in kept(manifest).items():
        made.setdefault(
            (table, column), Promise(table, column, data_type, version("lead-pipeline"))
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([Promise._fields, *sorted(made.values())])
    return text.getvalue()


if __name__ == "__main__":
    PAGE.write_text(render(load_manifest()), "utf-8")
