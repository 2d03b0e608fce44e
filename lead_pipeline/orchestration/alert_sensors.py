"""The sensor that tells somebody when a night could not heal itself.

    runs that have ended since the last look ─┐
    findings, at least every ten minutes ─────┴──▶ alerts and heartbeat (`alerts/night.py`)

Also runs that a command has started are looked at; what the command has told is not told again.
Belongs here: when to look. Does not belong here: what is a cause, and who is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
import msgspec
from dagster import RunRecord, RunsFilter
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.tags import WILL_RETRY_TAG

from lead_pipeline.orchestration.resources import SettingsResource

SENSOR = "alert_sensor"
SECONDS_BETWEEN_LOOKS = 60
LOOK_AT_DATA_EVERY = timedelta(minutes=10)
"""Days become due, and data becomes old, without any run."""
LOOKED_BACK = timedelta(days=1)
"""What ended before the first look is told when it ended no longer ago than this."""
RUNS_PER_LOOK = 200
"""Runs beyond these are left to the next look, a minute later."""


class Place(msgspec.Struct):
    """How far the sensor has looked: its cursor."""

    runs_until: datetime
    """The last change (UTC) of the last run that was looked at."""
    looked_at: datetime | None = None
    """When the data was looked at last."""


def build_alert_sensors(
    lead_settings: SettingsResource, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> list[dg.SensorDefinition]:
    """The sensor, on from the start; it says what to set where nobody is told."""

    def look(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        # All that findings are made of takes half a second to import.
        from lead_pipeline.alerts.night import after_runs, is_anybody_told
        from lead_pipeline.orchestration.ended_runs import ended_run

        settings = lead_settings.load()
        moment = now()
        if not is_anybody_told(settings):
            context.update_cursor(_text(Place(moment)))
            return dg.SkipReason(
                "Nobody is told: set LEAD_PIPELINE_ALERT_WEBHOOK, LEAD_PIPELINE_ALERT_EMAIL or "
                "LEAD_PIPELINE_HEARTBEAT_URL (.env.example)."
            )
        place = _place(context.cursor, moment)
        found = _ended_since(context.instance, place)
        records = [record for record in found if _is_news(context, record, place)]
        is_due = place.looked_at is None or moment - place.looked_at >= LOOK_AT_DATA_EVERY
        if not records and not is_due:
            context.update_cursor(_text(_passed(place, found)))
            return dg.SkipReason("No run has ended since the last look.")
        runs = [ended_run(context.instance, record.dagster_run) for record in records]
        said: list[str] = []
        after_runs(
            settings,
            [ended for run in runs for ended in run.ended],
            said.append,
            is_published=any(run.is_published for run in runs),
            now=moment,
        )
        for sentence in said:
            context.log.warning(sentence)
        context.update_cursor(_text(Place(_passed(place, found).runs_until, moment)))
        return dg.SkipReason(" ".join([f"Looked at {len(runs)} runs, and at the data.", *said]))

    return [
        dg.SensorDefinition(
            name=SENSOR,
            evaluation_fn=look,
            minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description=(
                "Tells of failed runs, refused keys and builds, late, rejected, doubtful or unmapped "
                "data and contract drift: once a day, and once when it is over. Sends the heartbeat "
                "after a good night. Starts no run."
            ),
        )
    ]


def _ended_since(instance: dg.DagsterInstance, place: Place) -> Sequence[RunRecord]:
    return instance.get_run_records(
        RunsFilter(updated_after=place.runs_until, statuses=FINISHED_STATUSES),
        limit=RUNS_PER_LOOK,
        order_by="update_timestamp",
        ascending=True,
    )


def _is_news(context: dg.SensorEvaluationContext, record: RunRecord, place: Place) -> bool:
    """Whether the run is of the sensor's code location, has only now ended, and for good."""
    run = record.dagster_run
    # Those of commands are of no location.
    origin, own = run.remote_job_origin, context.code_location_origin
    is_ours = origin is None or own is None or origin.location_name == own.location_name
    # Somebody who tags an old run makes no news of it.
    is_new = (record.end_time or 0.0) > place.runs_until.timestamp()
    # What Dagster is about to run again has not failed for good. It cannot start what a command has.
    is_retried = origin is not None and run.tags.get(WILL_RETRY_TAG) == "true"
    return is_ours and is_new and not is_retried


def _passed(place: Place, found: Sequence[RunRecord]) -> Place:
    """The place behind all that was found."""
    return Place(_utc(found[-1].update_timestamp), place.looked_at) if found else place


def _place(cursor: str | None, now: datetime) -> Place:
    """Where the last look ended; the first begins a day ago."""
    try:
        return msgspec.json.decode(cursor or "", type=Place)
    except msgspec.DecodeError:
        return Place(now - LOOKED_BACK)


def _text(place: Place) -> str:
    return msgspec.json.encode(place).decode()


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
