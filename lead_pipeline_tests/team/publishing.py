"""Publications of small builds by processes that may be killed, and what readers find in them.

    python -m lead_pipeline_tests.team.publishing HOME URL BUILD BEFORE ──▶ readers have BUILD

Each build says its name in every row of two tables, so that a mixed one shows. Here: builds and one
publication. Not here: when it is killed, who reads.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import duckdb

from lead_pipeline.storage.duckdb_files import connect_utc, remove_duckdb_file
from lead_pipeline.storage.files import sync
from lead_pipeline.storage.publication import PAGES, publication_at, use_publication
from lead_pipeline.storage.team.objects import open_store
from lead_pipeline.storage.team.publication import TeamPublication

ROWS = 20_000
"""So many that the file is read in several requests."""


def published_of(home: Path, url: str) -> Path:
    """The published file of a home, which is a copy of what readers of the store have."""
    published = home / "bi" / "leads.duckdb"
    use_publication(published, TeamPublication(published, open_store(url)))
    return published


def make_build(path: Path, stamp: str, rows: int = ROWS) -> None:
    """A closed file, on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_duckdb_file(path)
    with closing(connect_utc(path)) as connection:
        for table in ("one", "two"):
            connection.execute(
                f"create table {table} as select $stamp as stamp, md5(range::varchar) as noise "  # noqa: S608 - a name of ours
                "from range($rows)",
                {"stamp": stamp, "rows": rows},
            )
    sync(path)


def publish(home: Path, url: str, build: str, before: str | None, *, rows: int = 10) -> None:
    """Give readers a build that says its name everywhere, as `bi/publish.py` does."""
    published = published_of(home, url)
    publication = publication_at(published)
    publication.refresh(with_retained=True)
    finished = home / "bi" / ".candidate" / "finished.duckdb"
    make_build(finished, build, rows)
    publication.publish(finished, build, before, keep=True)
    for page in PAGES:
        path = home / "bi" / page
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<p>{build}</p>")
        publication.show_page(page)


def stamp_of(connection: duckdb.DuckDBPyConnection, catalog: str) -> str:
    """Of which build the rows of an attached file are; several names: a mixed one."""
    rows = f"select stamp from {catalog}.one union all select stamp from {catalog}.two"  # noqa: S608
    stamps = f"select string_agg(distinct stamp, ',') from ({rows})"  # noqa: S608
    (found,) = connection.execute(stamps).fetchone() or ("",)
    return str(found)


def stamp_in(path: Path) -> str:
    """The same of a file, opened read-only."""
    with closing(connect_utc(path, read_only=True)) as connection:
        return stamp_of(connection, path.stem)


if __name__ == "__main__":
    publish(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] or None)
