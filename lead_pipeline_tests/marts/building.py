"""Building marts with real dbt, outside of Dagster."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline.bi.dbt_project import DbtProject
from lead_pipeline.bi.parsed_dbt import run_dbt as run_parsed
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.world import World


@dataclass(frozen=True)
class BuiltWorld:
    """An invented world, and a candidate in which all tests of its marts have passed."""

    world: World
    candidate: Path


def invent_world() -> World:
    """The world whose marts are compared with a second computation."""
    return World.invent(leads=500, days=60, seed=20260101)


def build_world(folder: Path) -> None:
    """Build the marts of that world in `folder`; data tests and unit tests included."""
    path = folder / "leads.duckdb"
    prepare_candidate(invent_world().write_warehouse(folder / "warehouse.duckdb"), path)
    run_dbt(folder / "target", path, "build")


def run_dbt(
    target_path: Path, candidate: Path, *arguments: str, project: DbtProject | None = None
) -> None:
    """Run dbt of `project` (ours) in `candidate`, a `leads.duckdb`; fails the test with dbt's own words.

    As the pipeline does.
    """
    ran = run_parsed(arguments, target_path, candidate, project=project)
    assert ran.succeeded, "\n".join(message["info"]["msg"] for message in ran.messages)


def rows_of(path: Path, table: str) -> list[dict[str, Any]]:
    """All rows of a table; times in UTC, nulls as None."""
    with closing(connect_utc(path, read_only=True)) as connection:
        result = connection.execute(f"from {table}")
        columns = [column[0] for column in result.description or []]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
