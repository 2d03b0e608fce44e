"""The candidate file: where a build is made and tested before any reader can see it.

    warehouse.duckdb ──copy, mask──▶ bi/.candidate/leads.duckdb ──dbt build──▶ marked as tested
      normalized.*                     normalized.*                + marts.*     + meta.build

The candidate bears the file name of the published file, because DuckDB names the catalog
after it: queries and views say `leads.marts.lead_facts` in both.
"""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from lead_pipeline.bi.calendar import UTC_DAYS, Calendar, write_calendar
from lead_pipeline.bi.dbt_project import DbtProject
from lead_pipeline.bi.masking import (
    Mask,
    masking_key_id_in,
    note_masking,
    prepare_masking,
    rules_id,
    treatments_of,
)
from lead_pipeline.causes import cause_of
from lead_pipeline.errors import PublishError
from lead_pipeline.storage.disks import reason_of
from lead_pipeline.storage.duckdb_files import attach, connect_utc, remove_duckdb_file, spill_beside
from lead_pipeline.storage.files import remove_temporaries, write_atomically
from lead_pipeline.storage.sql import read_sql
from lead_pipeline.storage.warehouse import warehouse_at

STORAGE_VERSION = "v1.0.0"
"""Storage format of candidate and published file; clients from DuckDB 1.0 on can read it."""

COPIED_TABLES = {
    "leads": "lead_key",
    "lead_stage_history": "lead_key, stage_number",
    "coverage": "account",
}
"""The tables of the warehouse's schema `normalized` that a build is made of, and the key by which
the rows of each are put in order: the order of the warehouse follows digests of plain rows.

`coverage` moves to `meta`: how far the copied tables reach, not what has landed since.
"""

INTERNAL_TABLES = {
    "lead_versions": "lead_key, version_number",
    "observed_changes": "lead_key, change_number",
    "unobserved_changes": "lead_key, changed_until",
    "watches": "account",
    "provider_stale_leads": "lead_key",
    "canonical_stages": "stage_order",
    "stages": "provider, account, field, value",
    "mapped_stages": "account, provider, provider_status, provider_stage",
}
"""What goes into the candidate's schema `internal`, for the models only, and the keys. Which columns of
which tables of the warehouse these are, `bi/sql/create_internal.sql` says."""

_READ_TABLES = (
    "lead_versions",
    "lead_observations",
    "unobserved_changes",
    "watches",
    "audit_coverage",
    "provider_stale_leads",
    "canonical_stages",
    "stages",
    "mapped_stages",
)
"""Tables of the warehouse that these are made of."""

_NOTE = ".tested"
_NOTE_SECONDS = 7 * 24 * 3600.0
"""Longer than a run waits for its turn to publish: what is older was left by a killed run."""


def prepare_candidate(
    warehouse: Path,
    candidate: Path,
    mask: Mask | None = None,
    calendar: Calendar = UTC_DAYS,
    project: DbtProject | None = None,
) -> None:
    """Make a new file at `candidate` with the warehouse's `COPIED_TABLES`, replacing any other.

    Beside them, what models need of `INTERNAL_TABLES`, and the `calendar` that they go by; the
    published file is without either.

    Columns, types, NOT NULLs and comments stay as they are; with a `mask`, personal data does
    not, as the variables of the dbt `project` (ours) say. The warehouse is opened read-only and
    closed again whatever happens; the caller holds its lock and that of publications. Raises `PublishError` when the warehouse cannot be read or
    lacks a table, or the candidate cannot be written, as on a full disk.
    """
    warehouse_at(warehouse).check_out()
    if not warehouse.exists():
        raise PublishError(
            f"There is no warehouse at {warehouse}, so nothing to publish. Load leads first: "
            "lead-pipeline run."
        )
    candidate.parent.mkdir(parents=True, exist_ok=True)
    remove_temporaries(candidate.parent)
    discard_candidate(candidate)
    with closing(connect_utc(":memory:")) as connection:
        # Plain values may lie beside the warehouse, and nowhere else.
        spill_beside(connection, warehouse)
        try:
            attach(connection, warehouse, "warehouse", options="read_only")
        except duckdb.Error as error:
            raise PublishError(
                f"The warehouse {warehouse} cannot be opened: {cause_of(error)}"
            ) from None
        _check_tables(connection, warehouse)
        try:
            _copy(connection, candidate, mask, calendar, project)
        except duckdb.Error as error:
            raise unwritable(candidate, error) from None


def _copy(
    connection: duckdb.DuckDBPyConnection,
    candidate: Path,
    mask: Mask | None,
    calendar: Calendar,
    project: DbtProject | None,
) -> None:
    connection.execute(read_sql("bi", "create_internal"))
    tables = {"tables": list(COPIED_TABLES)}
    columns = connection.execute(read_sql("bi", "copied_columns"), tables).fetchall()
    treatments = treatments_of(mask, columns)
    prepare_masking(connection, mask, project)
    attach(connection, candidate, "candidate", options=f"storage_version '{STORAGE_VERSION}'")
    connection.execute("create schema candidate.normalized; create schema candidate.internal")
    connection.execute("use candidate")
    keys = COPIED_TABLES | INTERNAL_TABLES
    order = {"keyed_tables": list(keys), "keys": list(keys.values())}
    for (statement,) in connection.execute(
        read_sql("bi", "copy_statements"), tables | treatments | order
    ).fetchall():
        connection.execute(statement)
    connection.execute(read_sql("bi", "move_coverage"))
    note_masking(connection, mask, tables | treatments)
    write_calendar(connection, calendar)
    connection.execute("use memory")
    # Here, so that a disk that is full by now is met inside of the caller's block: detaching writes the
    # same, and does not say why it could not.
    connection.execute("checkpoint candidate")
    connection.execute("detach candidate")


def discard_candidate(candidate: Path) -> None:
    """Remove what an earlier build may have left, so that nobody takes it for a new one."""
    remove_duckdb_file(candidate)
    remove_duckdb_file(finished_path(candidate))


def finished_path(candidate: Path) -> Path:
    """Where the copy of a candidate that is about to be published is written."""
    return candidate.with_name(f"finished.{candidate.name}")


def mark_tested(candidate: Path, *, run_id: str, tests_passed: int) -> None:
    """Note in the candidate that all of its tests passed, and by which rules it is masked.

    Without it, it is never published.
    """
    tested_at = datetime.now(UTC)
    try:
        with closing(connect_utc(candidate)) as connection:
            connection.execute(read_sql("bi", "build"))
            rules = None if masking_key_id_in(connection) is None else rules_id()
            connection.execute(
                "insert into meta.build values (?, ?, ?, ?)",
                [run_id, tested_at, tests_passed, rules],
            )
        write_atomically(_note_path(candidate, run_id), tested_at.isoformat().encode())
    except (duckdb.Error, OSError) as error:
        raise unwritable(candidate, error) from None


def tested_by(candidate: Path, run_id: str) -> datetime | None:
    """When the build of the run `run_id` had passed its tests; None where it has made none.

    Known also after another run has put its own build in the place of this one.
    """
    try:
        return datetime.fromisoformat(_note_path(candidate, run_id).read_text("utf-8"))
    except FileNotFoundError:
        return None


def forget_tested(candidate: Path, run_id: str) -> None:
    """Forget that the run `run_id`, which ends, has made a build, and what killed runs have left."""
    _note_path(candidate, run_id).unlink(missing_ok=True)
    for note in candidate.parent.glob(f"*{_NOTE}"):
        if time.time() - note.stat().st_mtime > _NOTE_SECONDS:
            note.unlink(missing_ok=True)


def _note_path(candidate: Path, run_id: str) -> Path:
    return candidate.with_name(f"{run_id}{_NOTE}")


def offered(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Schema and name of every table in the connection's file, and of the views that readers get."""
    return connection.execute(read_sql("bi", "offered")).fetchall()


def row_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of each of what is `offered`, by `schema.table`."""
    return {
        f"{schema}.{name}": connection.sql(f'from "{schema}"."{name}"').shape[0]
        for schema, name in offered(connection)
    }


def _check_tables(connection: duckdb.DuckDBPyConnection, warehouse: Path) -> None:
    found = {
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables()"
            " where database_name = 'warehouse' and schema_name = 'normalized'"
        ).fetchall()
    }
    if missing := [table for table in (*COPIED_TABLES, *_READ_TABLES) if table not in found]:
        raise PublishError(
            f"The warehouse {warehouse} lacks normalized.{', normalized.'.join(missing)}. "
            "Build it again from landing: lead-pipeline rebuild."
        )


def unwritable(candidate: Path, error: duckdb.Error | OSError) -> PublishError:
    """What to raise when `candidate`, or a file beside it, cannot be written."""
    return PublishError(
        f"The build at {candidate} cannot be written: {reason_of(error, candidate)}. Readers "
        "keep the last file. Make room or fix what is named, then: lead-pipeline publish."
    )
