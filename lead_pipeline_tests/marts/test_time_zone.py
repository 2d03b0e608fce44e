"""The days of a file are those of its time zone: the same landing, built in several.

docs/marts.md: a moment lies on the day that the wall clock of the file's zone shows. What is true
of each zone stands here as the zone's calendar has it, written by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from lead_pipeline.bi.calendar import Calendar
from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline.landing.commits import Window
from lead_pipeline.normalized.load import load_landing
from lead_pipeline_tests.marts.building import rows_of, run_dbt
from lead_pipeline_tests.normalized.landings import CrawlPlan, Landing
from lead_pipeline_tests.pulling import MAKE_LEAD, at, settings_in

SUNDAY, MONDAY, LATE = 1, 2, 3
CREATED = {
    SUNDAY: at(4, 23, 30),
    MONDAY: at(5, 4, 59),
    LATE: at(5, 18, 30),
}
"""When each lead was created, in UTC: 4 January 2026 is a Sunday."""


@dataclass(frozen=True)
class Days:
    """What the calendar of a zone says."""

    created: Mapping[int, date]
    weeks: Mapping[int, date]
    last_day: date
    """The day to which data until 7 January 00:00 UTC reaches."""


WEEK_BEFORE, WEEK = date(2025, 12, 29), date(2026, 1, 5)
FOURTH, FIFTH, SIXTH, SEVENTH = (date(2026, 1, day) for day in (4, 5, 6, 7))
ZONES = {
    "UTC": Days(
        {SUNDAY: FOURTH, MONDAY: FIFTH, LATE: FIFTH},
        {SUNDAY: WEEK_BEFORE, MONDAY: WEEK, LATE: WEEK},
        SIXTH,
    ),
    # Five hours behind: Monday begins at 05:00 UTC.
    "America/New_York": Days(
        {SUNDAY: FOURTH, MONDAY: FOURTH, LATE: FIFTH},
        {SUNDAY: WEEK_BEFORE, MONDAY: WEEK_BEFORE, LATE: WEEK},
        SIXTH,
    ),
    # Five and a half hours ahead: the 6th begins at 18:30 UTC of the 5th.
    "Asia/Kolkata": Days(
        {SUNDAY: FIFTH, MONDAY: FIFTH, LATE: SIXTH},
        {SUNDAY: WEEK, MONDAY: WEEK, LATE: WEEK},
        SEVENTH,
    ),
}


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """One warehouse, built in each zone; every test of the marts has passed in each."""
    folder = tmp_path_factory.mktemp("zones")
    settings = settings_in(folder / "home")
    landing = Landing(settings)
    until = at(7)
    leads = [MAKE_LEAD["mega"](number, moment) for number, moment in CREATED.items()]
    landing.land(CrawlPlan("night", "mega", [leads], at=until, window=Window(None, until)))
    load_landing(settings)
    built = {}
    for zone in ZONES:
        path = folder / zone.replace("/", "_") / "leads.duckdb"
        prepare_candidate(settings.warehouse_path, path, calendar=Calendar(zone))
        run_dbt(path.parent / "target", path, "build", "--exclude-resource-type", "unit_test")
        built[zone] = path
    return built


def number_of(lead_key: str) -> int:
    """The number that the lead was made with."""
    ids = {
        str(MAKE_LEAD["mega"](number, moment)["id"]): number for number, moment in CREATED.items()
    }
    return ids[lead_key.partition(":")[2]]


@pytest.mark.parametrize("zone", ZONES)
def test_a_lead_is_there_from_the_day_that_the_clocks_of_the_zone_showed(
    zone: str, candidates: Mapping[str, Path]
) -> None:
    first: dict[int, date] = {}
    for row in rows_of(candidates[zone], "marts.lead_daily_history"):
        number = number_of(row["lead_key"])
        first[number] = min(first.get(number, row["date_day"]), row["date_day"])

    assert first == ZONES[zone].created


@pytest.mark.parametrize("zone", ZONES)
def test_days_end_with_the_last_one_of_which_the_data_knows_a_part(
    zone: str, candidates: Mapping[str, Path]
) -> None:
    days = [row["date_day"] for row in rows_of(candidates[zone], "marts.stage_funnel_daily")]

    assert (min(days), max(days)) == (
        min(ZONES[zone].created.values()),
        ZONES[zone].last_day,
    )


@pytest.mark.parametrize("zone", ZONES)
def test_weeks_begin_with_the_zones_monday(zone: str, candidates: Mapping[str, Path]) -> None:
    expected: dict[date, int] = {}
    for monday in ZONES[zone].weeks.values():
        expected[monday] = expected.get(monday, 0) + 1

    found: dict[date, int] = {}
    for row in rows_of(candidates[zone], "marts.funnel_by_cohort"):
        found[row["cohort_week"]] = found.get(row["cohort_week"], 0) + row["leads"]
    assert found == expected


def test_moments_are_the_same_in_every_zone(candidates: Mapping[str, Path]) -> None:
    for path in candidates.values():
        created = {row["created_at"] for row in rows_of(path, "marts.lead_facts")}
        ends = {row["data_until"] for row in rows_of(path, "intermediate.int_account_horizons")}
        assert created == set(CREATED.values())
        assert ends == {at(7)}
