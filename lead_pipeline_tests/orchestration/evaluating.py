"""Ticks of schedules and sensors, evaluated as the daemon does."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime

import dagster as dg


def evaluated(
    loaded: dg.Definitions,
    schedule: str,
    at: datetime,
    instance: dg.DagsterInstance | None = None,
) -> list[dg.RunRequest]:
    """What the schedule asks for at that time."""
    with ExitStack() as stack:
        context = dg.build_schedule_context(
            instance=instance or stack.enter_context(dg.DagsterInstance.ephemeral()),
            scheduled_execution_time=at,
            repository_def=loaded.get_repository_def(),
        )
        return list(loaded.resolve_schedule_def(schedule).evaluate_tick(context).run_requests or [])


def selected(request: dg.RunRequest) -> set[str]:
    """The assets of a run, as paths."""
    return {key.to_user_string() for key in request.asset_selection or []}
