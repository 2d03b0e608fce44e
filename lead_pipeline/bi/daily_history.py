"""What `marts.lead_daily_history` need not compute again: the days that readers have already.

    bi/leads.duckdb ──copy──▶ bi/.candidate/leads.duckdb ──dbt rewrites what changed──▶ …

Which leads have changed since, the model's own SQL finds by a digest per lead.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from lead_pipeline.bi.masking import follows_present_rules, masking_key_id_in
from lead_pipeline.storage.duckdb_files import attach, connect_utc, spill_beside
from lead_pipeline.storage.sql import read_sql

SEEDED_MODELS = ("lead_daily_history", "lead_history_digests")
"""The days, and the digests of the histories that they were computed from."""


def seed_daily_history(published: Path, candidate: Path, manifest: Mapping[str, Any]) -> bool:
    """Copy the published `SEEDED_MODELS` into `candidate`; whether it could be done.

    It cannot when there is no published file, one that cannot be read, one that is masked
    otherwise than the candidate, or one whose tables do not have exactly the columns of the
    manifest; dbt then computes every day.
    """
    if not published.exists():
        return False
    with closing(connect_utc(":memory:")) as connection:
        spill_beside(connection, candidate)
        try:
            attach(connection, published, "published", options="read_only")
            connection.execute("use published")
            published_key_id = masking_key_id_in(connection)
            if not follows_present_rules(connection):
                return False
        except duckdb.Error:
            return False
        found = connection.execute(
            read_sql("bi", "published_columns"), {"tables": list(SEEDED_MODELS)}
        ).fetchall()
        if sorted(found) != sorted(_promised_columns(manifest)):
            return False
        attach(connection, candidate, "candidate")
        connection.execute("use candidate")
        if masking_key_id_in(connection) != published_key_id:
            return False
        for (statement,) in connection.execute(
            read_sql("bi", "seed_statements"), {"tables": list(SEEDED_MODELS)}
        ).fetchall():
            connection.execute(statement)
    return True


def _promised_columns(manifest: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Schema, table, column and type, as the contracts in the models' YAML have them."""
    return [
        (node["schema"], node["name"], column["name"], column["data_type"].upper())
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"] in SEEDED_MODELS
        for column in node["columns"].values()
    ]
