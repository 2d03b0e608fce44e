"""Changes of stage and status that a provider reports, in an audit log or in the records."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.landing.commits import Window
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.verify import verify
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.invented import (
    Entry,
    invented_providers,
    logged,
    person,
    with_history,
)
from lead_pipeline_tests.normalized.landings import Landing, query, table
from lead_pipeline_tests.normalized.test_stage_history import check_intervals, history, pick
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.pulling import at, settings_in

STATE = ("provider_status", "provider_stage")
SINCE = (*STATE, "entered_at", "evidence")


@pytest.fixture
def landing(settings: Settings, tmp_path: Path) -> Iterator[Landing]:
    with invented_providers(tmp_path / "providers"):
        yield Landing(settings)


# A history in the record -----------------------------------------------------------------------


def test_a_record_that_carries_its_history_shows_every_stage_from_creation_on(
    landing: Landing,
) -> None:
    entries: list[Entry] = [
        ("stage", "incoming", at(1)),
        ("stage", "call", at(3)),
        ("stage", "demo", at(7)),
    ]
    landing.leads("pipes", with_history(4711, at(9), entries), stream="people")
    rows = history(landing.settings)
    assert pick(rows, "lead_id", *SINCE) == [
        ("4711", None, "incoming", at(1), "audit_log"),
        ("4711", None, "call", at(3), "audit_log"),
        ("4711", None, "demo", at(7), "audit_log"),
    ]
    assert pick(rows, "stage", "entered_after", "exited_at") == [
        ("new", at(1), at(3)),
        ("unmapped", at(3), at(7)),
        ("qualified", at(7), None),
    ]


def test_the_record_is_a_version_of_the_lead_too(landing: Landing) -> None:
    landing.leads("pipes", with_history(1, at(9), [("stage", "demo", at(1))]), stream="people")
    load_landing(landing.settings)
    assert pick(table(landing.settings, "leads"), "lead_key", "full_name", "stage") == [
        ("pipes:1", "Ada", "qualified")
    ]


def test_before_its_first_value_a_status_is_none_and_not_the_one_to_come(landing: Landing) -> None:
    entries: list[Entry] = [
        ("stage", "incoming", at(1)),
        ("stage", "demo", at(3)),
        ("status", "won", at(5)),
    ]
    landing.leads("pipes", with_history(1, at(5), entries), stream="people")
    assert pick(history(landing.settings), *STATE, "stage", "entered_at") == [
        (None, "incoming", "new", at(1)),
        (None, "demo", "qualified", at(3)),
        ("won", "demo", "won", at(5)),
    ]


def test_stage_and_status_that_changed_at_one_moment_are_one_interval(landing: Landing) -> None:
    entries: list[Entry] = [
        ("stage", "incoming", at(1)),
        ("status", "open", at(1)),
        ("stage", "demo", at(3)),
        ("status", "won", at(3)),
    ]
    landing.leads("pipes", with_history(1, at(3), entries), stream="people")
    assert pick(history(landing.settings), *SINCE) == [
        ("open", "incoming", at(1), "audit_log"),
        ("won", "demo", at(3), "audit_log"),
    ]


def test_a_history_that_comes_again_with_every_version_is_counted_once(landing: Landing) -> None:
    entries: list[Entry] = [("stage", "incoming", at(1)), ("stage", "demo", at(3))]
    landing.leads("pipes", with_history(1, at(1), entries[:1]), stream="people")
    landing.leads(
        "pipes", with_history(1, at(3), entries), with_history(1, at(8), entries), stream="people"
    )
    load_landing(landing.settings)
    landing.leads("pipes", with_history(1, at(9), entries), stream="people")
    rows = history(landing.settings)
    assert pick(rows, "provider_stage", "entered_at") == [("incoming", at(1)), ("demo", at(3))]
    events = table(landing.settings, "lead_stage_events")
    assert pick(events, "event_id", "from_value", "to_value", "is_first") == [
        (f"stage {int(at(1).timestamp() * 1000)}", None, "incoming", True),
        (f"stage {int(at(3).timestamp() * 1000)}", "incoming", "demo", False),
    ]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["older first", "newer first"])
def test_a_record_that_has_lost_the_beginning_of_its_history_takes_nothing_back(
    landing: Landing, order: tuple[int, ...]
) -> None:
    entries: list[Entry] = [
        ("stage", "incoming", at(1)),
        ("stage", "call", at(3)),
        ("stage", "demo", at(7)),
    ]
    records = [
        with_history(1, at(3), entries[:2]),
        with_history(1, at(7), entries[1:]) | with_created(at(1)),
    ]
    for number in order:
        landing.leads("pipes", records[number], stream="people")
        load_landing(landing.settings)
    assert pick(history(landing.settings), *SINCE) == [
        (None, "incoming", at(1), "audit_log"),
        (None, "call", at(3), "audit_log"),
        (None, "demo", at(7), "audit_log"),
    ]


def with_created(moment: datetime) -> dict[str, int]:
    return {"created": int(moment.timestamp() * 1000)}


def test_no_interval_is_invented_before_the_beginning_of_a_history(landing: Landing) -> None:
    record = with_history(1, at(7), [("stage", "demo", at(7))]) | with_created(at(1))
    landing.leads("pipes", record, stream="people")
    assert pick(history(landing.settings), "provider_stage", "entered_after", "entered_at") == [
        ("demo", at(7), at(7))
    ]


def test_intervals_of_a_reported_history_have_the_names_that_versions_show(
    landing: Landing,
) -> None:
    entries: list[Entry] = [("stage", "incoming", at(1)), ("stage", "demo", at(3))]
    first = with_history(1, at(1), entries[:1], stage_id="7", stage_name="Incoming")
    landing.leads("pipes", first, stream="people")
    second = with_history(1, at(3), entries, stage_id="8", stage_name="Demo held")
    landing.leads("pipes", second, stream="people")
    assert pick(history(landing.settings), "provider_stage_id", "provider_stage_name") == [
        ("7", "Incoming"),
        ("8", "Demo held"),
    ]


# A log of stages and statuses ---------------------------------------------------------------------


def land_log(landing: Landing, *entries: object, window: Window | None = None) -> None:
    fields = {} if window is None else {"window": window}
    landing.leads("journal", *entries, stream="log", **fields)  # type: ignore[arg-type]


def test_a_change_of_the_status_leaves_the_stage_that_was_known_before_it(landing: Landing) -> None:
    landing.leads(
        "journal", person(1, at(1), "incoming", "open", created_at=at(1)), stream="people"
    )
    land_log(
        landing,
        logged(1, at(3), "stage", "incoming", "demo"),
        logged(1, at(5), "status", "open", "won"),
    )
    landing.leads("journal", person(1, at(5), "demo", "won", created_at=at(1)), stream="people")
    assert pick(history(landing.settings), *SINCE) == [
        ("open", "incoming", at(1), "audit_log"),
        ("open", "demo", at(3), "audit_log"),
        ("won", "demo", at(5), "audit_log"),
    ]


def test_what_is_not_known_before_a_change_is_the_first_value_known_after_it(
    landing: Landing,
) -> None:
    land_log(
        landing,
        logged(1, at(5), "status", "open", "won"),
        logged(1, at(6), "stage", "incoming", "demo"),
        window=Window(at(4), at(8)),
    )
    landing.leads("journal", person(1, at(6), "demo", "won", created_at=at(1)), stream="people")
    assert pick(history(landing.settings), *SINCE) == [
        ("open", "incoming", at(5), "observed"),
        ("won", "incoming", at(5), "audit_log"),
        ("won", "demo", at(6), "audit_log"),
    ]


def test_where_the_log_has_stages_only_statuses_are_those_of_versions(landing: Landing) -> None:
    landing.leads(
        "journal", person(1, at(1), "incoming", "open", created_at=at(1)), stream="people"
    )
    land_log(landing, logged(1, at(3), "stage", "incoming", "demo"))
    landing.leads("journal", person(1, at(6), "demo", "won", created_at=at(1)), stream="people")
    assert pick(history(landing.settings), *SINCE, "entered_after") == [
        ("open", "incoming", at(1), "audit_log", at(1)),
        ("open", "demo", at(3), "audit_log", at(3)),
        ("won", "demo", at(6), "observed", at(3)),
    ]


def test_a_status_that_only_versions_show_is_no_disagreement_with_a_log_of_stages(
    landing: Landing,
) -> None:
    landing.leads(
        "journal", person(1, at(1), "incoming", "open", created_at=at(1)), stream="people"
    )
    land_log(landing, logged(1, at(3), "stage", "incoming", "demo"))
    landing.leads("journal", person(1, at(6), "demo", "won", created_at=at(1)), stream="people")
    result = load_landing(landing.settings)
    assert result.check("audit_log_agrees_with_versions").failures == 0


def test_a_status_that_a_log_of_statuses_does_not_have_is_a_disagreement(landing: Landing) -> None:
    for number in (1, 2):
        landing.leads(
            "journal", person(number, at(1), "demo", "open", created_at=at(1)), stream="people"
        )
    land_log(landing, logged(1, at(3), "status", "open", "won"))
    for number in (1, 2):
        landing.leads(
            "journal", person(number, at(6), "demo", "won", created_at=at(1)), stream="people"
        )
    outcome = load_landing(landing.settings).check("audit_log_agrees_with_versions")
    assert outcome.examples == ("journal:2",)


def test_a_version_a_few_seconds_beside_a_change_of_the_stage_still_shows_its_status(
    landing: Landing,
) -> None:
    landing.leads(
        "journal", person(1, at(1), "incoming", "open", created_at=at(1)), stream="people"
    )
    land_log(landing, logged(1, at(3, 9, 0, 4), "stage", "incoming", "demo"))
    landing.leads("journal", person(1, at(3, 9), "demo", "won", created_at=at(1)), stream="people")
    assert pick(history(landing.settings), *STATE, "entered_at")[-1] == (
        "won",
        "demo",
        at(3, 9, 0, 4),
    )


def test_a_status_that_was_taken_away_is_gone_also_beside_a_change_of_the_stage(
    landing: Landing,
) -> None:
    landing.leads(
        "journal", person(1, at(1), "incoming", "open", created_at=at(1)), stream="people"
    )
    land_log(landing, logged(1, at(3, 9, 0, 4), "stage", "incoming", "demo"))
    landing.leads("journal", person(1, at(3, 9), "demo", None, created_at=at(1)), stream="people")
    assert pick(history(landing.settings), *STATE)[-1] == (None, "demo")


def test_a_status_that_only_the_log_has_is_gone_also_beside_a_change_of_the_stage(
    landing: Landing,
) -> None:
    land_log(
        landing,
        logged(1, at(2), "status", None, "open", is_first=True),
        logged(1, at(3, 9, 0, 1), "stage", "demo", "incoming"),
    )
    landing.leads("journal", person(1, at(3, 9), "incoming", created_at=at(1)), stream="people")
    assert pick(history(landing.settings), *STATE)[-1] == (None, "incoming")


def test_a_version_beside_a_change_does_not_name_the_stage_before_it(landing: Landing) -> None:
    open_, incoming, demo = "open", {"stage_id": "7"}, {"stage_id": "8", "stage_name": "Demo call"}
    landing.leads(
        "journal",
        person(1, at(1), "incoming", open_, created_at=at(1), **incoming),
        stream="people",
    )
    land_log(landing, logged(1, at(3, 9, 0, 4), "stage", "incoming", "demo"))
    landing.leads(
        "journal", person(1, at(3, 9), "demo", open_, created_at=at(1), **demo), stream="people"
    )
    landing.leads(
        "journal", person(1, at(4), "demo", open_, created_at=at(1), **demo), stream="people"
    )
    rows = history(landing.settings)
    assert pick(
        rows, "provider_stage", "provider_stage_id", "provider_stage_name", "entered_at"
    ) == [
        ("incoming", "7", None, at(1)),
        ("demo", "8", "Demo call", at(3, 9, 0, 4)),
    ]


def test_a_lead_read_between_two_changes_of_its_stage_agrees_with_its_newest_interval(
    landing: Landing,
) -> None:
    """Seconds after a change to another stage and back, a version showed a third one in between."""
    land_log(
        landing,
        logged(1, at(3, 9, 0, 0), "stage", "incoming", "demo"),
        logged(1, at(3, 9, 0, 1), "stage", "demo", "incoming"),
    )
    for second, stage in ((2, "call"), (3, "incoming")):
        landing.leads(
            "journal", person(1, at(3, 9, 0, second), stage, created_at=at(1)), stream="people"
        )
    load_landing(landing.settings)
    assert pick(history(landing.settings), "provider_stage")[-2:] == [("call",), ("incoming",)]


def test_changes_after_the_newest_version_count_only_as_far_as_they_lead_to_all_that_it_shows(
    landing: Landing,
) -> None:
    landing.leads(
        "journal", person(1, at(1), "incoming", "open", created_at=at(1)), stream="people"
    )
    land_log(
        landing,
        logged(1, at(3), "stage", "incoming", "demo"),
        logged(1, at(4), "status", "open", "won"),
        logged(1, at(5), "stage", "demo", "incoming"),
    )
    before = pick(history(landing.settings), *STATE)
    land_log(landing, logged(1, at(6), "status", "won", "open"))
    after = pick(history(landing.settings), *STATE)
    assert before == [("open", "incoming")]
    assert after == [
        ("open", "incoming"),
        ("open", "demo"),
        ("won", "demo"),
        ("won", "incoming"),
        ("open", "incoming"),
    ]


def test_a_log_that_has_the_first_stage_needs_no_coverage_to_know_the_beginning(
    landing: Landing,
) -> None:
    land_log(
        landing,
        logged(1, at(1), "stage", None, "incoming", is_first=True),
        logged(1, at(3), "stage", "incoming", "demo"),
    )
    landing.leads("journal", person(1, at(3), "demo", created_at=at(1)), stream="people")
    assert pick(history(landing.settings), *SINCE) == [
        (None, "incoming", at(1), "audit_log"),
        (None, "demo", at(3), "audit_log"),
    ]


# Properties ------------------------------------------------------------------------------------

_moments = st.builds(
    lambda day, second: at(2) + timedelta(days=day, seconds=second),
    st.integers(0, 2),
    st.sampled_from((0, 1, 4, 6, 3600)),
)
_values = st.sampled_from(("incoming", "demo", "call", None))


@dataclass(frozen=True)
class Reports:
    """Versions (moment, stage, status) and changes (moment, field, from, to, whether first)."""

    versions: list[tuple[datetime, str | None, str | None]]
    changes: list[tuple[datetime, str, str | None, str | None, bool]]


_reports = st.builds(
    Reports,
    st.lists(st.tuples(_moments, _values, _values), min_size=1, max_size=4),
    st.lists(
        st.tuples(
            _moments, st.sampled_from(("stage", "status")), _values, _values, st.booleans()
        ).map(lambda c: (*c[:2], None if c[4] else c[2], *c[3:])),
        max_size=6,
    ),
)


def land_reports(settings: Settings, leads: Sequence[Reports], *, in_pieces: bool) -> None:
    landing = Landing(settings)
    for number, lead in enumerate(leads):
        for moment, stage, status in lead.versions:
            record = person(number, moment, stage, status, created_at=at(1))
            landing.leads("journal", record, stream="people")
            if in_pieces:
                load_landing(settings)
        if lead.changes:
            entries = [
                logged(number, moment, field, before, after, is_first=is_first)
                for moment, field, before, after, is_first in lead.changes
            ]
            land_log(landing, *entries)
        if in_pieces:
            load_landing(settings)


@examples(4)
@given(leads=st.lists(_reports, min_size=1, max_size=4), in_pieces=st.booleans())
def test_whatever_is_reported_intervals_are_contiguous_and_the_newest_agrees_with_the_lead(
    leads: list[Reports], in_pieces: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder, invented_providers(Path(folder) / "providers"):
        settings = settings_in(Path(folder))
        land_reports(settings, leads, in_pieces=in_pieces)
        rows = history(settings)
        newest = {row["lead_key"]: row for row in query(settings, "select * from normalized.leads")}
        for lead_key, of_lead in itertools.groupby(rows, key=lambda row: row["lead_key"]):
            check_intervals(list(of_lead), newest.pop(lead_key))
        assert newest == {}
        assert all(comparison.is_equal for comparison in verify(settings))


@st.composite
def _histories(draw: st.DrawFn) -> list[Entry]:
    """A stage from the first day on, then changes of stage and status, hours apart."""
    entries: list[Entry] = [("stage", "incoming", at(2))]
    latest: dict[str, str | None] = {"stage": "incoming"}
    for hour in range(1, draw(st.integers(1, 6))):
        field = draw(st.sampled_from(("stage", "status")))
        others = [value for value in ("incoming", "demo", "call") if value != latest.get(field)]
        latest[field] = draw(st.sampled_from(others))
        entries.append((field, latest[field], at(2, hour)))
    return entries


@examples(4)
@given(histories=st.lists(_histories(), min_size=1, max_size=6), looked=st.integers(1, 6))
def test_with_histories_in_records_the_history_is_what_happened_however_seldom_one_was_read(
    histories: list[list[Entry]], looked: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, invented_providers(Path(folder) / "providers"):
        settings = settings_in(Path(folder))
        landing = Landing(settings)
        for number, entries in enumerate(histories):
            for upto in {min(looked, len(entries)), len(entries)}:
                record = with_history(number, entries[upto - 1][2], entries[:upto])
                landing.leads("pipes", record, stream="people")
        rows = history(settings)
        for number, entries in enumerate(histories):
            state: dict[str, str | None] = {}
            happened = []
            for field, value, moment in entries:
                state[field] = value
                happened.append((state.get("status"), state.get("stage"), moment, "audit_log"))
            found = [row for row in rows if row["lead_id"] == str(number)]
            assert pick(found, *SINCE) == happened
