"""Days and windows: UTC days and the half-open window `[start, end)`.

Belongs here: everything that turns dates into bounds. Does not belong here: which records
fall into a window at a given provider (`lead_pipeline.providers`), Dagster's partitions
(`lead_pipeline.orchestration.partitions`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

ONE_DAY = timedelta(days=1)
SETTLING_DELAY = timedelta(hours=2, minutes=30)
"""How long after midnight UTC a day is taken to be settled."""
GRACE = timedelta(hours=3, minutes=30)
"""How long a night may take. With the settling delay, a day is due at 06:00 UTC of the next."""
LATEST_AGE = ONE_DAY + SETTLING_DELAY + GRACE
"""The age of data just before the next day of it is due."""


@dataclass(frozen=True)
class UpdatedWindow:
    """The half-open interval `[start, end)` of a record's `updated_at`, in UTC.

    `start` is None for a window that takes every record before `end`: that of the first
    partition, so that a backfill of all partitions is a full load.
    """

    start: datetime | None
    end: datetime

    def __post_init__(self) -> None:
        for bound in (self.start, self.end):
            if bound is not None and bound.tzinfo is None:
                raise ValueError("an UpdatedWindow is in UTC: its bounds need a time zone")
        if self.start is not None and self.start >= self.end:
            raise ValueError(f"an UpdatedWindow must not be empty: {self}")

    def __contains__(self, moment: datetime) -> bool:
        return (self.start is None or self.start <= moment) and moment < self.end

    def __str__(self) -> str:
        start = "(everything before)" if self.start is None else f"{self.start:%Y-%m-%dT%H:%MZ}"
        return f"[{start}, {self.end:%Y-%m-%dT%H:%MZ})"


def day_start(day: date) -> datetime:
    """Midnight UTC at which `day` begins."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def window_of_days(first: date, last: date, start_date: date) -> UpdatedWindow:
    """The window of the partitions `first` to `last`, both included.

    The partition of `start_date` also takes every record last updated before it.
    """
    start = None if first <= start_date else day_start(first)
    return UpdatedWindow(start, day_start(last) + ONE_DAY)


def merge(windows: Iterable[tuple[datetime | None, datetime]]) -> list[UpdatedWindow]:
    """The union of `(start, end)` windows as windows that neither touch nor overlap, in order."""
    beginning = datetime.min.replace(tzinfo=UTC)
    merged: list[UpdatedWindow] = []
    for start, end in sorted(windows, key=lambda bounds: (bounds[0] or beginning, bounds[1])):
        if start is not None and start >= end:
            continue
        last = merged[-1] if merged else None
        if last is not None and (start is None or start <= last.end):
            merged[-1] = UpdatedWindow(last.start, max(last.end, end))
        else:
            merged.append(UpdatedWindow(start, end))
    return merged
