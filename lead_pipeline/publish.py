"""Putting a tested candidate before the readers, in one step that cannot be seen half done.

    bi/.candidate/leads.duckdb ──check, trim, describe──▶ fsync ──rename──▶ bi/leads.duckdb
      normalized, marts, staging…                                            normalized, marts, meta

Belongs here: what must hold before readers get a file, schema `meta`, and the swap. Does not
belong here: making the candidate (`lead_pipeline.candidate`) and its marts
(`lead_pipeline.marts`).

The published file is never opened for writing. A reader that holds the old file keeps it
until it closes it: the rename takes only the name away.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    asset,
)

from lead_pipeline.candidate import connect_utc, row_counts, wal_of
from lead_pipeline.durable import replace_durably
from lead_pipeline.errors import PublishError
from lead_pipeline.landing.coverage import AccountCoverage
from lead_pipeline.locks import held
from lead_pipeline.settings import load_settings
from lead_pipeline.sql import read_sql

REQUIRED_TABLES = (
    "normalized.leads",
    "normalized.lead_stage_history",
    "marts.leads",
    "marts.stage_funnel_daily",
    "meta.build",
    "meta.coverage",
)
"""What a file must hold to be worth publishing. `meta.build` says that its tests passed."""


POOL = "bi"
"""Pool of everything that works on the candidate file."""


@dataclass(frozen=True)
class Publication:
    """What readers have been given."""

    path: Path
    size_bytes: int
    published_at: datetime
    row_counts: Mapping[str, int]
    """Rows by `schema.table`."""
    coverage: Sequence[AccountCoverage]


def publish(candidate: Path, published: Path, *, run_id: str) -> Publication:
    """Finish the file at `candidate` and move it to `published`, replacing the one there.

    The caller holds the publish lock. Both paths lie on one file system. When anything fails,
    the published file stays as it is; raises `PublishError` when the candidate is missing,
    untested or incomplete, or would take all leads away from readers.
    """
    if not candidate.exists():
        if publication := _published_by_another(published, run_id):
            return publication
        raise PublishError(
            f"There is no build at {candidate} to publish. Run the dbt models together with "
            "bi/published: a build is used up by publishing it."
        )
    published_at = datetime.now(UTC)
    try:
        with closing(connect_utc(candidate)) as connection:
            _check(connection, candidate, published)
            for (statement,) in connection.execute(read_sql("bi", "drop_statements")).fetchall():
                connection.execute(statement)
            row_counts = _describe(connection, published_at, run_id)
            coverage = _coverage(connection)
            connection.execute("checkpoint")
    except duckdb.Error as error:
        raise PublishError(
            f"The build at {candidate} cannot be finished: {error}. Run the dbt models again."
        ) from error
    _replace(candidate, published)
    return Publication(published, published.stat().st_size, published_at, row_counts, coverage)


def build_published_asset(models: Iterable[AssetKey]) -> AssetsDefinition:
    """The asset `bi/published`, after all of the dbt `models`."""

    @asset(
        key=["bi", "published"],
        group_name="bi",
        deps=list(models),
        pool=POOL,
        kinds={"duckdb"},
        description="The DuckDB file that BI tools open, replaced as a whole by each run.",
    )
    def published(context: AssetExecutionContext) -> MaterializeResult[None]:
        settings = load_settings()
        with held(settings.publish_lock, "publishing", context.log.info):
            publication = publish(
                settings.candidate_path, settings.published_path, run_id=context.run.run_id
            )
        return MaterializeResult(metadata=_metadata(publication))

    return published


def _published_by_another(published: Path, run_id: str) -> Publication | None:
    """What readers have, if it is the build of this very run.

    Of two runs at once, the first to publish takes the newest build, which can be the other's.
    """
    if not published.exists():
        return None
    with closing(connect_utc(published, read_only=True)) as connection:
        if connection.execute("select run_id from meta.build").fetchall() != [(run_id,)]:
            return None
        row = connection.execute("select max(published_at) from meta.publish").fetchone()
        published_at = row[0] if row and row[0] else datetime.now(UTC)
        return Publication(
            published,
            published.stat().st_size,
            published_at,
            row_counts(connection),
            _coverage(connection),
        )


def _coverage(connection: duckdb.DuckDBPyConnection) -> list[AccountCoverage]:
    columns = "account, provider, complete_from, complete_through, note"
    rows = connection.table("meta.publish").project(columns).order("account").fetchall()
    return [AccountCoverage(*row) for row in rows]


def _metadata(publication: Publication) -> dict[str, MetadataValue]:
    metadata: dict[str, MetadataValue] = {
        "path": MetadataValue.path(publication.path),
        "bytes": MetadataValue.int(publication.size_bytes),
        "published_at": MetadataValue.timestamp(publication.published_at),
    }
    for table, rows in publication.row_counts.items():
        metadata[f"rows/{table}"] = MetadataValue.int(rows)
    for account in publication.coverage:
        if account.complete_through is not None:
            metadata[f"complete_through/{account.account}"] = MetadataValue.timestamp(
                account.complete_through
            )
    return metadata


def _check(connection: duckdb.DuckDBPyConnection, candidate: Path, published: Path) -> None:
    """Raise `PublishError` unless readers may see the candidate."""
    found = row_counts(connection)
    if missing := [table for table in REQUIRED_TABLES if table not in found]:
        raise PublishError(
            f"The build at {candidate} lacks {', '.join(missing)}, so it is unfinished or failed "
            "its tests. Run the dbt models again and mend what they report."
        )
    if found["normalized.leads"] == 0 and published.exists():
        with closing(connect_utc(published, read_only=True)) as readers:
            kept = row_counts(readers).get("normalized.leads", 0)
        if kept:
            raise PublishError(
                f"The build at {candidate} has no leads, {published} has {kept:,}. It stays. "
                "Look for the loss with lead-pipeline status, or build the warehouse again with "
                "lead-pipeline rebuild; if all leads are meant to go, remove the published file."
            )


def _describe(
    connection: duckdb.DuckDBPyConnection, published_at: datetime, run_id: str
) -> dict[str, int]:
    """Write `meta.publish` and `meta.tables`; the rows of each table are returned."""
    connection.execute(read_sql("bi", "meta"))
    connection.execute(
        read_sql("bi", "insert_publish"),
        {
            "published_at": published_at,
            "run_id": run_id,
            "lead_pipeline_version": version("lead-pipeline"),
        },
    )
    counts = row_counts(connection)
    counts["meta.tables"] = len(counts)
    connection.executemany(
        read_sql("bi", "insert_tables"),
        [{"name": name, "row_count": rows} for name, rows in counts.items()],
    )
    return counts


def _replace(candidate: Path, published: Path) -> None:
    """Rename, such that after a power cut there is either the old or the new file, whole."""
    if wal_of(candidate).exists():
        raise PublishError(
            f"{wal_of(candidate)} is left although the build was closed: another program has "
            "it open. Close that program and run the dbt models again."
        )
    published.parent.mkdir(parents=True, exist_ok=True)
    # Nobody may write to the published file; if someone did, DuckDB would apply what is left
    # of it to the new file.
    wal_of(published).unlink(missing_ok=True)
    replace_durably(candidate, published)
