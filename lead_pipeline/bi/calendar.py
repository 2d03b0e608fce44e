"""The zone of days and the working hours of a build, as its models read them.

settings ──▶ internal.calendar of the candidate ──▶ macros time_zone and day_of ──▶ marts
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from lead_pipeline.settings import Settings
from lead_pipeline.storage.sql import read_sql

CALENDAR_TABLES = ("calendar",)
"""Tables of the candidate's schema `internal` that come from the settings, not from the warehouse."""


@dataclass(frozen=True)
class Calendar:
    """What days and working time are in a build."""

    time_zone: str = "UTC"
    """IANA's name of the zone whose days count."""
    working_hours: str | None = None
    """When people work, in that zone; None: nobody has said so."""
    holidays: str | None = None
    """Country, or country and subdivision, on whose public holidays nobody works; None: nowhere."""


UTC_DAYS = Calendar()
"""Days of UTC, and no working hours."""


def calendar_of(settings: Settings) -> Calendar:
    """The calendar that the settings ask for."""
    return Calendar(settings.timezone)


def write_calendar(connection: duckdb.DuckDBPyConnection, calendar: Calendar) -> None:
    """Write `internal.calendar` into the current database, which has the schema."""
    connection.execute(read_sql("bi", "create_calendar"))
    connection.execute(
        "insert into internal.calendar values (?, ?, ?)",
        [calendar.time_zone, calendar.working_hours, calendar.holidays],
    )
