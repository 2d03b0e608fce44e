"""The figures of the report, read from the published file."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline.storage.sql import read_sql

DAYS = 90
"""How many days of new leads are shown."""
PATH = [stage.stage for stage in CANONICAL_STAGES.values() if stage.is_on_path]
"""Stages from a new lead to a won one, in their order."""
SOURCES = 6
"""How many sources have a colour of their own; the rest share one."""


@dataclass(frozen=True)
class Figures:
    """What the report shows. Times are UTC; lengths are days; shares are between 0 and 1."""

    headline: dict[str, Any]
    accounts: pd.DataFrame
    funnel: pd.DataFrame
    leads_per_day: pd.DataFrame
    velocity: pd.DataFrame
    stale: pd.DataFrame
    build: dict[str, Any]


def read_figures(published: Path) -> Figures:
    """All figures of one published file, from one connection, so of one build."""
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        connection.execute("set TimeZone = 'UTC'")

        def table(name: str, parameters: dict[str, Any] | None = None) -> pd.DataFrame:
            return _frame(connection.execute(read_sql("report", name), parameters))

        return Figures(
            headline=_record(table("headline")),
            accounts=table("accounts"),
            funnel=table("funnel", {"path": PATH}),
            leads_per_day=table("leads_per_day", {"days": DAYS, "sources": SOURCES}),
            velocity=table("velocity"),
            stale=table("stale"),
            build=_record(_frame(connection.execute("from meta.build"))),
        )


def _frame(result: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """The rows through Arrow: DuckDB's own conversion makes the newest pandas warn."""
    frame: pd.DataFrame = result.to_arrow_table().to_pandas(date_as_object=False)
    return frame


def _record(frame: pd.DataFrame) -> dict[str, Any]:
    """The only row of a table, with None for what is not there."""
    return {str(name): None if pd.isna(value) else value for name, value in frame.iloc[0].items()}
