"""Figures of the published file, for the demo's summary."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb

from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline.storage.sql import read_sql


def leads_by_stage(published: Path) -> tuple[list[str], list[list[object]]]:
    """The accounts, and one row per canonical stage: its name and the leads of each account."""
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        found = connection.execute(read_sql("report", "leads_by_stage")).fetchall()
    counts = {(account, stage): leads for account, stage, leads in found}
    accounts = sorted({account for account, _ in counts})
    rows: list[list[object]] = [
        [stage, *(counts.get((account, stage), 0) for account in accounts)]
        for stage in CANONICAL_STAGES
    ]
    totals = (
        sum(leads for (found, _), leads in counts.items() if found == account)
        for account in accounts
    )
    return accounts, [*rows, ["all stages", *totals]]


def published_tables(published: Path) -> list[list[object]]:
    """Schema and name of each published table with its rows."""
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        rows = connection.execute(read_sql("report", "published_tables")).fetchall()
    return [list(row) for row in rows]
