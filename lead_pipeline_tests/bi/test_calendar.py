"""Working time between two moments, as models measure it, against a loop over every second.

docs/bi.md: a second is working time if a clock of the zone then shows a time within the hours of its
day, and the day is no public holiday.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from lead_pipeline.bi.calendar import Calendar, calendar_of
from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline.bi.dbt_project import PROJECT_DIR
from lead_pipeline.bi.rollback import roll_back
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.pulling import at, settings_in
from lead_pipeline_tests.sample_builds import Bi, read
from lead_pipeline_tests.sample_warehouse import write_warehouse

BERLIN = Calendar("Europe/Berlin", "Mon-Fri 09:00-17:30, Sun 01:30-03:15", "DE-BE")
NEW_YORK = Calendar("America/New_York", "Mon-Fri 00:00-24:00, Sun 01:00-04:00", "US")
LORD_HOWE = Calendar("Australia/Lord_Howe", "Mon-Sun 01:00-02:15, Mon 08:00-12:00")
KOLKATA = Calendar("Asia/Kolkata", "Mon-Sat 10:00-13:00, Mon-Sat 14:00-18:45")
HOLIDAYS = {
    "DE-BE": {date(2026, 3, 8), date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 1)},
    "US": {date(2026, 1, 19), date(2026, 2, 16), date(2026, 5, 25)},
}
"""Of the months that are looked at: International Women's Day, Good Friday, Easter Monday, Labour Day;
Martin Luther King's and Washington's birthday, Memorial Day."""
HOURS = {
    BERLIN: {"Mon Tue Wed Thu Fri": [("09:00", "17:30")], "Sun": [("01:30", "03:15")]},
    NEW_YORK: {"Mon Tue Wed Thu Fri": [("00:00", "24:00")], "Sun": [("01:00", "04:00")]},
    LORD_HOWE: {
        "Mon Tue Wed Thu Fri Sat Sun": [("01:00", "02:15")],
        "Mon": [("08:00", "12:00")],
    },
    KOLKATA: {"Mon Tue Wed Thu Fri Sat": [("10:00", "13:00"), ("14:00", "18:45")]},
}
CHANGES = {
    BERLIN: datetime(2026, 3, 29, 1, tzinfo=UTC),
    NEW_YORK: datetime(2026, 3, 8, 7, tzinfo=UTC),
    LORD_HOWE: datetime(2026, 4, 4, 15, tzinfo=UTC),
    # None: a night between two days.
    KOLKATA: datetime(2026, 3, 8, 18, 30, tzinfo=UTC),
}
"""When the clocks are changed."""


@cache
def is_working(calendar: Calendar, moment: datetime) -> bool:
    """Whether somebody works in the minute that begins then: hours are whole minutes."""
    wall = moment.astimezone(ZoneInfo(calendar.time_zone))
    if wall.date() in HOLIDAYS.get(calendar.holidays or "", ()):
        return False
    return any(
        wall.strftime("%a") in days and begin <= wall.strftime("%H:%M") < end
        for days, hours in HOURS[calendar].items()
        for begin, end in hours
    )


def seconds_worked(calendar: Calendar, start: datetime, end: datetime) -> int:
    """Whole seconds of [start, end), each in turn; those at both ends count by their part."""
    worked = timedelta(0)
    moment = start
    while moment < end:
        next_second = moment.replace(microsecond=0) + timedelta(seconds=1)
        if is_working(calendar, moment.replace(second=0, microsecond=0)):
            worked += min(next_second, end) - moment
        moment = next_second
    return worked // timedelta(seconds=1)


QUERY = """
with moments as (select $start::timestamptz as start_at, $end::timestamptz as end_at)
select seconds from (
    {{ business_seconds("moments", {"seconds": ["start_at", "end_at"]}) }}
)
"""


DEADLINE = """
with moments as (select $start::timestamptz as start_at, $seconds::double as seconds)
select deadline from (
    {{ business_deadline("moments", "start_at", "seconds", "deadline") }}
)
"""


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[Calendar, duckdb.DuckDBPyConnection]]:
    """A candidate for each calendar, whose leads span January to the end of May 2026."""
    folder = tmp_path_factory.mktemp("calendars")
    warehouse = write_warehouse(folder / "warehouse.duckdb")
    with closing(connect_utc(warehouse)) as connection:
        connection.execute("update normalized.leads set updated_at = '2026-05-31 00:00:00+00'")
    connections = {}
    for calendar in HOURS:
        path = folder / calendar.time_zone.replace("/", "_") / "leads.duckdb"
        prepare_candidate(warehouse, path, calendar=calendar)
        connections[calendar] = connect_utc(path, read_only=True)
    yield connections
    for connection in connections.values():
        connection.close()


def with_macros(query: str) -> str:
    """The SQL of a query that uses the macros of models."""
    macros = PROJECT_DIR.joinpath("macros", "business_seconds.sql").read_text("utf-8")
    template = Environment(autoescape=False).from_string(macros + query)  # noqa: S701 - SQL
    return template.render(
        source=lambda schema, table: f"{schema}.{table}", has_working_hours=lambda: True
    )


def seconds_measured(
    connection: duckdb.DuckDBPyConnection, start: datetime | None, end: datetime | None
) -> int | None:
    """By the macro that models use."""
    [(seconds,)] = connection.execute(with_macros(QUERY), {"start": start, "end": end}).fetchall()
    assert seconds is None or isinstance(seconds, int)
    return seconds


@pytest.fixture
def bi(tmp_path: Path) -> Bi:
    return Bi(tmp_path / "home")


@pytest.mark.parametrize("calendar", HOURS, ids=lambda calendar: calendar.time_zone)
@examples(60)
@given(
    hours_before=st.integers(0, 30),
    off_before=st.integers(-3_600_000_000, 3_600_000_000),
    length=st.integers(-1_000_000, 6 * 3_600_000_000),
)
def test_every_second_is_counted_that_the_clocks_show_working_hours(
    calendar: Calendar,
    measured: dict[Calendar, duckdb.DuckDBPyConnection],
    hours_before: int,
    off_before: int,
    length: int,
) -> None:
    start = CHANGES[calendar] - timedelta(hours=hours_before, microseconds=off_before)
    end = start + timedelta(microseconds=length)

    found = seconds_measured(measured[calendar], start, end)

    assert found == seconds_worked(calendar, start, end)


@pytest.mark.parametrize("calendar", HOURS, ids=lambda calendar: calendar.time_zone)
@given(off_before=st.integers(-3_600_000_000, 30 * 3_600_000_000), seconds=st.integers(1, 50_000))
@examples(60)
def test_a_limit_is_reached_in_a_second_that_is_worked_and_not_before(
    calendar: Calendar,
    measured: dict[Calendar, duckdb.DuckDBPyConnection],
    off_before: int,
    seconds: int,
) -> None:
    start = CHANGES[calendar] - timedelta(microseconds=off_before)

    [(deadline,)] = (
        measured[calendar]
        .execute(with_macros(DEADLINE), {"start": start, "seconds": seconds})
        .fetchall()
    )

    assert seconds_measured(measured[calendar], start, deadline) == seconds
    just_before = deadline - timedelta(microseconds=1)
    assert seconds_measured(measured[calendar], start, just_before) == seconds - 1
    assert is_working(calendar, just_before.replace(second=0, microsecond=0))


def test_a_limit_that_the_calendar_does_not_reach_is_not_told(
    measured: dict[Calendar, duckdb.DuckDBPyConnection],
) -> None:
    given = {"start": datetime(2026, 5, 1, tzinfo=UTC), "seconds": 3600 * 24 * 365}

    assert measured[BERLIN].execute(with_macros(DEADLINE), given).fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("calendar", "start", "end", "hours"),
    [
        # Thursday 17:00 to the Tuesday after Easter 09:30, in summer time: half an hour each, and the
        # night of Easter Sunday, which is no public holiday in Berlin.
        (BERLIN, "2026-04-02 15:00:00+00", "2026-04-07 07:30:00+00", 1 + 1.75),
        # The night of the change has no 02:00 to 03:00: 01:30 to 02:00 and 03:00 to 03:15.
        (BERLIN, "2026-03-28 12:00:00+00", "2026-03-29 12:00:00+00", 0.75),
        # Washington's birthday is a Monday of no hours; the Tuesday after has all of its own.
        (NEW_YORK, "2026-02-16 05:00:00+00", "2026-02-18 05:00:00+00", 24),
        # The 24 days of February that are no Sundays, 10 to 13 and 14 to 18:45.
        (KOLKATA, "2026-01-31 18:30:00+00", "2026-02-28 18:30:00+00", 24 * 7.75),
    ],
)
def test_what_a_calendar_on_the_wall_says(
    calendar: Calendar,
    measured: dict[Calendar, duckdb.DuckDBPyConnection],
    start: str,
    end: str,
    hours: float,
) -> None:
    moments = datetime.fromisoformat(start), datetime.fromisoformat(end)

    assert seconds_measured(measured[calendar], *moments) == hours * 3600


def test_nothing_is_said_of_moments_that_are_not_known_or_beyond_the_calendar(
    measured: dict[Calendar, duckdb.DuckDBPyConnection],
) -> None:
    known = datetime(2026, 2, 1, tzinfo=UTC)

    for start, end in (
        (None, known),
        (known, None),
        (datetime(2025, 12, 1, tzinfo=UTC), known),
        (known, datetime(2026, 7, 1, tzinfo=UTC)),
    ):
        assert seconds_measured(measured[BERLIN], start, end) is None


def test_without_working_hours_nothing_is_assumed(bi: Bi) -> None:
    bi.load()
    prepare_candidate(bi.warehouse, bi.candidate, calendar=Calendar("Europe/Berlin"))

    with closing(connect_utc(bi.candidate, read_only=True)) as connection:
        start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC)
        assert seconds_measured(connection, start, end) is None


def test_a_provider_whose_clock_is_wrong_by_centuries_asks_for_no_hours_there(bi: Bi) -> None:
    bi.load()
    with closing(connect_utc(bi.warehouse)) as connection:
        connection.execute("update normalized.leads set updated_at = '4711-01-01 00:00:00+00'")
    prepare_candidate(bi.warehouse, bi.candidate, calendar=BERLIN)

    [(last,)] = read(bi.candidate, "select max(starts_at) from internal.working_time")
    assert last <= datetime(2100, 1, 2, tzinfo=UTC)


def test_without_leads_there_is_no_working_time_and_no_error(bi: Bi) -> None:
    bi.load(leads=())
    prepare_candidate(bi.warehouse, bi.candidate, calendar=BERLIN)

    assert read(bi.candidate, "from internal.working_time") == []


def test_settings_are_the_calendar(tmp_path: Path) -> None:
    settings = settings_in(
        tmp_path, timezone="Europe/Berlin", working_hours="mon-fri 9:00-17:30", holidays="de-be"
    )

    assert calendar_of(settings) == Calendar("Europe/Berlin", "Mon-Fri 09:00-17:30", "DE-BE")


def test_the_file_says_what_its_days_are_and_a_rollback_says_what_it_said(bi: Bi) -> None:
    said = "select distinct time_zone, working_hours, holidays from meta.publish"
    bi.build(calendar=BERLIN)
    bi.publish(published_at=at(1))
    assert read(bi.published, said) == [("Europe/Berlin", BERLIN.working_hours, "DE-BE")]

    bi.build(run_id="another zone")
    bi.publish("another zone", published_at=at(2))
    assert read(bi.published, said) == read(bi.published, "from meta.calendar")
    assert read(bi.published, said) == [("UTC", None, None)]

    roll_back(bi.published, to=None, masking_key_id=None)
    assert read(bi.published, said) == [("Europe/Berlin", BERLIN.working_hours, "DE-BE")]
