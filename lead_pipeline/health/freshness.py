"""Which time must have been brought by now.

    now less settling delay and grace ──▶ its midnight (UTC): the end of the last day that is due

The nightly schedule pulls a day once it has settled, and gets `GRACE` to finish. What is due is
compared with `complete_through`, which is time of the data. When something ran tells nothing: a
run may have brought old days only.
"""

from __future__ import annotations

from datetime import UTC, datetime

from lead_pipeline.windows import GRACE, SETTLING_DELAY, day_start


def due_until(now: datetime) -> datetime:
    """The end of the last day that must be complete by `now`."""
    return day_start((now.astimezone(UTC) - SETTLING_DELAY - GRACE).date())


def is_late(complete_through: datetime | None, due: datetime) -> bool:
    """Whether data that is complete through that time (None: nothing is) ends before what is due."""
    return complete_through is None or complete_through < due
