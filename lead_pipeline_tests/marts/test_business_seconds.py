"""Working hours in marts, against a table of all minutes that asks what the clocks showed.

docs/bi.md: a second is working time if a clock of the zone then shows a time within the hours of its
day, and the day is no public holiday; bounds contain whatever the evidence leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lead_pipeline.bi.calendar import Calendar
from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline_tests.marts.building import rows_of, run_dbt
from lead_pipeline_tests.marts.world import World
from lead_pipeline_tests.sample_builds import MASK

NEW_YORK = Calendar(
    "America/New_York", "Mon-Fri 08:30-12:00, Mon-Fri 13:00-18:15, Sun 01:00-04:00", "US"
)
WORKDAY = (("08:30", "12:00"), ("13:00", "18:15"))
HOURS = dict.fromkeys(("Mon", "Tue", "Wed", "Thu", "Fri"), WORKDAY) | {"Sun": (("01:00", "04:00"),)}
HOLIDAYS = {date(2026, 1, 1), date(2026, 1, 19), date(2026, 2, 16)}
"""New Year, Martin Luther King's birthday, Washington's birthday. On 8 March, clocks go forward."""
BEGIN, DAYS = datetime(2025, 12, 25, tzinfo=UTC), 120
MINUTE, MICROSECOND = timedelta(minutes=1), timedelta(microseconds=1)


def is_working(moment: datetime) -> bool:
    wall = moment.astimezone(ZoneInfo("America/New_York"))
    hours = () if wall.date() in HOLIDAYS else HOURS.get(wall.strftime("%a"), ())
    return any(begin <= wall.strftime("%H:%M") < end for begin, end in hours)


MINUTES = [is_working(BEGIN + number * MINUTE) for number in range(DAYS * 24 * 60)]
WORKED = [0, *accumulate(MINUTES)]
"""Minutes worked before each."""


def microseconds_until(moment: datetime) -> int:
    """Worked since BEGIN."""
    number, rest = divmod(moment - BEGIN, MINUTE)
    return WORKED[number] * (MINUTE // MICROSECOND) + MINUTES[number] * (rest // MICROSECOND)


def seconds_worked(start: datetime | None, end: datetime | None) -> int | None:
    if start is None or end is None:
        return None
    return max(microseconds_until(end) - microseconds_until(start), 0) // 1_000_000


@pytest.fixture(scope="module", params=["as served", "masked"])
def candidate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty days of a business, over a change of clocks; every test of the marts has passed."""
    folder = tmp_path_factory.mktemp("hours")
    world = World.invent(leads=150, days=80, seed=20260308)
    warehouse = world.write_warehouse(folder / "warehouse.duckdb")
    mask = MASK if request.param == "masked" else None
    prepare_candidate(warehouse, folder / "leads.duckdb", mask, NEW_YORK)
    arguments = ("build", "--exclude-resource-type", "unit_test")
    run_dbt(folder / "target", folder / "leads.duckdb", *arguments)
    return folder / "leads.duckdb"


def facts_of(candidate: Path) -> Mapping[str, dict[str, Any]]:
    return {row["lead_key"]: row for row in rows_of(candidate, "marts.lead_facts")}


def test_responses_take_the_seconds_that_were_worked(candidate: Path) -> None:
    facts = facts_of(candidate)

    assert {
        key: (row["response_business_seconds_lower"], row["response_business_seconds_upper"])
        for key, row in facts.items()
    } == {
        key: (
            seconds_worked(row["created_at"], row["response_after"]),
            seconds_worked(row["created_at"], row["response_at"]),
        )
        for key, row in facts.items()
    }
    assert len({row["response_business_seconds_upper"] for row in facts.values()}) > 20


def test_visits_last_the_seconds_that_were_worked(candidate: Path) -> None:
    facts = facts_of(candidate)
    visits = rows_of(candidate, "marts.stage_visits")
    for row in visits:
        until = facts[row["lead_key"]]["stage_known_until"]
        end = until if row["is_current"] else row["exited_at"]
        earliest = until if row["is_current"] else row["exited_after"] or row["entered_at"]
        entered, after = row["entered_at"], row["entered_after"]
        assert row["business_seconds_in_stage"] == seconds_worked(entered, end)
        assert row["business_seconds_in_stage_lower"] == seconds_worked(entered, earliest)
        assert row["business_seconds_in_stage_upper"] == seconds_worked(after, end)
    assert any(row["business_seconds_in_stage_upper"] is None for row in visits)
    assert {row["entered_at"] > datetime(2026, 3, 8, 7, tzinfo=UTC) for row in visits} == {
        True,
        False,
    }


def test_working_time_is_never_more_than_time(candidate: Path) -> None:
    for row in rows_of(candidate, "marts.stage_visits"):
        for name in ("seconds_in_stage", "seconds_in_stage_lower", "seconds_in_stage_upper"):
            assert (row[name] is None) == (row[f"business_{name}"] is None)
            assert row[name] is None or row[f"business_{name}"] <= row[name]
