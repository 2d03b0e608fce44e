"""Histories against worlds of which the truth is known: every change of every lead, with its time.

Here: what polls and an audit log can know of a true course, and nothing more. Not here: the
rules one by one (`test_stage_history.py`).
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.landing.commits import Window
from lead_pipeline.sandbox.examples import lead_id, mega_lead, vorel_lead
from lead_pipeline.sandbox.mega_business import STAGES
from lead_pipeline.sandbox.messages import Record
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import POLL, CrawlPlan, Landing, Row, query
from lead_pipeline_tests.normalized.test_stage_history import (
    check_intervals,
    event,
    expert_lead,
    history,
)
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.pulling import at, settings_in

State = tuple[str | None, str]
"""Provider's status (None where it has none) and stage."""
CREATED = at(2)
GAPS = (timedelta(milliseconds=1), timedelta(seconds=1), timedelta(hours=1), timedelta(days=1))


@dataclass(frozen=True)
class Course:
    """What really happened to a lead: its state from each moment on, the first being creation.

    Neighbouring states can be equal: then something else of the lead was changed.
    """

    changes: Sequence[tuple[datetime, State]]

    def last_change(self, moment: datetime) -> tuple[datetime, State]:
        """What a poll at `moment` sees: `updated_at` and the state."""
        return max(change for change in self.changes if change[0] <= moment)

    @property
    def entries(self) -> list[tuple[datetime, State]]:
        """When the lead truly came into each state."""
        later = itertools.pairwise(self.changes)
        return [
            self.changes[0],
            *(after for before, after in later if after[1] != before[1]),
        ]


@st.composite
def _courses(draw: st.DrawFn, states: st.SearchStrategy[State]) -> Course:
    gaps = draw(st.lists(st.sampled_from(GAPS), max_size=6))
    moments = list(itertools.accumulate([CREATED, *gaps], lambda moment, gap: moment + gap))
    return Course([(moment, draw(states)) for moment in moments])


_polls = st.lists(
    st.builds(
        lambda day, hour, ms: CREATED + timedelta(days=day, hours=hour, milliseconds=ms),
        st.integers(0, 6),
        st.sampled_from((0, 1, 2)),
        st.sampled_from((0, 1, 1001)),
    ),
    min_size=1,
    max_size=5,
    unique=True,
)
_mega_states = st.tuples(
    st.sampled_from(("active", "lost")), st.sampled_from(("new", "contacted", "qualified"))
)
_vorel_states = st.tuples(st.none(), st.sampled_from(("new", "qualified", "lost")))
_expert_states = st.tuples(st.none(), st.sampled_from(("new", "contacted", "won")))


def record_of(provider: str, number: int, updated_at: datetime, state: State) -> Record:
    """What the provider serves of a lead in this state. The score tells changes apart."""
    status, stage = state
    score = int(updated_at.timestamp() * 1000) % 97
    if provider == "mega":
        slug = next(s for s in STAGES if s["slug"] == stage)
        fields: dict[str, Any] = {"status": status, "current_stage": slug, "score": score}
        return mega_lead(number, CREATED, updated_at, **fields)
    if provider == "vorel":
        return vorel_lead(number, CREATED, updated_at, status=stage, qualification_score=score)
    return expert_lead(number, stage, updated_at, CREATED) | {"lead_score": score}


def poll(
    landing: Landing, provider: str, courses: Sequence[Course], polls: Sequence[datetime]
) -> None:
    """Crawls at these moments, landed in this order; each sees every lead as it was then."""
    for number, moment in enumerate(polls):
        records = [
            record_of(provider, index, *course.last_change(moment))
            for index, course in enumerate(courses)
        ]
        landing.land(CrawlPlan(f"poll-{number}", provider, [records], at=moment, served_at=moment))


def intervals_of(settings: Settings, number: int, rows: Sequence[Row]) -> list[Row]:
    """The lead's intervals, after a look at what must hold of any."""
    intervals = [row for row in rows if row["lead_id"] == lead_id(number)]
    [lead] = query(settings, "select * from normalized.leads where lead_id = ?", lead_id(number))
    check_intervals(intervals, lead)
    return intervals


def state_of(row: Row) -> State:
    return row["provider_status"], row["provider_stage"]


def check_bounds(intervals: Sequence[Row], course: Course) -> None:
    """Each interval's bounds contain a moment at which the lead truly came into its state."""
    for row in intervals:
        assert any(
            row["entered_after"] <= moment <= row["entered_at"] and state == state_of(row)
            for moment, state in course.entries
        ), (row, course)


def seen_states(course: Course, polls: Sequence[datetime]) -> list[State]:
    """What polls can know at best: the states they saw, in the order of the changes."""
    versions = sorted({course.last_change(moment) for moment in polls})
    return [state for state, _ in itertools.groupby(state for _, state in versions)]


@examples(5)
@given(data=st.data(), polls=_polls, provider=st.sampled_from(("mega", "vorel")))
def test_without_an_audit_log_the_history_is_the_best_that_polls_could_see(
    data: st.DataObject, polls: list[datetime], provider: str
) -> None:
    states: st.SearchStrategy[State] = _mega_states if provider == "mega" else _vorel_states
    courses = data.draw(st.lists(_courses(states), min_size=1, max_size=8))
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        poll(Landing(settings), provider, courses, polls)
        rows = history(settings)
        for number, course in enumerate(courses):
            intervals = intervals_of(settings, number, rows)
            assert [state_of(row) for row in intervals] == seen_states(course, polls)
            check_bounds(intervals, course)


@examples(5)
@given(
    courses=st.lists(_courses(_expert_states), min_size=1, max_size=8),
    polls=_polls,
    covered=st.tuples(st.integers(0, 7), st.integers(1, 8)),
)
def test_with_an_audit_log_every_change_within_its_window_is_there_with_its_exact_time(
    courses: list[Course], polls: list[datetime], covered: tuple[int, int]
) -> None:
    window = Window(at(2 + covered[0]), at(2 + sum(covered)))
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        landing = Landing(settings)
        # The last poll comes after the log: until a lead has been read, its events wait.
        poll(landing, "expert_ai_labs", courses, [*polls, POLL])
        events = [
            event(number, after[0], before[1][1], after[1][1])
            for number, course in enumerate(courses)
            for before, after in itertools.pairwise(course.entries)
            if window.start is not None and window.start <= after[0] < window.end
        ]
        landing.land(
            CrawlPlan("log", "expert_ai_labs", [events], stream="lead_events", window=window)
        )
        rows = history(settings)
        for number, course in enumerate(courses):
            intervals = intervals_of(settings, number, rows)
            exact = [
                (row["entered_at"], row["provider_stage"])
                for row in intervals
                if row["evidence"] == "audit_log" and row["entered_at"] != CREATED
            ]
            assert exact == [
                (moment, state[1])
                for moment, state in course.entries[1:]
                if window.start is not None and window.start <= moment < window.end
            ]
            check_bounds(intervals, course)
