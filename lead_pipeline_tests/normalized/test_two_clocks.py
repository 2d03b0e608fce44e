"""What was served, and when, decides; `updated_at` only narrows it.

The truths here are what a server showed at polls: no bound may contradict one.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lead_pipeline.landing.commits import Window, load, save
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.verify import verify
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, mega_lead, vorel_lead
from lead_pipeline.sandbox.mega_business import STAGES
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import (
    CrawlPlan,
    Landing,
    query,
    table,
    without_digests,
)
from lead_pipeline_tests.normalized.test_stage_history import event, history, pick
from lead_pipeline_tests.pulling import at, settings_in

SECOND = timedelta(seconds=1)
BOUNDS = ("stage", "entered_after", "entered_at", "exited_at")


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


def poll(landing: Landing, moment: datetime, record: Any, provider: str = "vorel") -> None:
    """One crawl that fetched the record at the moment of our clock; its `Date` says the same."""
    name = f"{moment:%dT%H%M%S}"
    landing.land(CrawlPlan(name, provider, [[record]], at=moment, served_at=moment))


# Bounds --------------------------------------------------------------------------------------


def test_a_change_without_a_new_update_time_lies_between_the_two_polls(landing: Landing) -> None:
    for day in (3, 4, 5):
        poll(landing, at(day, 2), vorel_lead(1, at(1), at(2), status="new"))
    poll(landing, at(6, 2), vorel_lead(1, at(1), at(2), status="lost"))
    assert pick(history(landing.settings), *BOUNDS) == [
        ("new", at(1), at(2), at(6, 2) + SECOND),
        ("lost", at(5, 2), at(6, 2) + SECOND, None),
    ]


def test_an_update_time_between_the_two_polls_narrows_the_end(landing: Landing) -> None:
    poll(landing, at(5, 2), vorel_lead(1, at(1), at(1), status="new"))
    poll(landing, at(6, 2), vorel_lead(1, at(1), at(5, 14), status="lost"))
    assert pick(history(landing.settings), *BOUNDS)[1] == ("lost", at(5, 2), at(5, 14), None)


def test_an_update_time_after_the_poll_that_showed_it_is_not_believed(landing: Landing) -> None:
    poll(landing, at(5, 2), vorel_lead(1, at(1), at(1), status="new"))
    poll(
        landing,
        at(6, 2),
        vorel_lead(1, at(1), datetime(2099, 1, 1, tzinfo=at(1).tzinfo), status="lost"),
    )
    assert pick(history(landing.settings), *BOUNDS)[1] == (
        *("lost", at(5, 2), at(6, 2) + SECOND, None),
    )


def test_a_time_of_our_own_clock_is_not_rounded(landing: Landing) -> None:
    moment = at(6, 2) + timedelta(milliseconds=250)
    poll(landing, at(5, 2), vorel_lead(1, at(1), at(2), status="new"))
    poll(landing, moment, vorel_lead(1, at(1), at(2), status="lost"))
    assert history(landing.settings)[1]["entered_at"] == moment


def test_files_of_an_earlier_release_were_served_when_they_were_fetched(landing: Landing) -> None:
    poll(landing, at(5, 2), vorel_lead(1, at(1), at(2), status="new"))
    poll(landing, at(6, 2), vorel_lead(1, at(1), at(2), status="lost"))
    for path in landing.settings.landing_path.rglob("date=*/*.parquet"):
        with path.open("rb") as source:
            rows = pq.read_table(source)
        pq.write_table(rows.drop_columns(["served_at"]), path)
    without_digests(landing.settings)
    first, second = history(landing.settings)
    # Fetched a second after the crawl began, by a clock without whole seconds only by chance.
    assert (first["stage"], second["entered_after"]) == ("new", at(5, 2) + SECOND)


# As served last ------------------------------------------------------------------------------


def test_a_lead_is_as_it_was_served_last_though_its_update_time_went_back(
    landing: Landing,
) -> None:
    """A backup was restored: the state of the 2nd comes again after that of the 4th."""
    poll(landing, at(3, 2), vorel_lead(1, at(1), at(2), status="new", name="Ann"))
    poll(landing, at(5, 2), vorel_lead(1, at(1), at(4), status="booked", name="Ann B."))
    poll(landing, at(6, 2), vorel_lead(1, at(1), at(2), status="new", name="Ann"))
    rows = pick(history(landing.settings), *BOUNDS)
    assert rows == [
        ("new", at(1), at(2), at(4)),
        ("booked", at(3, 2), at(4), at(6, 2) + SECOND),
        ("new", at(5, 2), at(6, 2) + SECOND, None),
    ]
    [lead] = table(landing.settings, "leads")
    assert (lead["full_name"], lead["updated_at"], lead["stage"]) == ("Ann", at(2), "new")


def test_a_time_far_in_the_future_is_shown_as_the_time_of_the_answer(landing: Landing) -> None:
    future = datetime(2099, 12, 30, tzinfo=at(1).tzinfo)
    poll(landing, at(3, 2), vorel_lead(1, future, future))
    load_landing(landing.settings)
    [lead] = table(landing.settings, "leads")
    assert (lead["created_at"], lead["updated_at"]) == (None, at(3, 2))


@pytest.mark.parametrize("year", [1970, 1989])
def test_a_year_that_stands_for_an_empty_date_is_no_time(year: int, landing: Landing) -> None:
    poll(landing, at(3, 2), vorel_lead(1, datetime(year, 1, 1, tzinfo=at(1).tzinfo), at(2)))
    load_landing(landing.settings)
    [lead] = table(landing.settings, "leads")
    assert lead["created_at"] is None


def test_a_planned_meeting_is_no_interaction_yet(landing: Landing) -> None:
    meeting = {"last_interaction_at": "2031-05-01T10:00:00Z"}
    poll(landing, at(3, 2), mega_lead(1, at(1), at(2), **meeting), "mega")
    load_landing(landing.settings)
    assert [row["last_interaction_at"] for row in table(landing.settings, "leads")] == [None]
    poll(
        landing,
        datetime(2031, 5, 2, tzinfo=at(1).tzinfo),
        mega_lead(1, at(1), at(2), **meeting),
        "mega",
    )
    load_landing(landing.settings)
    [lead] = table(landing.settings, "leads")
    assert lead["last_interaction_at"] == datetime(2031, 5, 1, 10, tzinfo=at(1).tzinfo)


# The same state, the same stage --------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":[2,3]}', '{ "b": [2.0, 3e0], "a": 1.0 }'),
        ('{"name":"Zo\\u00eb"}', '{"name":"Zoë"}'),
        ('{"n":{"x":null,"y":true}}', '{"n":{"y":true,"x":null}}'),
    ],
)
def test_custom_fields_are_compared_as_values(one: str, other: str, landing: Landing) -> None:
    for day, text in ((3, one), (4, other)):
        record = vorel_lead(1, at(1), at(2), attributes="HERE")
        poll(landing, at(day), json.dumps(record).replace('"HERE"', text).encode())
    load_landing(landing.settings)
    [version] = table(landing.settings, "lead_versions")
    # Its bytes are those that came last.
    assert other in version["payload"]


@pytest.mark.parametrize("other", ['{"a":"1"}', '{"a":[1]}', '{"a":1,"b":null}', '{"A":1}'])
def test_other_values_are_another_state(other: str, landing: Landing) -> None:
    for day, text in ((3, '{"a":1}'), (4, other)):
        record = vorel_lead(1, at(1), at(2), attributes="HERE")
        poll(landing, at(day), json.dumps(record).replace('"HERE"', text).encode())
    load_landing(landing.settings)
    assert len(table(landing.settings, "lead_versions")) == 2


def test_a_renamed_stage_is_the_same_stage_with_a_new_name(landing: Landing) -> None:
    stage = STAGES[1]
    renamed = {**stage, "slug": "in_touch", "name": "In touch"}
    poll(landing, at(3), mega_lead(1, at(1), at(2), current_stage=stage), "mega")
    poll(landing, at(5), mega_lead(1, at(1), at(4), current_stage=renamed), "mega")
    columns = ("provider_stage", "provider_stage_name", "entered_at", "exited_at")
    assert pick(history(landing.settings), *columns) == [("in_touch", "In touch", at(2), None)]


def test_another_stage_under_the_old_name_is_another_stage(landing: Landing) -> None:
    other = {**STAGES[1], "id": "00000000-0000-4000-8000-00000000abcd"}
    poll(landing, at(3), mega_lead(1, at(1), at(2), current_stage=STAGES[1]), "mega")
    poll(landing, at(5), mega_lead(1, at(1), at(4), current_stage=other), "mega")
    assert len(history(landing.settings)) == 2


# The log and the list -------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [1, 4, 17, 140, 800])
@pytest.mark.parametrize("poll_after", [2, 3600])
def test_a_change_that_the_log_tells_later_than_the_list_is_one_change(
    lag: int, poll_after: int, landing: Landing
) -> None:
    changed = at(4, 10)

    def lead(stage: str, updated_at: datetime) -> Any:
        return expert_ai_labs_lead(1, at(1), updated_at, pipeline_stage=stage)

    poll(landing, at(3), lead("new", at(2)), "expert_ai_labs")
    poll(landing, changed + poll_after * SECOND, lead("contacted", changed), "expert_ai_labs")
    logged = event(1, changed + lag * SECOND, "new", "contacted")
    landing.land(
        CrawlPlan(
            "log", "expert_ai_labs", [[logged]], stream="lead_events", window=Window(at(1), at(9))
        )
    )
    rows = pick(history(landing.settings), "provider_stage", "evidence")
    assert [stage for stage, _ in rows] == ["new", "contacted"]
    assert rows[1][1] == "audit_log"


# What crawls prove by what they do not bring ----------------------------------------------------


def first_crawl(landing: Landing) -> None:
    """The crawl that brings lead 1, in its first stage, and reads on to its own start."""
    plan = CrawlPlan(
        "05",
        "mega",
        [[mega_lead(1, at(1), at(2), current_stage=STAGES[0])]],
        at=at(5, 2),
        served_at=at(5, 2),
        window=Window(None, at(5)),
        reads_to_start=True,
    )
    landing.land(plan)


def quiet_crawl(landing: Landing, moment: datetime, number: int) -> None:
    """A complete crawl of the night that read on to its own start, and brought another lead."""
    window = Window(at(moment.day - 1), at(moment.day))
    plan = CrawlPlan(
        f"{moment:%dT%H%M%S}",
        "mega",
        [[mega_lead(number, at(1), moment - timedelta(hours=3))]],
        at=moment,
        served_at=moment,
        window=window,
        reads_to_start=True,
    )
    landing.land(plan)


def test_a_lead_that_complete_crawls_did_not_bring_had_not_changed(landing: Landing) -> None:
    first_crawl(landing)
    for day in (6, 7, 8):
        quiet_crawl(landing, at(day, 2), day)
    poll(landing, at(9, 2), mega_lead(1, at(1), at(8, 14), current_stage=STAGES[1]), "mega")
    rows = query(landing.settings, *_bounds_of_lead_1(landing))
    assert [(row["entered_after"], row["entered_at"]) for row in rows][1] == (at(8, 2), at(8, 14))


def test_a_night_that_was_missed_leaves_the_bounds_wide(landing: Landing) -> None:
    first_crawl(landing)
    # The night to the 7th is missing.
    for day in (6, 9):
        quiet_crawl(landing, at(day, 2), day)
    poll(landing, at(10, 2), mega_lead(1, at(1), at(9, 14), current_stage=STAGES[1]), "mega")
    rows = query(landing.settings, *_bounds_of_lead_1(landing))
    assert rows[1]["entered_after"] == at(5, 2)


def test_an_incomplete_crawl_proves_nothing(landing: Landing) -> None:
    poll(landing, at(5, 2), mega_lead(1, at(1), at(2), current_stage=STAGES[0]), "mega")
    quiet_crawl(landing, at(6, 2), 6)
    path = landing.settings.landing_path / "mega" / "_crawls" / "06T020000.json"
    commit = load(path)
    commit.complete, commit.state = False, "running"
    save(landing.settings.landing_path, commit)
    poll(landing, at(7, 2), mega_lead(1, at(1), at(6, 14), current_stage=STAGES[1]), "mega")
    rows = query(landing.settings, *_bounds_of_lead_1(landing))
    assert rows[1]["entered_after"] == at(5, 2)


def test_an_update_that_a_crawl_should_have_brought_and_did_not_is_not_believed(
    landing: Landing,
) -> None:
    """Shown late, or stamped with another time than its own: from outside, the two look alike."""
    first_crawl(landing)
    for day in (6, 7, 8):
        quiet_crawl(landing, at(day, 2), day)
    poll(landing, at(9, 2), mega_lead(1, at(1), at(6, 14), current_stage=STAGES[1]), "mega")
    rows = query(landing.settings, *_bounds_of_lead_1(landing))
    assert (rows[1]["entered_after"], rows[1]["entered_at"]) == (at(5, 2), at(9, 2) + SECOND)


def test_a_stage_that_changed_without_its_update_time_was_not_seen_by_crawls_by_time(
    landing: Landing,
) -> None:
    first_crawl(landing)
    quiet_crawl(landing, at(6, 2), 6)
    poll(landing, at(7, 2), mega_lead(1, at(1), at(2), current_stage=STAGES[1]), "mega")
    rows = query(landing.settings, *_bounds_of_lead_1(landing))
    assert (rows[1]["entered_after"], rows[1]["entered_at"]) == (at(5, 2), at(7, 2) + SECOND)


def _bounds_of_lead_1(landing: Landing) -> tuple[str, str]:
    load_landing(landing.settings)
    return (
        "select entered_after, entered_at from normalized.lead_stage_history "
        "where lead_id = ? order by stage_number",
        mega_lead(1)["id"],
    )


def test_crawls_loaded_in_any_order_give_the_same_tables(tmp_path: Path) -> None:
    """The crawl that narrows a bound may be loaded after the one whose state it bounds."""
    found = []
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        landing = Landing(settings_in(tmp_path / "".join(map(str, order))))
        for step in order:
            if step == 0:
                first_crawl(landing)
            elif step == 3:
                poll(
                    landing,
                    at(9, 2),
                    mega_lead(1, at(1), at(8, 14), current_stage=STAGES[1]),
                    "mega",
                )
            else:
                quiet_crawl(landing, at(5 + step, 2), 5 + step)
            load_landing(landing.settings)
        assert all(comparison.is_equal for comparison in verify(landing.settings))
        found.append(history(landing.settings))
    assert found[0] == found[1] == found[2]


# Against what really happened --------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_no_bound_contradicts_what_a_poll_showed(seed: int, landing: Landing) -> None:
    """Polls of leads whose `updated_at` moves as it likes: with a change, without, backwards, far off."""
    chance = random.Random(seed)  # noqa: S311 - invented courses
    shown: list[tuple[datetime, str]] = []
    stage = "new"
    for day in range(3, 15):
        if chance.random() < 0.4:
            stage = chance.choice(["new", "qualified", "booked", "lost"])
        updated_at = chance.choice([at(day - 1, 20), at(2), at(day, 1), at(28), at(day - 2)])
        moment = at(day, 2) + timedelta(minutes=chance.randint(0, 50))
        poll(landing, moment, vorel_lead(1, at(1), updated_at, status=stage))
        shown.append((moment, stage))
    rows = history(landing.settings)
    runs = [
        (name, [moment for moment, _ in run])
        for name, run in itertools.groupby(shown, key=lambda item: item[1])
    ]
    assert [row["stage"] for row in rows] == [name for name, _ in runs]
    check_against_polls(rows, runs)


def check_against_polls(rows: Sequence[Any], runs: Sequence[tuple[str, list[datetime]]]) -> None:
    """Each stage began after the last poll of the one before, and by the first of its own."""
    for before, (row, (_, moments)) in zip(
        [None, *runs], zip(rows, runs, strict=True), strict=False
    ):
        assert row["entered_at"] <= moments[0] + SECOND
        if before is not None:
            assert before[1][-1] <= row["entered_after"] <= row["entered_at"]
