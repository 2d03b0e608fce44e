"""Building marts with real dbt, outside of Dagster."""

from __future__ import annotations

import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lead_pipeline.bi import dbt_project
from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.world import World


@dataclass(frozen=True)
class BuiltWorld:
    """An invented world, and a candidate in which all tests of its marts have passed."""

    world: World
    candidate: Path


def build_world(folder: Path) -> BuiltWorld:
    """Invent a world and build its marts; data tests and unit tests included."""
    world = World.invent(leads=500, days=60, seed=20260101)
    path = folder / "leads.duckdb"
    prepare_candidate(world.write_warehouse(folder / "warehouse.duckdb"), path)
    run_dbt(folder / "target", path, "build")
    return BuiltWorld(world, path)


def run_dbt(target_path: Path, candidate: Path, *arguments: str) -> None:
    """Run dbt in `candidate` as the pipeline does; fails the test with dbt's own words."""
    result = subprocess.run(  # noqa: S603
        dbt_project.dbt_command(*arguments),
        env=dbt_project.dbt_environment(target_path, candidate),
        cwd=dbt_project.PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def rows_of(path: Path, table: str) -> list[dict[str, Any]]:
    """All rows of a table; times in UTC, nulls as None."""
    with closing(connect_utc(path, read_only=True)) as connection:
        result = connection.execute(f"from {table}")
        columns = [column[0] for column in result.description or []]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
