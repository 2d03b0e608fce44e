"""Old runs of Dagster, with their events, logs and locks, removed by age and a few at a time.

    runs older than LEAD_PIPELINE_LOG_DAYS ─┬─ the newest of an asset or partition ─▶ loses its log
                                            └─ any other ─▶ is removed with all that it left

The asset graph and the bar of partitions stay as they are: they are drawn from the newest
materialization of each asset and partition. Ticks are Dagster's own to remove (`dagster.yaml`).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy
from dagster import DagsterEventType, DagsterInstance, RunsFilter
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.runs.schema import RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from filelock import FileLock, Timeout

RUNS_AT_A_TIME = 500
"""More than a day of hourly polls makes: what is due is removed within a few nights."""

_CURSOR = "lead_pipeline/pruned_until"
"""In Dagster's own storage: runs created before this moment have been seen to."""
_BACK = timedelta(milliseconds=10)
"""Runs of one moment may have been parted; to see to a run again changes nothing."""


@dataclass(frozen=True)
class Pruned:
    """What was removed: whole runs, the logs of others, lock files of processes that are gone."""

    runs: int
    logs: int
    locks: int

    def __bool__(self) -> bool:
        return bool(self.runs or self.logs or self.locks)

    def __str__(self) -> str:
        return f"{self.runs:,} old runs, the logs of {self.logs:,} others, {self.locks:,} locks"


def prune_history(
    instance: DagsterInstance, before: datetime, limit: int = RUNS_AT_A_TIME
) -> Pruned:
    """Remove what runs that were created before that moment have left, of at most `limit` runs.

    The next call goes on where this one has stopped.
    """
    old = _old_runs(instance, before, limit)
    kept = _with_newest_materialization(instance, old)
    for run_id in old:
        if run_id not in kept:
            instance.delete_run(run_id)
        _remove_logs(instance, run_id)
    removed = [run_id for run_id in old if run_id not in kept]
    _remove_what_dagster_leaves(instance, removed)
    return Pruned(len(removed), len(kept), _remove_dead_locks(instance, before))


def _old_runs(instance: DagsterInstance, before: datetime, limit: int) -> list[str]:
    """The oldest runs that have not been seen to, and notes that they are."""
    cursors = instance.daemon_cursor_storage
    noted = cursors.get_cursor_values({_CURSOR}).get(_CURSOR)
    records = instance.get_run_records(
        RunsFilter(
            statuses=FINISHED_STATUSES,
            created_after=datetime.fromisoformat(noted) if noted else None,
            created_before=before,
        ),
        limit=limit,
        ascending=True,
    )
    if records:
        until = max(record.create_timestamp for record in records) - _BACK
        cursors.set_cursor_values({_CURSOR: until.isoformat()})
    return [record.dagster_run.run_id for record in records]


def _with_newest_materialization(instance: DagsterInstance, run_ids: Sequence[str]) -> set[str]:
    """Those of the runs that an asset or one of its partitions was last materialized by."""
    storage = instance.event_log_storage
    if not run_ids or not isinstance(storage, SqlEventLogStorage):
        return set(run_ids)
    event = SqlEventLogStorageTable.alias("event")
    newer = SqlEventLogStorageTable.alias("newer")
    materialized = DagsterEventType.ASSET_MATERIALIZATION.value
    is_repeated = sqlalchemy.exists().where(
        newer.c.dagster_event_type == materialized,
        newer.c.asset_key == event.c.asset_key,
        sqlalchemy.or_(
            newer.c.partition == event.c.partition,
            sqlalchemy.and_(newer.c.partition.is_(None), event.c.partition.is_(None)),
        ),
        newer.c.id > event.c.id,
    )
    query = (
        sqlalchemy.select(event.c.run_id)
        .distinct()
        .where(event.c.run_id.in_(run_ids), event.c.dagster_event_type == materialized)
        .where(~is_repeated)
    )
    with storage.index_connection() as connection:
        return {str(row[0]) for row in connection.execute(query)}


def _remove_logs(instance: DagsterInstance, run_id: str) -> None:
    """The file with all events of the run, where there is one per run, and what its steps printed.

    Dagster empties the file of a run that it deletes, and leaves it.
    """
    root = Path(instance.root_directory)
    for path in (root / "history" / "runs").glob(f"{run_id}.db*"):
        path.unlink(missing_ok=True)
    shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)


def _remove_what_dagster_leaves(instance: DagsterInstance, run_ids: Sequence[str]) -> None:
    """Tags of deleted runs, and results of asset checks that have newer ones."""
    runs, events = instance.run_storage, instance.event_log_storage
    if isinstance(runs, SqlRunStorage):
        with runs.connect() as connection:
            connection.execute(RunTagsTable.delete().where(RunTagsTable.c.run_id.in_(run_ids)))
    if isinstance(events, SqlEventLogStorage):
        newer = AssetCheckExecutionsTable.alias("newer")
        check = AssetCheckExecutionsTable.c
        is_repeated = sqlalchemy.exists().where(
            newer.c.asset_key == check.asset_key,
            newer.c.check_name == check.check_name,
            newer.c.id > check.id,
        )
        with events.index_connection() as connection:
            connection.execute(
                AssetCheckExecutionsTable.delete().where(check.run_id.in_(run_ids), is_repeated)
            )


def _remove_dead_locks(instance: DagsterInstance, before: datetime) -> int:
    """Locks of runs whose processes were killed: of each one file remains."""
    removed = 0
    for path in (Path(instance.root_directory) / "processes").glob("*"):
        try:
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) >= before:
                continue
            with FileLock(path, thread_local=False).acquire(timeout=0):
                path.unlink()
                removed += 1
        except (Timeout, FileNotFoundError):
            # A process holds it, or has just ended.
            continue
    return removed
