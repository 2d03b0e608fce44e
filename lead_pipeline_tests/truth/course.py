"""The known course of a lead: every change with its moment, and what follows from it alone.

Here: changes, stages at a moment, visits. Not here: how courses are invented (`world`), and who
saw what of them (`polling`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

PATH = ("new", "engaged", "qualified", "booked", "won")
"""From a new lead to a won one; all other stages lie beside it."""
CLOSED = frozenset({"won", "lost"})
"""Stages in which a lead is done with, of those that occur here."""


def place_of(stage: str) -> int:
    """How far along the path the stage is, `new` being 1; 0 beside it."""
    return PATH.index(stage) + 1 if stage in PATH else 0


@dataclass(frozen=True)
class State:
    """How a lead is: its canonical stage, and what the provider calls it."""

    stage: str
    status: str | None
    provider_stage: str
    score: int
    owner: int | None
    custom_fields: tuple[tuple[str, str], ...] = ()
    """Names and values, on MEGA; of none the record has its plain ones."""


@dataclass(frozen=True)
class Change:
    """One change of a lead. The first of a course is the creation.

    `moment`: when it truly came about. `stamp`: the `updated_at` that it left on the record.
    `visible_at`: since when the API serves it, `logged_at` since when an audit log tells it. All
    four are the same, except where something arrived late.
    """

    moment: datetime
    state: State
    stamp: datetime
    visible_at: datetime
    logged_at: datetime

    @classmethod
    def plain(cls, moment: datetime, state: State) -> Change:
        """A change that is stamped and served as soon as it has come about."""
        return cls(moment, state, moment, moment, moment)


@dataclass(frozen=True)
class Visit:
    """A stay in one canonical stage; `ended_at` is None where it goes on."""

    stage: str
    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Course:
    """Everything that happened to one lead."""

    number: int
    source: str
    changes: Sequence[Change]
    deleted_at: datetime | None = None
    """Since when the API does not show it any more."""
    email: str | None = None
    """An address that leads of other accounts may have, too; None: one of its own."""

    @property
    def created_at(self) -> datetime:
        return self.changes[0].moment

    @cached_property
    def _moments(self) -> list[datetime]:
        return [change.moment for change in self.changes]

    @cached_property
    def _visible(self) -> list[datetime]:
        return [change.visible_at for change in self.changes]

    def at(self, moment: datetime) -> Change | None:
        """The last change not after `moment`; None before the creation."""
        count = bisect_right(self._moments, moment)
        return self.changes[count - 1] if count else None

    def served_at(self, moment: datetime) -> Change | None:
        """The last change that the API shows at `moment`; None while it does not show the lead."""
        if self.deleted_at is not None and self.deleted_at <= moment:
            return None
        count = bisect_right(self._visible, moment)
        return self.changes[count - 1] if count else None

    @cached_property
    def all_visits(self) -> list[Visit]:
        """All stays, in order; steps within one canonical stage do not begin it again."""
        begun: list[tuple[str, datetime]] = []
        for change in self.changes:
            if not begun or begun[-1][0] != change.state.stage:
                begun.append((change.state.stage, change.moment))
        ends: list[datetime | None] = [moment for _, moment in begun[1:]]
        return [
            Visit(stage, moment, end)
            for (stage, moment), end in zip(begun, [*ends, None], strict=True)
        ]

    def visits(self, until: datetime) -> list[Visit]:
        """The stays that began not after `until`; one that ends later goes on."""
        return [
            Visit(v.stage, v.began_at, v.ended_at if v.ended_at and v.ended_at <= until else None)
            for v in self.all_visits
            if v.began_at <= until
        ]

    def reached(self, stage: str, until: datetime) -> bool:
        """Whether it was in the stage, or in one further along the path, by then."""
        visited = {visit.stage for visit in self.visits(until)}
        if stage not in PATH:
            return stage in visited
        return any(place_of(other) >= place_of(stage) for other in visited)

    def responded_at(self, until: datetime) -> datetime | None:
        """When it first came into `engaged` or a stage further along the path."""
        moments = [v.began_at for v in self.visits(until) if place_of(v.stage) >= 2]
        return min(moments, default=None)
