"""Working time, against a loop over every minute that asks what the clock on the wall shows.

.env.example: a moment is working time if the clocks of the zone then show a time within the hours of
that day, and the day is no public holiday.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.working_time import (
    parse_holidays,
    parse_working_hours,
    public_holidays,
    working_intervals,
)

MINUTE = timedelta(minutes=1)

Week = Mapping[str, Sequence[tuple[str, str]]]
"""From when until when, by the day that a calendar on the wall shows."""

CHANGES = {
    # Clocks go forward on one of these days, back on the other.
    "America/New_York": (datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
    "Europe/Berlin": (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)),
    # By half an hour.
    "Australia/Lord_Howe": (datetime(2026, 10, 3, tzinfo=UTC), datetime(2026, 4, 4, tzinfo=UTC)),
    "Asia/Kolkata": (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
    "UTC": (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
}


def minutes_worked(week: Week, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Every minute of [start, end) in which somebody works."""
    worked, moment = [], start
    while moment < end:
        wall = moment.astimezone(ZoneInfo(zone))
        hours = week.get(wall.strftime("%a"), ())
        if any(begin <= wall.strftime("%H:%M") < stop for begin, stop in hours):
            worked.append(moment)
        moment += MINUTE
    return worked


def minutes_found(week: Week, zone: str, start: datetime, end: datetime) -> list[datetime]:
    text = ", ".join(
        f"{day} {begin}-{stop}" for day, hours in week.items() for begin, stop in hours
    )
    found = []
    for begin, stop in working_intervals(parse_working_hours(text), ZoneInfo(zone), start, end):
        while begin < stop:
            found.append(begin)
            begin += MINUTE
    return found


times = st.integers(0, 24 * 60).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
hours_of_a_day = st.lists(times, min_size=2, max_size=4, unique=True).map(
    lambda moments: list(zip(sorted(moments)[::2], sorted(moments)[1::2], strict=False))
)
weeks = st.dictionaries(
    st.sampled_from(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]), hours_of_a_day, min_size=1
)


@pytest.mark.parametrize("zone", CHANGES)
@given(
    week=weeks,
    changes_back=st.booleans(),
    before=st.integers(0, 36 * 60),
    length=st.integers(0, 4 * 24 * 60),
)
def test_a_minute_is_worked_if_the_clock_on_the_wall_shows_working_hours(
    zone: str, week: Week, changes_back: bool, before: int, length: int
) -> None:
    start = CHANGES[zone][changes_back] - timedelta(minutes=before)
    end = start + timedelta(minutes=length)

    assert minutes_found(week, zone, start, end) == minutes_worked(week, zone, start, end)


def test_hours_that_a_change_of_clocks_leaves_out_are_not_worked() -> None:
    night = parse_working_hours("Sun 01:00-04:00")
    zone = ZoneInfo("America/New_York")
    start, end = datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC)

    # 02:00 EST is 03:00 EDT: two hours, without a gap.
    assert list(working_intervals(night, zone, start, end)) == [
        (datetime(2026, 3, 8, 6, tzinfo=UTC), datetime(2026, 3, 8, 8, tzinfo=UTC))
    ]


def test_hours_that_a_change_of_clocks_repeats_are_worked_twice() -> None:
    night = parse_working_hours("Sun 01:00-01:30")
    zone = ZoneInfo("America/New_York")
    start, end = datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)

    assert list(working_intervals(night, zone, start, end)) == [
        (datetime(2026, 11, 1, 5, 0, tzinfo=UTC), datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        (datetime(2026, 11, 1, 6, 0, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
    ]


def test_hours_until_midnight_and_from_it_are_one_interval() -> None:
    night = parse_working_hours("Fri 22:00-24:00, Sat 00:00-02:00")
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 7, tzinfo=UTC)

    assert list(working_intervals(night, ZoneInfo("UTC"), start, end)) == [
        (datetime(2026, 1, 2, 22, tzinfo=UTC), datetime(2026, 1, 3, 2, tzinfo=UTC))
    ]


def test_nobody_works_on_a_public_holiday_of_the_zones_calendar() -> None:
    # 3 October 2025, a Friday: German Unity Day. 8 March is a holiday in Berlin, not in Bavaria.
    hours, zone = parse_working_hours("Mon-Sun 00:00-24:00"), ZoneInfo("Europe/Berlin")
    start, end = datetime(2025, 10, 2, 12, tzinfo=UTC), datetime(2025, 10, 4, 12, tzinfo=UTC)

    assert list(working_intervals(hours, zone, start, end, "DE")) == [
        (start, datetime(2025, 10, 2, 22, tzinfo=UTC)),
        (datetime(2025, 10, 3, 22, tzinfo=UTC), end),
    ]
    march = date(2026, 3, 1), date(2026, 3, 31)
    assert public_holidays("DE-BE", *march) == {date(2026, 3, 8)}
    assert public_holidays("DE-BY", *march) == set()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Mon-Fri 09:00-17:30, Sat 10:00-14:00", "Mon-Fri 09:00-17:30, Sat 10:00-14:00"),
        ("mon - fri 9:00 - 17:30", "Mon-Fri 09:00-17:30"),
        ("Fri-Mon 08:00-16:00", "Mon 08:00-16:00, Fri-Sun 08:00-16:00"),
        (
            "Mon-Thu 13:00-18:00, Mon-Thu 08:00-12:00",
            "Mon-Thu 08:00-12:00, Mon-Thu 13:00-18:00",
        ),
    ],
)
def test_hours_are_read_and_written_again_in_one_form(text: str, read: str) -> None:
    hours = parse_working_hours(text)

    assert str(hours) == read
    assert parse_working_hours(read) == hours


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Mon-Fri 9-17", r"cannot be read at 'Mon-Fri 9-17'; write it as Mon-Fri 09:00-17:30"),
        ("Mon-Fry 09:00-17:00", r"names 'Fry', which is no day; days are Mon, Tue"),
        ("Fri 22:00-02:00", r"two entries, such as Fri 22:00-24:00, Sat 00:00-02:00"),
        ("Mon 09:00-09:00", r"do not end after their beginning"),
        ("Mon 09:00-24:30", r"no time of a day at '24:30'"),
        ("Mon 09:75-10:00", r"no time of a day at '09:75'"),
        ("Mon 09:00-12:00, Mon-Tue 11:59-13:00", r"hours on Mon that overlap"),
        ("Mon 09:00-12:00,", r"cannot be read at ''"),
    ],
)
def test_hours_that_cannot_be_meant_are_told_with_the_entry(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_working_hours(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [("DE", "DE"), ("de-be", "DE-BE"), ("US-CA", "US-CA"), ("FR-zone a", "FR-Zone A")],
)
def test_holidays_are_named_by_country_and_subdivision(text: str, read: str) -> None:
    assert parse_holidays(text) == read


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Atlantis", r"'Atlantis', which is no country"),
        ("DE-XX", r"'XX', which is no subdivision of DE .* it knows BB, BE, "),
        ("DE-", r"'', which is no subdivision of DE"),
        ("SG-01", r"it knows none"),
    ],
)
def test_holidays_of_nowhere_are_told_with_what_there_is(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_holidays(text)
