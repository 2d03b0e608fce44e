"""A copy in which tests are run alone, beside all builds and readers.

    warehouse.duckdb ──copy, mask──▶ bi/.checks/leads.duckdb          what no mart is read for
    bi/.sources/leads.duckdb ──copy──▶ bi/.checks/leads.duckdb ◀──marts── bi/leads.duckdb
      what the last build read                                              what readers have

Its name is that of the published file, because DuckDB names the catalog after it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from lead_pipeline.bi.calendar import calendar_of
from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline.bi.dbt_project import DbtProject
from lead_pipeline.bi.masking import mask_of
from lead_pipeline.causes import cause_of
from lead_pipeline.errors import PublishError
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import attach, connect_utc
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.sql import read_sql


@contextmanager
def copy_to_check(
    settings: Settings, project: DbtProject, tell: Callable[[str], None], *, with_marts: bool
) -> Iterator[Path]:
    """The copy for tests of `project`, removed with its folder after the block; the caller holds its lock.

    Without marts it has the tables as they are loaded now; with them, those that readers have and
    what the last build had read, which may be older. Raises `PublishError` where there is nothing to
    copy yet, or the copy cannot be written.
    """
    copy = settings.checks_path
    # What a killed process has left.
    shutil.rmtree(copy.parent, ignore_errors=True)
    try:
        if with_marts:
            _copy_what_readers_have(copy, settings)
        else:
            with held(settings.warehouse_lock, "copying leads", tell):
                mask, calendar = mask_of(settings), calendar_of(settings)
                prepare_candidate(settings.warehouse_path, copy, mask, calendar, project)
        yield copy
    finally:
        shutil.rmtree(copy.parent, ignore_errors=True)


def _copy_what_readers_have(copy: Path, settings: Settings) -> None:
    if not settings.published_path.exists() or not settings.snapshot_path.exists():
        raise PublishError(
            f"There are no marts to check at {settings.published_path}. Publish first: "
            "lead-pipeline publish."
        )
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
            f"The marts cannot be copied to {copy}: {cause_of(error)}. Make room or "
            "fix what is named, then run the checks again."
        ) from None
