"""The team's known changes as frames of pandas: leads, changes, visits.

    courses, polls ──▶ Frames

Here: what happened until the last poll, and what polls can tell of it. Not here: any answer
(`answers`). Nothing here reads a table of ours.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from lead_pipeline.sandbox.mega_business import OWNERS
from lead_pipeline_tests.questions.team import LAST_POLL, REASON_FIELD, VALUE_FIELD
from lead_pipeline_tests.truth.course import CLOSED, PATH, place_of
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead, midnight
from lead_pipeline_tests.truth.landing import record_of
from lead_pipeline_tests.truth.polling import PolledWorld

Row = dict[str, Any]
YESTERDAY = midnight(LAST_POLL, UTC) - timedelta(days=1)
"""The last whole day."""
STALE_AFTER = timedelta(days=14)
LIMITS = {
    stage: timedelta(hours=h)
    for stage, h in (("new", 48), ("engaged", 336), ("qualified", 504), ("booked", 720))
}
"""The longest stays that dbt_project/seeds/stage_limits.csv allows."""


@dataclass(frozen=True)
class Frames:
    """What truly happened.

    `leads`: one row per lead that any poll showed, as it was at the last poll, or when it was last
    shown. `changes`: one row per change of stage, owner or score, and per creation. `visits`: one row
    per stay in a canonical stage, of which `ended_at` is NaT where it goes on.
    """

    leads: pd.DataFrame
    changes: pd.DataFrame
    visits: pd.DataFrame

    @classmethod
    def of(cls, worlds: Sequence[PolledWorld]) -> Frames:
        known = [lead for world in worlds for lead in Knowledge(world, LAST_POLL).leads]
        return cls(
            pd.DataFrame([_lead(lead) for lead in known]),
            pd.DataFrame([row for lead in known for row in _changes(lead)]),
            pd.DataFrame([row for lead in known for row in _visits(lead)]),
        )


def _key(lead: KnownLead) -> Row:
    return {
        "lead_key": lead.lead_key,
        "account": lead.world.account,
        "source": lead.source,
        "is_watched": lead.is_watched,
    }


def _lead(lead: KnownLead) -> Row:
    state = lead.now.state
    fields = dict(state.custom_fields)
    end = lead.last_poll
    moments = {stage: _reached(lead, stage) for stage in PATH[1:]}
    won = [v.began_at for v in lead.visits if v.stage == "won"]
    stage = lead.visits[-1].stage
    return {
        **_key(lead),
        "email": record_of(lead.world, lead.course, lead.now).get("email"),
        "owner_name": _owner_name(state.owner),
        "stage": stage,
        "previous_stage": lead.visits[-2].stage if len(lead.visits) > 1 else None,
        "created_at": lead.course.created_at,
        "last_change_at": lead.now.moment,
        "is_missing": lead.is_missing,
        "missing_since": _next_poll(lead.world, lead.course.deleted_at),
        "is_open": stage not in CLOSED and not lead.is_missing,
        "reached_lost_at": min(
            (v.began_at for v in lead.visits if v.stage == "lost"), default=None
        ),
        **{f"reached_{stage}_at": moment for stage, moment in moments.items()},
        "won_at": won[-1] if stage == "won" else None,
        "value": float(fields[VALUE_FIELD]) if VALUE_FIELD in fields else None,
        "loss_reason": fields.get(REASON_FIELD) if stage == "lost" else None,
        "end": end,
    }


def _reached(lead: KnownLead, stage: str) -> datetime | None:
    """When it first was in the stage, or in one further along the path."""
    moments = [v.began_at for v in lead.visits if place_of(v.stage) >= place_of(stage)]
    return min(moments, default=None)


def _next_poll(world: PolledWorld, moment: datetime | None) -> datetime | None:
    """The poll that shows what came about at the moment."""
    if moment is None:
        return None
    return world.poll_moments[bisect_right(world.poll_moments, moment)]


def _owner_name(owner: int | None) -> str:
    return "unassigned" if owner is None else str(OWNERS[owner]["name"])


def _changes(lead: KnownLead) -> Iterator[Row]:
    before = None
    for change in lead.course.changes:
        if change.moment > lead.last_poll:
            break
        row = {**_key(lead), "changed_at": change.moment, "day": change.moment.date()}
        state = change.state
        if before is None:
            yield {**row, "field": "created", "from": None, "to": None}
        else:
            for field, old, new in (
                ("stage", before.stage, state.stage),
                ("owner", _owner_name(before.owner), _owner_name(state.owner)),
                ("score", before.score, state.score),
            ):
                if old != new:
                    yield {**row, "field": field, "from": old, "to": new}
        before = state


def _visits(lead: KnownLead) -> Iterator[Row]:
    previous = None
    for visit in lead.visits:
        owner = lead.course.at(visit.began_at)
        assert owner is not None
        yield {
            **_key(lead),
            "stage": visit.stage,
            "previous_stage": previous,
            "began_at": visit.began_at,
            "day": visit.began_at.date(),
            "ended_at": visit.ended_at,
            "length": (visit.ended_at or lead.end) - visit.began_at,
            "owner_name": _owner_name(owner.state.owner),
        }
        previous = visit.stage
