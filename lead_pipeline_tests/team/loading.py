"""Loads of a team's tables by processes that are killed: what they do, in the simplest form.

    python -m lead_pipeline_tests.team.loading HOME URL ROWS ──▶ the tables hold ROWS rows

Here: one load. Not here: when it is killed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lead_pipeline.storage.team.objects import open_store
from lead_pipeline.storage.team.warehouse import TeamWarehouse
from lead_pipeline.storage.warehouse import open_warehouse, read_warehouse, use_warehouse

LIMIT = "100MB"


def file_of(home: Path, url: str) -> Path:
    """The tables of a home, whose file is a copy of those of the store."""
    path = home / "warehouse.duckdb"
    use_warehouse(path, TeamWarehouse(path, open_store(url)))
    return path


def load(home: Path, url: str, rows: int) -> None:
    """Bring the tables up to so many rows, as a load does: what is there already stays."""
    path = file_of(home, url)
    with TeamWarehouse(path, open_store(url)).changing():
        write(path, rows)


def write(path: Path, rows: int) -> None:
    """The same in the file, which is checked out."""
    with open_warehouse(path, LIMIT) as connection:
        connection.execute("create table if not exists loaded (n integer)")
        connection.execute(
            "insert into loaded select range from range($rows) "
            "where range not in (select n from loaded)",
            {"rows": rows},
        )


def rows(home: Path, url: str) -> int:
    """How many rows whoever reads in that home finds."""
    with read_warehouse(file_of(home, url)) as connection:
        (found,) = connection.execute("select count(*) from loaded").fetchone() or (0,)
        return int(found)


if __name__ == "__main__":
    load(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
