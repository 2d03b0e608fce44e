"""Whether a DuckDB file holds erased persons: builds that do are not given to readers again.

Belongs here: asking a file. Does not belong here: removing it (`lead_pipeline/erasure/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import duckdb

from lead_pipeline.landing.tombstones import Erased
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.sql import read_sql


def holds_erased(path: Path, erased: Mapping[str, Erased]) -> bool:
    """Whether some table has an erased lead in a column `lead_key`; so it is if nobody can tell."""
    if not erased:
        return False
    try:
        with closing(connect_utc(path, read_only=True)) as connection:
            tables = connection.execute(read_sql("bi", "tables_of_leads")).fetchall()
            return any(
                is_erased(lead_key, erased)
                for schema, table in tables
                for (lead_key,) in connection.execute(
                    f'select distinct lead_key from "{schema}"."{table}"'  # noqa: S608 - its own names
                ).fetchall()
            )
    except duckdb.Error:
        return True


def is_erased(lead_key: str | None, erased: Mapping[str, Erased]) -> bool:
    """Whether it is the key of an erased lead."""
    account, _, lead_id = str(lead_key).partition(":")
    return account in erased and erased[account].has(lead_id)
