"""The contract of `normalized.lead_stage_history`: one row per stage interval of a lead."""

from __future__ import annotations

import itertools
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.landing.commits import Window
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.sandbox.mega_business import STAGES
from lead_pipeline.sandbox.messages import Record, iso
from lead_pipeline.sandbox.tenants import EXPERT_AI_LABS_ORGANIZATION_ID
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import POLL, CrawlPlan, Landing, Row, query
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.pulling import at, settings_in

NEW, CONTACTED, QUALIFIED = STAGES[0], STAGES[1], STAGES[2]


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


def event(
    number: int, moment: datetime, before: str | None, after: str | None, name: str = ""
) -> Record:
    """A `lead.updated` event of the lead of this number that changed its stage."""
    key = f"{number} {moment} {before} {after} {name}"
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, key)),
        "organization_id": EXPERT_AI_LABS_ORGANIZATION_ID,
        "action": "lead.updated",
        "source": "api",
        "correlation_id": "c",
        "payload": {
            "lead_id": lead_id(number),
            "diff": {"pipeline_stage": {"from": before, "to": after}},
            "key_id": "k",
        },
        "created_at": iso(moment),
    }


def expert_lead(
    number: int, stage: str | None, updated_at: datetime, created_at: datetime | None = None
) -> Record:
    """A lead in the stage, created on 1 January unless said otherwise."""
    return expert_ai_labs_lead(
        number, created_at or at(1), updated_at=updated_at, pipeline_stage=stage
    )


def history(settings: Settings) -> list[Row]:
    """The intervals after a load, by lead and number."""
    load_landing(settings)
    return query(
        settings, "select * from normalized.lead_stage_history order by lead_key, stage_number"
    )


def pick(rows: Sequence[Row], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


# What was observed ---------------------------------------------------------------------------


def test_a_lead_first_seen_as_created_has_entered_its_stage_exactly_then(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1, at(5), current_stage=NEW))
    assert pick(history(landing.settings), "evidence", "entered_at", "entered_after") == [
        ("created", at(5), at(5))
    ]


def test_a_lead_first_seen_changed_entered_its_stage_between_creation_and_that_change(
    landing: Landing,
) -> None:
    landing.leads("mega", mega_lead(1, at(5), at(7), current_stage=NEW))
    assert pick(history(landing.settings), "evidence", "entered_after", "entered_at") == [
        ("observed", at(5), at(7))
    ]


def test_without_a_known_creation_nothing_is_known_of_the_earliest_beginning(
    landing: Landing,
) -> None:
    landing.leads("mega", mega_lead(1, at(5), at(7)) | {"created_at": None})
    assert pick(history(landing.settings), "evidence", "entered_after", "entered_at") == [
        ("observed", None, at(7))
    ]


def test_a_stage_seen_at_a_poll_began_after_the_last_version_that_showed_the_one_before(
    landing: Landing,
) -> None:
    landing.leads("vorel", vorel_lead(1, at(1), status="new"))
    landing.leads("vorel", vorel_lead(1, at(1), at(3), status="new", name="Omar R."))
    landing.leads("vorel", vorel_lead(1, at(1), at(6), status="qualified"))
    assert pick(history(landing.settings), "provider_stage", "entered_after", "entered_at") == [
        ("new", at(1), at(1)),
        ("qualified", at(3), at(6)),
    ]


def test_intervals_are_contiguous_and_the_newest_is_open(landing: Landing) -> None:
    for day, stage in ((1, NEW), (4, CONTACTED), (9, QUALIFIED)):
        landing.leads("mega", mega_lead(1, at(1), at(day), current_stage=stage))
    assert pick(history(landing.settings), "stage_number", "entered_at", "exited_at") == [
        (1, at(1), at(4)),
        (2, at(4), at(9)),
        (3, at(9), None),
    ]


def test_only_the_newest_interval_is_current(landing: Landing) -> None:
    for day, stage in ((1, NEW), (4, CONTACTED), (9, QUALIFIED)):
        landing.leads("mega", mega_lead(1, at(1), at(day), current_stage=stage))
    assert pick(history(landing.settings), "is_current") == [(False,), (False,), (True,)]


def test_a_stage_seen_again_after_another_is_a_new_interval(landing: Landing) -> None:
    for day, status in ((1, "new"), (2, "lost"), (3, "new")):
        landing.leads("vorel", vorel_lead(1, at(1), at(day), status=status))
    assert pick(history(landing.settings), "stage", "entered_at") == [
        ("new", at(1)),
        ("lost", at(2)),
        ("new", at(3)),
    ]


def test_a_change_that_leaves_the_stage_begins_no_interval(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1, at(1), score=10))
    landing.leads("mega", mega_lead(1, at(1), at(2), score=90))
    assert pick(history(landing.settings), "entered_at", "exited_at") == [(at(1), None)]


def test_a_change_of_the_status_alone_is_an_interval_of_its_own(landing: Landing) -> None:
    for day, status in ((1, "active"), (2, "lost"), (3, "active")):
        landing.leads("mega", mega_lead(1, at(1), at(day), current_stage=NEW, status=status))
    assert pick(history(landing.settings), "provider_status", "provider_stage", "stage") == [
        ("active", "new", "new"),
        ("lost", "new", "lost"),
        ("active", "new", "new"),
    ]


def test_an_interval_has_the_stage_s_id_and_newest_name(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1, at(1), current_stage=NEW))
    renamed = {**NEW, "name": "Brand new"}
    landing.leads("mega", mega_lead(1, at(1), at(2), current_stage=renamed))
    assert pick(history(landing.settings), "provider_stage_id", "provider_stage_name") == [
        (NEW["id"], "Brand new")
    ]


def test_a_lead_without_any_stage_has_an_interval_too(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1, at(1), current_stage=None))
    landing.leads("mega", mega_lead(1, at(1), at(2), current_stage=NEW))
    assert pick(history(landing.settings), "provider_stage", "stage") == [
        (None, "unmapped"),
        ("new", "new"),
    ]


def test_a_version_that_arrives_late_takes_its_place_in_the_middle(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, at(1), status="new"))
    landing.leads("vorel", vorel_lead(1, at(1), at(9), status="booked"))
    history(landing.settings)
    landing.leads("vorel", vorel_lead(1, at(1), at(4), status="qualified"))
    assert pick(history(landing.settings), "provider_stage", "entered_after", "exited_at") == [
        ("new", at(1), at(4)),
        ("qualified", at(1), at(9)),
        ("booked", at(4), None),
    ]


def test_intervals_of_one_lead_know_nothing_of_another_s(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, at(1)), vorel_lead(2, at(2), status="lost"))
    assert pick(history(landing.settings), "lead_id", "stage_number", "stage") == [
        (lead_id(1), 1, "new"),
        (lead_id(2), 1, "lost"),
    ]


# What the audit log says ---------------------------------------------------------------------


def test_a_logged_change_is_exact(landing: Landing) -> None:
    landing.leads("expert_ai_labs", expert_lead(1, "new", at(1)))
    landing.leads("expert_ai_labs", event(1, at(3, 9), "new", "won"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(3, 9)))
    assert pick(history(landing.settings), "stage", "evidence", "entered_after", "entered_at")[
        1:
    ] == [("won", "audit_log", at(3, 9), at(3, 9))]


def test_stages_between_two_polls_are_known_from_the_log(landing: Landing) -> None:
    landing.leads("expert_ai_labs", expert_lead(1, "new", at(1)))
    landing.leads(
        "expert_ai_labs",
        event(1, at(2), "new", "contacted"),
        event(1, at(3), "contacted", "new"),
        event(1, at(4), "new", "won"),
        stream="lead_events",
    )
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(4)))
    assert pick(history(landing.settings), "provider_stage", "entered_at", "exited_at") == [
        ("new", at(1), at(2)),
        ("contacted", at(2), at(3)),
        ("new", at(3), at(4)),
        ("won", at(4), None),
    ]


def test_where_the_log_reaches_back_to_creation_the_first_stage_is_exact_too(
    landing: Landing,
) -> None:
    landing.leads("expert_ai_labs", event(1, at(3), "new", "won"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(3), created_at=at(1)))
    assert pick(history(landing.settings), "stage", "evidence", "entered_at") == [
        ("new", "audit_log", at(1)),
        ("won", "audit_log", at(3)),
    ]


def test_where_the_log_begins_after_creation_the_first_stage_is_only_bounded(
    landing: Landing,
) -> None:
    landing.leads(
        "expert_ai_labs",
        event(1, at(5), "new", "won"),
        stream="lead_events",
        window=Window(at(4), at(6)),
    )
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(5), created_at=at(1)))
    assert pick(history(landing.settings), "stage", "evidence", "entered_after", "entered_at") == [
        ("new", "observed", at(1), at(5)),
        ("won", "audit_log", at(5), at(5)),
    ]


def test_a_full_run_of_one_day_does_not_make_the_log_reach_further_back(landing: Landing) -> None:
    landing.leads(
        "expert_ai_labs",
        event(1, at(5), "new", "won"),
        stream="lead_events",
        window=Window(at(4), at(6)),
        full=True,
    )
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(5), created_at=at(1)))
    assert pick(history(landing.settings), "evidence") == [("observed",), ("audit_log",)]


def test_a_log_that_was_not_read_to_its_end_proves_no_first_stage(landing: Landing) -> None:
    landing.leads(
        "expert_ai_labs", event(1, at(5), "new", "won"), stream="lead_events", complete=False
    )
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(5), created_at=at(1)))
    assert pick(history(landing.settings), "evidence") == [("observed",), ("audit_log",)]


def test_a_version_a_few_seconds_before_its_event_does_not_blur_the_exact_time(
    landing: Landing,
) -> None:
    landing.leads("expert_ai_labs", expert_lead(1, "new", at(1)))
    landing.leads("expert_ai_labs", event(1, at(3, 9, 0, 4), "new", "won"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(3, 9, 0, 0)))
    assert pick(history(landing.settings), "stage", "evidence", "entered_at") == [
        ("new", "audit_log", at(1)),
        ("won", "audit_log", at(3, 9, 0, 4)),
    ]


def test_a_version_a_few_seconds_after_its_event_does_not_blur_the_exact_time(
    landing: Landing,
) -> None:
    landing.leads("expert_ai_labs", event(1, at(3, 9, 0, 0), "new", "won"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(3, 9, 0, 4)))
    assert pick(history(landing.settings), "stage", "evidence", "entered_at")[1:] == [
        ("won", "audit_log", at(3, 9))
    ]


def test_where_log_and_versions_disagree_both_are_kept(landing: Landing) -> None:
    landing.leads("expert_ai_labs", event(1, at(3), "new", "contacted"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "lost", at(5)))
    assert pick(history(landing.settings), "provider_stage", "evidence", "entered_at") == [
        ("new", "audit_log", at(1)),
        ("contacted", "audit_log", at(3)),
        ("lost", "observed", at(5)),
    ]


def test_a_disagreement_with_a_log_that_covers_the_time_is_counted(landing: Landing) -> None:
    landing.leads("expert_ai_labs", event(1, at(3), "new", "contacted"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "lost", at(5)))
    assert load_landing(landing.settings).check("audit_log_agrees_with_versions").failures == 1


def test_an_agreeing_log_counts_no_disagreement(landing: Landing) -> None:
    landing.leads("expert_ai_labs", event(1, at(3), "new", "contacted"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "contacted", at(3)))
    assert load_landing(landing.settings).check("audit_log_agrees_with_versions").failures == 0


def test_events_newer_than_the_newest_version_wait_until_the_lead_shows_them(
    landing: Landing,
) -> None:
    landing.leads("expert_ai_labs", expert_lead(1, "new", at(1)))
    landing.leads("expert_ai_labs", event(1, at(8), "new", "won"), stream="lead_events")
    before = pick(history(landing.settings), "provider_stage")
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(8)))
    after = pick(history(landing.settings), "provider_stage")
    assert (before, after) == ([("new",)], [("new",), ("won",)])


def test_events_newer_than_the_newest_version_count_as_far_as_they_lead_back_to_its_stage(
    landing: Landing,
) -> None:
    landing.leads("expert_ai_labs", expert_lead(1, "new", at(1)))
    landing.leads(
        "expert_ai_labs",
        event(1, at(6), "new", "lost"),
        event(1, at(7), "lost", "new"),
        event(1, at(8), "new", "won"),
        stream="lead_events",
    )
    assert pick(history(landing.settings), "provider_stage", "entered_at") == [
        ("new", at(1)),
        ("lost", at(6)),
        ("new", at(7)),
    ]


def test_an_event_seen_in_two_crawls_is_one_interval(landing: Landing) -> None:
    change = event(1, at(3), "new", "won")
    for _ in range(2):
        landing.leads("expert_ai_labs", change, stream="lead_events")
        landing.leads("expert_ai_labs", expert_lead(1, "won", at(3)))
    assert pick(history(landing.settings), "provider_stage") == [("new",), ("won",)]


def test_two_accounts_that_read_the_same_log_each_have_their_own_history(
    landing: Landing,
) -> None:
    for account in ("first", "second"):
        landing.leads(
            "expert_ai_labs", event(1, at(3), "new", "won"), stream="lead_events", account=account
        )
        landing.leads("expert_ai_labs", expert_lead(1, "won", at(3)), account=account)
        load_landing(landing.settings)
    assert pick(history(landing.settings), "account", "stage", "evidence") == [
        ("first", "new", "audit_log"),
        ("first", "won", "audit_log"),
        ("second", "new", "audit_log"),
        ("second", "won", "audit_log"),
    ]


def test_an_event_without_a_change_of_stage_begins_no_interval(landing: Landing) -> None:
    change = event(1, at(3), "new", "won")
    change["payload"]["diff"] = {"lead_score": {"from": 1, "to": 2}}
    landing.leads("expert_ai_labs", change, stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "new", at(3)))
    assert len(history(landing.settings)) == 1


def test_an_event_of_a_lead_that_has_not_landed_waits_for_it(landing: Landing) -> None:
    landing.leads("expert_ai_labs", event(1, at(3), "new", "won"), stream="lead_events")
    before = history(landing.settings)
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(3)))
    after = pick(history(landing.settings), "stage")
    assert (before, after) == ([], [("new",), ("won",)])


# Properties ----------------------------------------------------------------------------------

# Milliseconds, seconds and days apart, so that versions and events meet, nearly meet or do not.
_moments = st.builds(
    lambda day, second, ms: at(2) + timedelta(days=day, seconds=second, milliseconds=ms),
    st.integers(0, 3),
    st.sampled_from((0, 1, 4, 5, 6, 3600)),
    st.sampled_from((0, 1)),
)
_stages = st.sampled_from(("new", "contacted", "won", None))


@dataclass(frozen=True)
class Evidence:
    """What a lead left behind: versions (moment, stage) and events (moment, from, to)."""

    versions: list[tuple[datetime, str | None]]
    events: list[tuple[datetime, str | None, str | None]]
    created_at: datetime | None


_evidence = st.builds(
    Evidence,
    st.lists(st.tuples(_moments, _stages), min_size=1, max_size=4),
    st.lists(st.tuples(_moments, _stages, _stages), max_size=5),
    st.none() | _moments | st.just(at(1)),
)
_log_windows = st.sampled_from(
    (None, Window(None, POLL), Window(at(3), at(4)), Window(at(2), POLL))
)


def land_evidence(settings: Settings, leads: Sequence[Evidence], log: Window | None) -> None:
    landing = Landing(settings)
    depth = max(len(lead.versions) for lead in leads)
    for number in range(depth):
        for index, lead in enumerate(leads):
            if number < len(lead.versions):
                record = expert_lead(index, lead.versions[number][1], lead.versions[number][0])
                created_at = lead.created_at and iso(lead.created_at)
                landing.leads("expert_ai_labs", record | {"created_at": created_at})
    events = [event(index, *change) for index, lead in enumerate(leads) for change in lead.events]
    plan = CrawlPlan(
        "log",
        "expert_ai_labs",
        [events],
        stream="lead_events",
        window=log or Window(None, POLL),
        complete=log is not None,
    )
    landing.land(plan)


@examples(5)
@given(leads=st.lists(_evidence, min_size=1, max_size=8), log=_log_windows)
def test_any_evidence_gives_contiguous_bounded_intervals_whose_newest_agrees_with_the_lead(
    leads: list[Evidence], log: Window | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        land_evidence(settings, leads, log)
        rows = history(settings)
        newest = {row["lead_key"]: row for row in query(settings, "select * from normalized.leads")}
        by_lead: dict[str, list[Row]] = {}
        for row in rows:
            by_lead.setdefault(row["lead_key"], []).append(row)
        assert by_lead.keys() == newest.keys()
        for lead_key, intervals in by_lead.items():
            check_intervals(intervals, newest[lead_key])


def check_intervals(intervals: Sequence[Row], lead: Row) -> None:
    assert [row["stage_number"] for row in intervals] == list(range(1, len(intervals) + 1))
    assert [row["exited_at"] for row in intervals] == [
        *(row["entered_at"] for row in intervals[1:]),
        None,
    ]
    for row in intervals:
        is_exact = row["evidence"] != "observed"
        bound = row["entered_after"]
        assert (
            bound == row["entered_at"] if is_exact else bound is None or bound <= row["entered_at"]
        )
        assert row["is_current"] == (row is intervals[-1])
    for before, after in itertools.pairwise(intervals):
        assert pick([before], "provider_status", "provider_stage") != pick(
            [after], "provider_status", "provider_stage"
        )
        assert before["entered_at"] <= after["entered_at"]
    for column in ("stage", "provider_stage", "provider_status"):
        assert intervals[-1][column] == lead[column]


@dataclass(frozen=True)
class Truth:
    """What really happened to a lead: stages in turn, each some minutes after the one before.

    `looked`: after which of these the lead was read; `skew`: how many seconds its `updated_at`
    then differed from the event's time.
    """

    stages: list[str]
    looked: set[int]
    skew: int


@st.composite
def _truths(draw: st.DrawFn) -> Truth:
    stages = ["new"]
    for _ in range(draw(st.integers(0, 5))):
        others = [stage for stage in ("new", "contacted", "won", "lost") if stage != stages[-1]]
        stages.append(draw(st.sampled_from(others)))
    looked = draw(st.sets(st.integers(0, len(stages) - 1), min_size=1))
    return Truth(stages, looked, draw(st.integers(-4, 4)))


@examples(5)
@given(truths=st.lists(_truths(), min_size=1, max_size=8))
def test_with_a_whole_audit_log_the_history_is_what_happened_however_seldom_a_lead_was_read(
    truths: list[Truth],
) -> None:
    def moment(position: int) -> datetime:
        return at(2) + timedelta(minutes=position)

    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        leads = [
            Evidence(
                [
                    (moment(n) + timedelta(seconds=truth.skew if n else 0), truth.stages[n])
                    for n in sorted(truth.looked)
                ],
                [
                    (moment(n), truth.stages[n - 1], truth.stages[n])
                    for n in range(1, len(truth.stages))
                ],
                at(2),
            )
            for truth in truths
        ]
        land_evidence(settings, leads, Window(None, POLL))
        rows = history(settings)
        for number, truth in enumerate(truths):
            told = pick(
                [row for row in rows if row["lead_id"] == lead_id(number)],
                "provider_stage",
                "entered_at",
            )
            happened = [(stage, moment(n)) for n, stage in enumerate(truth.stages)]
            assert told == happened[: len(told)]
            assert len(told) > max(truth.looked)
