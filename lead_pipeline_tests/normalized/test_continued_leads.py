"""Leads that a load only continues: their history is not read again, and ends in the same rows."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest

from lead_pipeline.landing.commits import Window
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.verify import verify
from lead_pipeline.sandbox.examples import mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing, query
from lead_pipeline_tests.pulling import at

STATUSES = ("new", "contacted", "new", "new", "booked")
"""Of a lead in nights that follow each other."""
INTERVALS = [(1, "new"), (2, "contacted"), (3, "new"), (4, "booked")]


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


def night(
    landing: Landing, day: int, served: datetime | None = None, created: int = 1, **fields: Any
) -> None:
    """Land and load a lead as it was changed on `day`, served in the night after it."""
    moment = served or at(day + 1, 2)
    status = STATUSES[min(day - 2, len(STATUSES) - 1)]
    landing.leads(
        "vorel",
        vorel_lead(1, at(created), at(day), status=status, **fields),
        at=moment,
        served_at=moment,
        window=Window(None, moment),
    )
    load_landing(landing.settings)


def execute(landing: Landing, statement: str) -> None:
    with closing(duckdb.connect(str(landing.settings.warehouse_path))) as connection:
        connection.execute(statement)


def intervals(landing: Landing) -> list[tuple[int, str]]:
    """Number and status of each stage interval."""
    rows = query(
        landing.settings,
        "select stage_number, provider_stage from normalized.lead_stage_history order by all",
    )
    return [(row["stage_number"], row["provider_stage"]) for row in rows]


def differing(landing: Landing) -> list[str]:
    return [found.table for found in verify(landing.settings) if not found.is_equal]


def test_night_by_night_and_all_at_once_are_the_same(landing: Landing) -> None:
    for day in range(2, 2 + len(STATUSES)):
        night(landing, day)
        assert differing(landing) == []
    assert intervals(landing) == INTERVALS


def test_older_observations_of_a_continued_lead_are_not_read(landing: Landing) -> None:
    for day in range(2, 1 + len(STATUSES)):
        night(landing, day)
    execute(landing, "delete from normalized.lead_observations")
    night(landing, 1 + len(STATUSES))
    assert intervals(landing) == INTERVALS


def test_a_record_that_was_served_before_is_put_in_its_place(landing: Landing) -> None:
    for day in (2, 3, 6):
        night(landing, day)
    assert intervals(landing) == [(1, "new"), (2, "contacted"), (3, "booked")]
    night(landing, 4)
    assert intervals(landing) == INTERVALS
    assert differing(landing) == []


def test_a_record_that_was_served_at_the_same_moment_is_put_in_its_place(landing: Landing) -> None:
    night(landing, 2)
    night(landing, 3, served=at(9))
    night(landing, 4, served=at(9))
    assert differing(landing) == []


def test_another_creation_bounds_the_first_interval_anew(landing: Landing) -> None:
    night(landing, 4, created=4)
    [before] = query(landing.settings, "select evidence from normalized.lead_stage_history")
    night(landing, 5, created=1)
    after = query(landing.settings, "select evidence from normalized.lead_stage_history order by 1")
    assert before["evidence"] == "created"
    assert [row["evidence"] for row in after] == ["observed"]
    assert differing(landing) == []


def test_a_lead_that_a_night_brings_twice_is_continued_by_both(landing: Landing) -> None:
    night(landing, 2)
    for hour, status in ((2, "contacted"), (3, "booked")):
        moment = at(4, hour)
        landing.leads(
            "mega",
            mega_lead(1, at(1), at(3, hour)),
            at=moment,
            served_at=moment,
            window=Window(None, moment),
        )
        landing.leads(
            "vorel",
            vorel_lead(1, at(1), at(3, hour), status=status),
            at=moment + timedelta(minutes=1),
            served_at=moment,
            window=Window(None, moment),
        )
    load_landing(landing.settings)
    assert differing(landing) == []
