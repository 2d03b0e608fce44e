"""Which runs have landed leads that readers do not have yet, and which of their batch are late.

    runs that ask for publication ──▶ ended ──▶ published since? ──no──▶ landed
                                  └─▶ under way ──────────────────────▶ late

Belongs here: reading Dagster's runs. Does not belong here: starting any (`publish_sensor.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, PartitionBackfill
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.tags import (
    AUTO_RETRY_RUN_ID_TAG,
    BACKFILL_ID_TAG,
    SCHEDULE_NAME_TAG,
    WILL_RETRY_TAG,
)

from lead_pipeline.orchestration.landing_assets import GROUP as LANDING_GROUP
from lead_pipeline.orchestration.published_asset import KEY as PUBLISHED
from lead_pipeline.orchestration.tags import POLLS_SCHEDULE

PUBLISH_TAG = "lead_pipeline/publish"
"""The tag of runs that only land, and whose leads a run of their batch publishes."""
LOOKED_BACK = timedelta(days=3)
"""What ended before and was not published by now is left to the next batch."""
RECENT_PUBLICATIONS = 50
PUBLISHING_STEP = "__".join(PUBLISHED.path)
LANDING_STEPS = f"{LANDING_GROUP}__"
"""How the names of steps that land begin; Dagster makes them of the keys of the assets."""
PATIENCE_FOR_RETRY = timedelta(minutes=10)
"""A failed run that Dagster wants to run again counts as under way for so long."""


@dataclass(frozen=True)
class Batch:
    """Runs that ask for a publication, oldest first."""

    landed: tuple[RunRecord, ...] = ()
    """Those that have ended and brought something that is not published."""
    late: tuple[RunRecord, ...] = ()
    """Those that are queued or under way."""
    publishing: tuple[RunRecord, ...] = ()
    """Runs under way, or about to be run again, that load and publish what has landed."""
    published_at: datetime | None = None
    """When the newest publication began to load (UTC)."""

    @property
    def waits_since(self) -> datetime:
        """Since when (UTC) leads wait: the first of the runs was asked for, or others published."""
        asked = min(_utc(record.create_timestamp) for record in (*self.landed, *self.late))
        return max(asked, self.published_at or asked)

    @property
    def newest(self) -> RunRecord:
        """The run that ended last of those that have landed."""
        return max(self.landed, key=lambda record: record.end_time or 0.0)


def open_batch(instance: DagsterInstance, now: datetime) -> Batch:
    """The runs whose leads wait for a publication."""
    records = instance.get_run_records(
        RunsFilter(updated_after=now - LOOKED_BACK), ascending=True, order_by="id"
    )
    began = dict(_publications(instance))
    newest = max(began.values(), default=0.0)
    landed, late, publishing = [], [], []
    for record in records:
        run = record.dagster_run
        is_open = not _has_ended(record, now)
        # Published by itself, or by a run that began to load after it.
        is_published = run.run_id in began or newest >= (record.end_time or 0.0)
        # First, since most runs of three days are: of these nothing more is read.
        if not is_open and is_published and BACKFILL_ID_TAG not in run.tags:
            continue
        if _asks_for_publication(instance, run):
            if is_open or _is_in_open_backfill(instance, run):
                late.append(record)
            elif not is_published and _has_landed(instance, run):
                landed.append(record)
        elif is_open and PUBLISHING_STEP in _steps(instance, run):
            publishing.append(record)
    published_at = datetime.fromtimestamp(newest, UTC) if began else None
    return Batch(tuple(landed), tuple(late), tuple(publishing), published_at)


def _has_ended(record: RunRecord, now: datetime) -> bool:
    run = record.dagster_run
    if run.status not in FINISHED_STATUSES:
        return False
    is_retried = run.tags.get(WILL_RETRY_TAG) == "true" and AUTO_RETRY_RUN_ID_TAG not in run.tags
    return not is_retried or now - _utc(record.update_timestamp) > PATIENCE_FOR_RETRY


def _asks_for_publication(instance: DagsterInstance, run: DagsterRun) -> bool:
    if PUBLISH_TAG in run.tags:
        return True
    if run.tags.get(SCHEDULE_NAME_TAG) == POLLS_SCHEDULE:
        # There are many, and they only land: their steps need not be read.
        return False
    steps = _steps(instance, run)
    if not _land(steps):
        return False
    return PUBLISHING_STEP in steps or PUBLISHED in (_backfilled(instance, run) or ())


def _backfill_of(instance: DagsterInstance, run: DagsterRun) -> PartitionBackfill | None:
    name = run.tags.get(BACKFILL_ID_TAG)
    return None if name is None else instance.get_backfill(name)


def _backfilled(instance: DagsterInstance, run: DagsterRun) -> Sequence[AssetKey] | None:
    """The assets of the backfill that the run is part of."""
    backfill = _backfill_of(instance, run)
    return None if backfill is None else backfill.asset_selection


def _is_in_open_backfill(instance: DagsterInstance, run: DagsterRun) -> bool:
    backfill = _backfill_of(instance, run)
    return backfill is not None and backfill.status not in BULK_ACTION_TERMINAL_STATUSES


def _steps(instance: DagsterInstance, run: DagsterRun) -> Sequence[str]:
    """The steps that the run executes. Its selection does not tell: a job's own run has none."""
    if run.execution_plan_snapshot_id is None:
        return ()
    return instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id).step_keys_to_execute


def _land(steps: Sequence[str]) -> bool:
    return any(step.startswith(LANDING_STEPS) for step in steps)


def _has_landed(instance: DagsterInstance, run: DagsterRun) -> bool:
    if run.status is DagsterRunStatus.SUCCESS:
        return True
    events = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION, limit=1
    )
    return bool(events.records)


def _publications(instance: DagsterInstance) -> Iterator[tuple[str, float]]:
    """The newest publications: the id of each run, and since when (epoch seconds) it loaded."""
    for event in instance.fetch_materializations(PUBLISHED, limit=RECENT_PUBLICATIONS).records:
        run = instance.get_run_by_id(event.run_id)
        # One that is run again after a crash may have loaded the first time.
        root = instance.get_run_record_by_id((run and run.root_run_id) or event.run_id)
        if root is not None and root.start_time is not None:
            yield event.run_id, root.start_time


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
