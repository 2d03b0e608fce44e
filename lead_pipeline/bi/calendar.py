"""The zone of days and the working time of a build, as its models read them.

    settings, span of the leads ──▶ meta.calendar, internal.working_time ──▶ macros ──▶ marts

Belongs here: what is written into the candidate. Does not belong here: what working time is
(`lead_pipeline.working_time`), and how models measure in it (`dbt_project/macros`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

import duckdb

from lead_pipeline.settings import Settings
from lead_pipeline.storage.sql import read_sql
from lead_pipeline.working_time import Interval, parse_working_hours, working_intervals

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2100, 1, 1, tzinfo=UTC)
"""A provider's clock can be wrong by centuries; nobody's working hours are asked for so far away."""

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Calendar:
    """What days and working time are in a build."""

    time_zone: str = "UTC"
    """IANA's name of the zone whose days count."""
    working_hours: str | None = None
    """When people work, on the clocks of that zone; None: nobody has said so."""
    holidays: str | None = None
    """Country, or country and subdivision, on whose public holidays nobody works; None: nowhere."""

    def __str__(self) -> str:
        """One sentence for people."""
        if self.working_hours is None:
            return f"Days are those of {self.time_zone}; no working hours are set."
        without = f" without public holidays of {self.holidays}" if self.holidays else ""
        return (
            f"Days are those of {self.time_zone}; working hours are {self.working_hours}{without}."
        )


UTC_DAYS = Calendar()
"""Days of UTC, and no working hours."""


def calendar_of(settings: Settings) -> Calendar:
    """The calendar that the settings ask for."""
    return Calendar(settings.timezone, settings.working_hours, settings.holidays)


def write_calendar(connection: duckdb.DuckDBPyConnection, calendar: Calendar) -> None:
    """Write `meta.calendar` and `internal.working_time` into a candidate that has its leads."""
    connection.execute(read_sql("bi", "create_calendar"))
    connection.execute(
        "insert into meta.calendar values (?, ?, ?)",
        [calendar.time_zone, calendar.working_hours, calendar.holidays],
    )
    if calendar.working_hours is None:
        return
    span = connection.execute(read_sql("bi", "span_of_leads")).fetchone()
    if span is None or span[0] is None:
        return
    start, end = (_midnight(min(max(moment, FIRST), LAST)) for moment in span)
    _write_working_time(connection, calendar, calendar.working_hours, start, end + _DAY)


def _write_working_time(
    connection: duckdb.DuckDBPyConnection,
    calendar: Calendar,
    hours: str,
    start: datetime,
    end: datetime,
) -> None:
    zone = ZoneInfo(calendar.time_zone)
    intervals = list(
        working_intervals(parse_working_hours(hours), zone, start, end, calendar.holidays)
    )
    rows: Sequence[Interval] = intervals
    if not intervals or intervals[0][0] > start:
        # Empty, so that it is known of moments before the first working hours that they are.
        rows = [(start, start), *intervals]
    seconds = [(ends - starts) // timedelta(seconds=1) for starts, ends in rows]
    connection.execute(
        read_sql("bi", "insert_working_time"),
        {
            "starts": [*(starts for starts, _ in rows), end],
            "ends": [*(ends for _, ends in rows), None],
            "seconds_before": [*list(accumulate(seconds, initial=0))[:-1], None],
        },
    )


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
