"""What a finished BI file says of itself: which run made it, when, with how many leads."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from lead_pipeline.bi.masking import follows_present_rules
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.sql import read_sql

LEAD_TABLES = ("normalized.leads", "marts.lead_facts")
"""The tables with one row per lead."""
_EARLIER_NAME = "marts.leads"
"""What the second was in files of earlier versions."""


@dataclass(frozen=True)
class Build:
    """A file that is or was published."""

    path: Path
    run_id: str
    published_at: datetime
    leads: Mapping[tuple[str, str], int]
    """Leads by table of `LEAD_TABLES` and account."""
    missing: Mapping[str, int]
    """Leads that their provider no longer shows, by account."""
    masking_key_id: str | None
    """Which key the personal data is masked with; None: it is as served."""
    follows_present_rules: bool
    """Whether it is as served, or masked by the rules of now; otherwise it may tell more than it
    should of who the leads are."""

    def is_masked_as(self, masking_key_id: str | None) -> bool:
        """Whether readers who may have builds of that key (None: plain ones) may have this one."""
        return self.masking_key_id == masking_key_id and self.follows_present_rules

    @property
    def lead_count(self) -> int:
        """Leads of all accounts."""
        return sum(n for (table, _), n in self.leads.items() if table == LEAD_TABLES[0])


def read_build(path: Path) -> Build | None:
    """The build at `path`; None when there is none, or it cannot be read.

    A file that another program has open for writing cannot be read either.
    """
    if not path.exists():
        return None
    try:
        with closing(connect_utc(path, read_only=True)) as connection:
            # A file without any account has no row in `meta.publish`.
            facts = _first_row(connection, "from meta.publish") or _first_row(
                connection, "select run_id, tested_at as published_at from meta.build"
            )
            if facts is None:
                return None
            # A file of an earlier version does not have the column, and is not masked.
            masking_key_id = facts.get("masking_key_id")
            return Build(
                path,
                run_id=facts["run_id"],
                published_at=facts["published_at"],
                leads=leads_by_account(connection),
                missing=missing_by_account(connection),
                masking_key_id=masking_key_id,
                follows_present_rules=masking_key_id is None or follows_present_rules(connection),
            )
    except duckdb.Error:
        return None


def leads_by_account(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Leads by table of `LEAD_TABLES` and account."""
    statement = read_sql("bi", "leads_by_account")
    [(is_earlier,)] = connection.execute(
        "select count(*) = 0 from duckdb_tables() where schema_name = 'marts'"
        " and table_name = 'lead_facts'"
    ).fetchall()
    if is_earlier:
        statement = statement.replace(f"from {LEAD_TABLES[1]}", f"from {_EARLIER_NAME}")
    rows = connection.execute(statement).fetchall()
    return {(table, account): leads for table, account, leads in rows}


def missing_by_account(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Leads that their provider no longer shows, by account; 0 where it shows all."""
    return dict(connection.execute(read_sql("bi", "missing_by_account")).fetchall())


def _first_row(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any] | None:
    found = connection.execute(query)
    names = [column[0] for column in found.description or ()]
    row = found.fetchone()
    return None if row is None else dict(zip(names, row, strict=True))
