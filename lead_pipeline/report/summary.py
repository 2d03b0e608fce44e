"""Figures of the published file, for the demo's summary."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd

from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES


def leads_by_stage(published: Path) -> tuple[list[str], list[list[object]]]:
    """The accounts, and one row per canonical stage: its name and the leads of each account."""
    with duckdb.connect(str(published), read_only=True) as connection:
        leads = connection.sql("select account, stage from normalized.leads").df()
    table = pd.crosstab(leads["stage"], leads["account"]).reindex(
        index=list(CANONICAL_STAGES), fill_value=0
    )
    table.loc["all stages"] = table.sum(axis="index")
    rows: list[list[object]] = [
        [stage, *(int(count) for count in counts)]
        for stage, counts in zip(table.index, table.to_numpy(), strict=True)
    ]
    return [str(account) for account in table.columns], rows


def published_tables(published: Path) -> list[list[object]]:
    """Schema and name of each published table with its rows."""
    with duckdb.connect(str(published), read_only=True) as connection:
        rows = connection.sql(
            "select schema_name || '.' || table_name, row_count from meta.tables order by all"
        ).fetchall()
    return [list(row) for row in rows]
