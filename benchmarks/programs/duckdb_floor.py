"""The least that tables from landed files take: DuckDB reads them and extracts the same fields, once.

    python -m benchmarks.programs.duckdb_floor LANDING TABLES

No history, no normalized phones, no checks: a table of versions and one of the newest of each lead.
The last line tells how many leads there are.
"""

from __future__ import annotations

import sys
from importlib.resources import files

import duckdb
import msgspec

NEWEST = """
create table leads as
select * from versions qualify row_number() over (partition by record_id order by updated_at desc) = 1
"""


def main() -> None:
    """Make the tables and tell."""
    landing, tables = sys.argv[1:]
    fields = files("lead_pipeline.providers").joinpath("mega", "leads.sql").read_text("utf-8")
    with duckdb.connect(tables) as connection:
        # Views take no parameters; the path is our own.
        connection.execute(
            f"create view landed as from read_parquet('{landing}/mega/leads/*/*.parquet', hive_partitioning = false)"
        )
        connection.execute(f"create table versions as {fields}")
        connection.execute(NEWEST)
        rows = connection.execute("select count(*) from leads").fetchall()[0][0]
    print(msgspec.json.encode({"rows": rows}).decode())


if __name__ == "__main__":
    main()
