"""Putting a tested candidate before the readers, in one step that cannot be seen half done.

    bi/.candidate/leads.duckdb ──check, trim, describe──▶ copy ──fsync, rename──▶ bi/leads.duckdb
      normalized, marts, staging…                                       normalized, marts, meta

What is removed from a DuckDB file stays in its free blocks, for whoever reads its bytes. So readers
get a copy in a new file, from which nothing was ever removed.

The published file is never opened for writing. A reader that holds the old file keeps it
until it closes it: the rename takes only the name away.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb

from lead_pipeline.bi.builds import Build, read_build
from lead_pipeline.bi.candidate import (
    STORAGE_VERSION,
    discard_candidate,
    finished_path,
    forget_tested,
    row_counts,
    tested_by,
)
from lead_pipeline.bi.deprecations import announce
from lead_pipeline.bi.gate import PublishRules, check_candidate
from lead_pipeline.bi.retained_builds import build_name, may_be_kept, name_of, prune
from lead_pipeline.errors import PublishError
from lead_pipeline.landing.coverage import AccountCoverage
from lead_pipeline.logs import log_of
from lead_pipeline.storage.disks import reason_of
from lead_pipeline.storage.duckdb_files import attach, connect_utc, remove_duckdb_file, wal_of
from lead_pipeline.storage.files import sync
from lead_pipeline.storage.permissions import FILE_MODE, FOLDER_MODE, shown_to
from lead_pipeline.storage.publication import publication_at
from lead_pipeline.storage.sql import read_sql

_logger = logging.getLogger(__name__)
_log = log_of(__name__)


@dataclass(frozen=True)
class Publication:
    """What readers have been given."""

    path: Path
    size_bytes: int
    published_at: datetime
    row_counts: Mapping[str, int]
    """Rows by `schema.table`."""
    coverage: Sequence[AccountCoverage]
    is_of_another: bool = field(default=False, compare=False)
    """Whether another run has given it to readers, which made or took the build of this one."""


def publish(
    candidate: Path,
    published: Path,
    *,
    run_id: str,
    rules: PublishRules | None = None,
    tell: Callable[[str], None] = _logger.info,
    published_at: datetime | None = None,
) -> Publication:
    """Finish the file at `candidate` and put a copy at `published`, replacing the file there.

    The candidate is used up by it, and the file that was there is kept for a rollback. The copy
    takes room on the disk beside both. The caller holds the publish lock. Both paths lie on one
    file system. `published_at` is now, unless somebody knows better. When anything fails, the published file stays as it is; raises
    `PublishError` when the candidate is missing, untested or incomplete, would take too many leads
    away from readers, or the disk refuses it.
    """
    rules = rules or PublishRules()
    publication_at(published).refresh(with_retained=True)
    if not candidate.exists():
        if publication := _published_by_another(published, tested_by(candidate, run_id)):
            forget_tested(candidate, run_id)
            return publication
        raise PublishError(
            f"There is no build at {candidate} to publish. Run the dbt models together with "
            "bi/published: a build is used up by publishing it."
        )
    published_at = published_at or datetime.now(UTC)
    before = read_build(published)
    if before is None and published.exists():
        tell(
            f"{published} is open for writing elsewhere, or damaged: the new build cannot be "
            "compared with it, and it cannot be kept."
        )
    finished = finished_path(candidate)
    try:
        with closing(connect_utc(candidate)) as connection:
            made_at = None if before is None else _tested_at(connection)
            newer = _published_by_another(published, made_at, only_later=True)
            if newer is None:
                check_candidate(connection, candidate, published, before, rules)
                row_counts, coverage = _finish(connection, published_at, run_id)
                _copy(connection, candidate, finished)
        if newer is not None:
            tell("Another machine has published a build that was made later: this one is given up.")
            discard_candidate(candidate)
            forget_tested(candidate, run_id)
            return newer
        _replace(finished, published, build_name(published_at, run_id), before, rules)
        discard_candidate(candidate)
        forget_tested(candidate, run_id)
        prune(published, rules.retained_builds, rules.masking_key_id, tell)
    except duckdb.Error as error:
        raise PublishError(
            f"The build at {candidate} cannot be finished: {reason_of(error, candidate)}. "
            "Readers keep the last file. Make room or fix what is named, then: lead-pipeline "
            "publish."
        ) from None
    except OSError as error:
        raise PublishError(
            f"The build at {candidate} cannot be put in place: {reason_of(error, published)}. Readers "
            "keep the last file. Make room or fix the folder, then: lead-pipeline publish."
        ) from None
    finally:
        # Half a copy would take the room that the next one needs.
        remove_duckdb_file(finished)
    _log.info("published", run=run_id, leads=row_counts["normalized.leads"], path=published)
    return Publication(published, published.stat().st_size, published_at, row_counts, coverage)


def _published_by_another(
    published: Path, tested_at: datetime | None, *, only_later: bool = False
) -> Publication | None:
    """What readers have, if it is the build that this run had tested at `tested_at`, or a newer one.

    Of several runs at once, the first to publish takes the newest build, which can be another's; of
    several machines, each publishes its own. A build is made and tested under one lock, so one that
    was tested later has also read later. With `only_later`, the run's own build does not count.
    """
    if tested_at is None or not published.exists():
        return None
    with closing(connect_utc(published, read_only=True)) as connection:
        build = connection.execute("select tested_at from meta.build").fetchone()
        if build is None or build[0] < tested_at or (only_later and build[0] == tested_at):
            return None
        row = connection.execute("select max(published_at) from meta.publish").fetchone()
        published_at = row[0] if row and row[0] else datetime.now(UTC)
        return Publication(
            published,
            published.stat().st_size,
            published_at,
            row_counts(connection),
            _coverage(connection),
            is_of_another=True,
        )


def _coverage(connection: duckdb.DuckDBPyConnection) -> list[AccountCoverage]:
    columns = "account, provider, complete_from, complete_through, note"
    rows = connection.table("meta.publish").project(columns).order("account").fetchall()
    return [AccountCoverage(*row) for row in rows]


def _tested_at(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """When the candidate had passed its tests; None where it has not."""
    [(is_tested,)] = connection.execute(
        "select count(*) > 0 from duckdb_tables() where schema_name = 'meta' and table_name = 'build'"
    ).fetchall()
    row = (
        connection.execute("select max(tested_at) from meta.build").fetchone() if is_tested else ()
    )
    return row[0] if row else None


def _finish(
    connection: duckdb.DuckDBPyConnection, published_at: datetime, run_id: str
) -> tuple[dict[str, int], list[AccountCoverage]]:
    """Leave in the candidate what readers get, and describe it."""
    for (statement,) in connection.execute(read_sql("bi", "drop_statements")).fetchall():
        connection.execute(statement)
    return _describe(connection, published_at, run_id), _coverage(connection)


def _describe(
    connection: duckdb.DuckDBPyConnection, published_at: datetime, run_id: str
) -> dict[str, int]:
    """Write `meta.publish`, `meta.deprecations` and `meta.tables`; the rows of each table are returned."""
    connection.execute(read_sql("bi", "meta"))
    connection.execute(
        read_sql("bi", "insert_publish"),
        {
            "published_at": published_at,
            "run_id": run_id,
            "lead_pipeline_version": version("lead-pipeline"),
        },
    )
    announce(connection)
    counts = row_counts(connection)
    counts["meta.tables"] = len(counts)
    connection.executemany(
        read_sql("bi", "insert_tables"),
        [{"name": name, "row_count": rows} for name, rows in counts.items()],
    )
    return counts


def _copy(connection: duckdb.DuckDBPyConnection, candidate: Path, finished: Path) -> None:
    """Copy all that the trimmed candidate still holds into a new file, and close that file."""
    remove_duckdb_file(finished)
    attach(connection, finished, "finished", options=f"storage_version '{STORAGE_VERSION}'")
    connection.execute(f'copy from database "{candidate.stem}" to finished')
    # Where the disk is full by now, this says so; closing the file would not.
    connection.execute("checkpoint finished")
    connection.execute("detach finished")


def _replace(
    finished: Path, published: Path, build: str, before: Build | None, rules: PublishRules
) -> None:
    """Put the finished file before readers as `build`."""
    if wal_of(finished).exists():
        raise PublishError(
            f"{wal_of(finished)} is left although the file was closed: another program has "
            "it open. Close that program and run the dbt models again."
        )
    published.parent.mkdir(parents=True, exist_ok=True)
    sync(finished)
    # Nobody may write to the published file; if someone did, DuckDB would apply what is left
    # of it to the new file.
    wal_of(published).unlink(missing_ok=True)
    shown_to(rules.readers, published.parent, FOLDER_MODE)
    # Before the rename: nobody meets a file that he may not have, or may not read yet.
    shown_to(rules.readers, finished, FILE_MODE)
    is_kept = may_be_kept(before, rules.masking_key_id)
    publication = publication_at(published)
    publication.publish(
        finished,
        build,
        None if before is None else name_of(before),
        keep=is_kept and rules.retained_builds > 0,
    )
    if before is not None and not is_kept:
        # Masked otherwise: nobody may have it any longer.
        publication.remove_unretained()
