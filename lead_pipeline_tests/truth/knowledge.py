"""What a pattern of polls lets anybody know of a world, whoever computes it.

Here: since when an account and its leads were watched, where the data ends, which changes nobody
saw. Not here: any figure of a mart.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property

from lead_pipeline.sandbox.mega_business import OWNERS
from lead_pipeline_tests.truth.course import PATH, Change, Course, Visit, place_of
from lead_pipeline_tests.truth.landing import lead_id_of, source_of
from lead_pipeline_tests.truth.polling import PolledWorld


@dataclass(frozen=True)
class KnownLead:
    """A lead that the account has shown, and since when it was watched.

    Of one that is gone, `now`, `end` and `last_poll` are of when it was last shown.
    """

    world: PolledWorld
    course: Course
    watched_from: datetime
    now: Change
    """As the API shows it at the last poll."""
    end: datetime
    """Of the account's data."""
    last_poll: datetime
    account_end: datetime
    """Of the account's data, also where the lead is gone before it."""
    is_missing: bool

    @property
    def lead_id(self) -> str:
        return lead_id_of(self.world, self.course)

    @property
    def lead_key(self) -> str:
        return f"{self.world.account}:{self.lead_id}"

    @property
    def source(self) -> str:
        return source_of(self.world, self.course)

    @property
    def owner_id(self) -> str | None:
        return owner_id_of(self.now)

    @property
    def owner_key(self) -> str:
        return f"{self.world.account}:{self.owner_id or 'unassigned'}"

    @property
    def is_watched(self) -> bool:
        """From its creation on."""
        return self.watched_from == self.course.created_at

    @cached_property
    def visits(self) -> list[Visit]:
        """Its true visits until the last poll."""
        return self.course.visits(self.last_poll)

    @cached_property
    def is_beginning_known(self) -> bool:
        """Whether the first poll showed the lead as it had been created."""
        if self.is_watched:
            return True
        first = self.course.served_at(self.world.first_poll)
        return first is not None and first.stamp == self.course.created_at

    @cached_property
    def unassumed(self) -> frozenset[str]:
        """Stages of visits that nobody saw, and of which the marts assume that there are none.

        Where two different stages were seen one after the other, only stages between the two on
        the path are taken as possible; where the same was seen twice, none. A visit in two parts
        that is seen as one is itself not as assumed.
        """
        if self.world.kind == "expert_ai_labs":
            return frozenset()
        moments = [m for m in self.world.poll_moments if self.course.served_at(m) is not None]
        shown = [change for m in moments if (change := self.course.served_at(m)) is not None]
        if not shown:
            return frozenset()
        broken: set[str] = set()
        # What was before the first sight matters from the beginning of the watch on.
        begun_at = self.course.at(self.watched_from)
        if self.is_watched and begun_at is not None:
            broken |= _unassumed_between(None, self._stages(begun_at.moment, shown[0].moment))
        for before, after in itertools.pairwise(shown):
            between = self._stages(before.moment, after.moment)
            broken |= _unassumed_between(before.state.stage, between)
        return frozenset(broken)

    def _stages(self, begin: datetime, end: datetime) -> list[str]:
        """The stages that it had from `begin` until `end`, both included, one after the other."""
        stages = [c.state.stage for c in self.course.changes if begin <= c.moment <= end]
        return [stage for stage, _ in itertools.groupby(stages)]


def _unassumed_between(seen: str | None, stages: Sequence[str]) -> set[str]:
    """`stages` begin with that of the sight before (or of creation) and end with the new one."""
    last = stages[-1]
    if seen is None:
        passed = list(stages[:-1])
        lowest = 0
    else:
        passed = list(stages[1:-1])
        lowest = place_of(seen) if seen in PATH else len(PATH)
    highest = place_of(last)
    if seen is not None and seen not in PATH:
        lowest = len(PATH)
    broken: set[str] = set()
    for stage in passed:
        if lowest < place_of(stage) < highest:
            lowest = place_of(stage)
        else:
            broken.add(stage)
    if broken and seen == last:
        broken.add(last)
    return broken


@dataclass(frozen=True)
class Knowledge:
    """What is known of one account.

    `told_end`: where the tables say that its data ends. Any moment will do from that on which is
    proven until the last poll, which showed all changes until then.
    """

    world: PolledWorld
    told_end: datetime | None = None
    zone: tzinfo = UTC
    """Whose days count."""

    @cached_property
    def watched_from(self) -> datetime:
        """The first poll, by the provider's clock."""
        return self.world.first_poll.replace(microsecond=0)

    @property
    def end(self) -> datetime:
        """Where the data is told to end."""
        return self.told_end or self.last_poll

    @property
    def last_poll(self) -> datetime:
        return self.world.last_poll

    @property
    def proven_until(self) -> datetime:
        """What the polls prove: the end of the last window, or the last poll before it."""
        last = self.world.polls[-1]
        return min(last.end, last.at)

    @cached_property
    def leads(self) -> list[KnownLead]:
        """The leads that the last poll shows, and those that earlier ones did."""
        return [lead for course in self.world.courses if (lead := self._lead(course)) is not None]

    def _lead(self, course: Course) -> KnownLead | None:
        is_missing = course.deleted_at is not None
        shown_at = self.world.last_poll
        if course.deleted_at is not None:
            shown_at = max(m for m in self.world.poll_moments if m < course.deleted_at)
        now = course.served_at(shown_at)
        if now is None:
            return None
        end = min(self.end, shown_at) if is_missing else self.end
        watched_from = self._watched_from(course)
        return KnownLead(self.world, course, watched_from, now, end, shown_at, self.end, is_missing)

    def _watched_from(self, course: Course) -> datetime:
        if self.world.kind == "expert_ai_labs":
            # The log tells all changes since ever.
            return course.created_at
        return max(course.created_at, self.watched_from)

    @property
    def last_day(self) -> datetime:
        """The midnight at which the last day of the data begins."""
        return midnight(self.end - timedelta(microseconds=1), self.zone)


def owner_id_of(change: Change) -> str | None:
    owner = change.state.owner
    return None if owner is None else str(OWNERS[owner]["id"])


def midnight(moment: datetime, zone: tzinfo) -> datetime:
    """When the day of the moment began on the clocks of the zone; a day later is its next midnight."""
    return moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
