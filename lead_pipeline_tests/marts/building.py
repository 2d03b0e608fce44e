"""Building marts with real dbt, outside of Dagster."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import chdir, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from lead_pipeline.bi import dbt_project
from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline.bi.parsed_dbt import load_parsed
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


def run_dbt(target_path: Path, candidate: Path, *arguments: str) -> None:
    """Run dbt in `candidate`, a `leads.duckdb`; fails the test with dbt's own words.

    In this process and on the parse that the pipeline keeps: starting and parsing take dbt longer
    than most of the builds.
    """
    said: list[str] = []
    runner = dbtRunner(load_parsed(), callbacks=[lambda event: said.append(str(event.info))])
    with _as_in_a_process_of_its_own(dbt_project.dbt_environment(target_path, candidate)):
        result = runner.invoke([*arguments, *dbt_project.CANDIDATE_TARGET, "--quiet"])
    assert result.success, "\n".join([*said, str(result.exception or "")])


@contextmanager
def _as_in_a_process_of_its_own(environment: dict[str, str]) -> Iterator[None]:
    """dbt's environment and folder; its connection is closed at the end, its warnings are its own."""
    with (
        patch.dict(os.environ, environment, clear=True),
        chdir(dbt_project.PROJECT_DIR),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            # Of the class, so it would live on, and keep the candidate open.
            connection: Any = DuckDBConnectionManager._ENV
            if connection is not None:
                connection.close()
                DuckDBConnectionManager._ENV = None


def rows_of(path: Path, table: str) -> list[dict[str, Any]]:
    """All rows of a table; times in UTC, nulls as None."""
    with closing(connect_utc(path, read_only=True)) as connection:
        result = connection.execute(f"from {table}")
        columns = [column[0] for column in result.description or []]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
