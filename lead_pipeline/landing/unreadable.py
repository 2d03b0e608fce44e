"""Which landed file it was that could not be read, in words that hold nothing of what is in it.

    DuckDB: Invalid string encoding … value "{whole payload}"
      ──▶ landing/…/date=…/….parquet cannot be read (InvalidInputException: …)

Belongs here: naming the file of a read that has failed. Does not belong here: whether a file is what
its crawl has written, which its digest says.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

import duckdb

from lead_pipeline.causes import cause_of
from lead_pipeline.errors import LoadError
from lead_pipeline.landing.digests import REMEDY

READING_FAILED = (duckdb.Error, UnicodeDecodeError)
"""What a read of DuckDB raises. It cuts its messages off, also within a letter, of which Python
complains in its place."""


def unreadable(error: BaseException, paths: Iterable[str]) -> LoadError:
    """What to raise when reading the landed files at `paths` has failed with `error`."""
    for path in paths:
        try:
            with closing(duckdb.connect()) as connection:
                connection.execute(
                    "select max(hash(files)) from read_parquet($path, hive_partitioning = false)"
                    " as files",
                    {"path": path},
                ).fetchall()
        except READING_FAILED as found:
            return LoadError(f"{path} cannot be read ({cause_of(found)}). {REMEDY}")
    return LoadError(f"Landed files cannot be read ({cause_of(error)}). {REMEDY}")
