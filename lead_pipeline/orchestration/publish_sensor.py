"""One load, one build, one publication for a whole batch of runs that land.

batch ──every account has ended, or the deadline has passed──▶ one run of `publish_leads`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import RunRecord, RunsFilter
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG, RUN_KEY_TAG

from lead_pipeline.orchestration.batches import Batch, open_batch
from lead_pipeline.orchestration.processes import end_dead_runs
from lead_pipeline.orchestration.tags import ACCOUNT_TAG

PUBLISH_JOB = "publish_leads"
SENSOR = "publish_sensor"
SECONDS_BETWEEN_LOOKS = 30
LONGEST_PUBLICATION = timedelta(hours=6)
"""A run that takes longer is ended: it holds back every later one."""


def build_publish_job() -> dg.UnresolvedAssetJobDefinition:
    """Load what has landed, build and test the marts, publish. Asks no API."""
    landing = dg.AssetSelection.groups("landing")
    return dg.define_asset_job(
        PUBLISH_JOB,
        selection=dg.AssetSelection.all() - landing,
        description="Load what has landed, build and test the marts, publish the BI file.",
        tags={MAX_RUNTIME_SECONDS_TAG: str(round(LONGEST_PUBLICATION.total_seconds()))},
    )


def build_publish_sensor(
    job: dg.UnresolvedAssetJobDefinition,
    deadline: timedelta,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dg.SensorDefinition:
    """The sensor that starts `job` when a batch has landed, or `deadline` after it began."""

    def look(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        instance = context.instance
        # Also where no daemon monitors runs: a dead one would hold the batch up to its deadline.
        end_dead_runs(instance)
        batch = open_batch(instance, now())
        reason = _reason_to_wait(batch, deadline, now())
        if reason is not None:
            return dg.SkipReason(reason)
        # One publication per state of the batch: what failed for its leads would fail again.
        key = f"publish:{batch.newest.dagster_run.run_id}"
        if instance.get_runs(RunsFilter(tags={RUN_KEY_TAG: key}), limit=1):
            return dg.SkipReason(
                "The publication of this batch has failed; the next batch is published with it. "
                f"Look at the newest run of {PUBLISH_JOB}, fix what it names, and launch that job."
            )
        return dg.RunRequest(run_key=key)

    return dg.SensorDefinition(
        name=SENSOR,
        job=job,
        evaluation_fn=look,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Publishes once for all accounts of a night: when all have landed, or at "
            "LEAD_PIPELINE_PUBLISH_DEADLINE_MINUTES for those that are late."
        ),
    )


def _reason_to_wait(batch: Batch, deadline: timedelta, now: datetime) -> str | None:
    """Why nothing is published now; None: it is time."""
    if batch.publishing:
        return f"Run {batch.publishing[0].dagster_run.run_id[:8]} loads and publishes."
    if not batch.landed:
        waited_for = f", {_named(batch.late)} under way" if batch.late else ""
        return f"Nothing has landed that waits for a publication{waited_for}."
    if batch.late and now < (until := batch.waits_since + deadline):
        return f"Waits for {_named(batch.late)}, until {until:%H:%M}Z."
    return None


def _named(records: Sequence[RunRecord]) -> str:
    names = sorted({_name(record) for record in records})
    return ", ".join(names)


def _name(record: RunRecord) -> str:
    run = record.dagster_run
    return run.tags.get(ACCOUNT_TAG, f"run {run.run_id[:8]}")
