"""Which leads a failed dbt test is about.

    the test's own statement, read again in the candidate ──▶ a few keys of leads

dbt tells how many rows a test has returned, and of which test. Belongs here: the keys of those rows.
Does not belong here: their other values, which can be anybody's data.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb

from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.sql import read_sql

KEY = "lead_key"
MOST = 3
"""So many are named."""


def failing_leads(candidate: Path, statement: str) -> tuple[str, ...]:
    """Keys of leads in what `statement` returns in the file `candidate`, which nobody has open.

    Empty where its rows are not about single leads, or cannot be read again.
    """
    query = read_sql("bi", "failing_leads").replace("failing_rows", f"(\n{statement}\n)")
    try:
        with closing(connect_utc(candidate, read_only=True)) as connection:
            columns = {column[0] for column in connection.execute(statement).description}
            if KEY not in columns:
                return ()
            return tuple(key for (key,) in connection.execute(query, [MOST]).fetchall())
    except duckdb.Error:
        # dbt has said what is wrong; this only adds to it.
        return ()
