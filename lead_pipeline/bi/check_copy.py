"""A copy in which tests of the marts are run alone, beside all builds and readers.

    bi/.sources/leads.duckdb ──copy──▶ bi/.checks/leads.duckdb ◀──marts── bi/leads.duckdb
      what the last build read                                              what readers have

Its name is that of the published file, because DuckDB names the catalog after it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from lead_pipeline.errors import PublishError
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import attach, connect_utc
from lead_pipeline.storage.sql import read_sql


@contextmanager
def copy_to_check(settings: Settings) -> Iterator[Path]:
    """The copy, which is removed with its folder after the block; the caller holds its lock.

    Raises `PublishError` where nothing has been published yet, or the copy cannot be written.
    """
    if not settings.published_path.exists() or not settings.snapshot_path.exists():
        raise PublishError(
            f"There are no marts to check at {settings.published_path}. Publish first: "
            "lead-pipeline publish."
        )
    copy = settings.checks_path
    # What a killed process has left.
    shutil.rmtree(copy.parent, ignore_errors=True)
    try:
        _make(copy, settings)
        yield copy
    finally:
        shutil.rmtree(copy.parent, ignore_errors=True)


def _make(copy: Path, settings: Settings) -> None:
    try:
        copy.parent.mkdir(parents=True)
        shutil.copyfile(settings.snapshot_path, copy)
        with closing(connect_utc(copy)) as connection:
            attach(connection, settings.published_path, "published", options="read_only")
            statements = connection.execute(read_sql("bi", "copy_marts_statements")).fetchall()
            connection.execute("create schema marts")
            for (statement,) in statements:
                connection.execute(statement)
    except (duckdb.Error, OSError) as error:
        # Only the first line of DuckDB's message: the next can hold values.
        raise PublishError(
            f"The marts cannot be copied to {copy}: {str(error).partition(chr(10))[0]}. Make room or "
            "fix what is named, then run the checks again."
        ) from error
