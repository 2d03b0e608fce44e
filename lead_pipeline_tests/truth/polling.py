"""When accounts are crawled, for which windows, and what arrives later than a crawl.

Here: the patterns. Not here: what a crawl lands (`landing`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from random import Random

from lead_pipeline_tests.truth.course import Change, Course
from lead_pipeline_tests.truth.world import BEGIN, World

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
OVERLAP = timedelta(minutes=60)
"""The default of `LEAD_PIPELINE_OVERLAP_MINUTES`; what arrives later than that is not brought."""
FIRST_NIGHT = 8
FIRST_HOURLY_DAY = 20
LAST_NIGHT = 27
DELETED_SHARE = 0.08
LATE_SHARE = 0.5
"""Of the changes that can arrive late."""


@dataclass(frozen=True)
class Poll:
    """A crawl that begins at `at`, of the window `[start, end)`; no start: everything before."""

    at: datetime
    start: datetime | None
    end: datetime

    @property
    def since(self) -> datetime | None:
        return None if self.start is None else self.start - OVERLAP


@dataclass(frozen=True)
class PolledWorld:
    """A world as one account that is crawled in one pattern."""

    world: World
    pattern: str
    polls: Sequence[Poll]
    courses: Sequence[Course]

    @property
    def kind(self) -> str:
        return self.world.kind

    @property
    def account(self) -> str:
        return f"w{self.world.seed:03d}-{self.pattern}"

    @property
    def first_poll(self) -> datetime:
        return self.polls[0].at

    @property
    def last_poll(self) -> datetime:
        return self.polls[-1].at

    @cached_property
    def poll_moments(self) -> list[datetime]:
        return [poll.at for poll in self.polls]


def polled(world: World, pattern: str) -> PolledWorld:
    """The world as it is crawled in the pattern of this name."""
    random = Random(f"{world.seed} {pattern}")  # noqa: S311 - invented polls
    moments = PATTERNS[pattern](random)
    # Some end with a night's window, some with today's; a log's last hours are read only so.
    until_now = world.kind == "expert_ai_labs" or world.seed % 2 == 0 or pattern == "hourly"
    polls = _planned(moments, until_now=pattern == "hourly", until_now_at_last=until_now)
    courses = world.courses
    if pattern == "missed_and_late":
        courses = [_with_late_arrivals(random, world.kind, polls, c) for c in courses]
    if world.kind == "vorel":
        # Only its whole list, read each time, shows who has gone.
        courses = [_as_deleted(random, polls, course) for course in courses]
    return PolledWorld(world, pattern, polls, courses)


def _night(random: Random, day: int) -> datetime:
    minutes = timedelta(seconds=random.uniform(0, 1200))
    return BEGIN + day * DAY + 2 * HOUR + minutes


def _backfill(random: Random) -> list[datetime]:
    return [_night(random, LAST_NIGHT)]


def _nightly(random: Random) -> list[datetime]:
    return [_night(random, day) for day in range(FIRST_NIGHT, LAST_NIGHT + 1)]


def _hourly(random: Random) -> list[datetime]:
    hours = (LAST_NIGHT - FIRST_HOURLY_DAY) * 24
    first = BEGIN + FIRST_HOURLY_DAY * DAY + 2 * HOUR
    return [
        first + hour * HOUR + timedelta(seconds=random.uniform(0, 120)) for hour in range(hours + 1)
    ]


def _missed(random: Random) -> list[datetime]:
    missed: set[int] = set()
    for _ in range(3):
        begin = random.randint(FIRST_NIGHT + 1, LAST_NIGHT - 4)
        missed |= set(range(begin, begin + random.randint(1, 3)))
    days = [day for day in range(FIRST_NIGHT, LAST_NIGHT + 1) if day not in missed]
    return [_night(random, day) for day in days]


PATTERNS: dict[str, Callable[[Random], list[datetime]]] = {
    "backfill": _backfill,
    "nightly": _nightly,
    "hourly": _hourly,
    "missed_and_late": _missed,
}
"""One backfill at the end; each night; each hour; nights of which some are missed and made good by
the next one, with changes that arrive later than a poll."""


def _planned(
    moments: Sequence[datetime], *, until_now: bool, until_now_at_last: bool
) -> list[Poll]:
    """Each window begins with the day of the first gap and ends with yesterday, or with today."""
    polls: list[Poll] = []
    proven: datetime | None = None
    for moment in moments:
        today = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        is_last = moment == moments[-1]
        end = today + DAY if until_now or (is_last and until_now_at_last) else today
        start = None
        if proven is not None:
            start = proven.replace(hour=0, minute=0, second=0, microsecond=0)
        polls.append(Poll(moment, start, end))
        proven = min(end, moment)
    return polls


def _with_late_arrivals(random: Random, kind: str, polls: Sequence[Poll], course: Course) -> Course:
    """Some changes straddle a poll: stamped before it, shown after it.

    They came about when their stamp says, and were shown late; or when they were shown, with a
    stamp of before. Where a poll in between has landed the lead as it was before, only the latter
    can be: how a lead was is what its provider showed. Of a change that an audit log tells, the
    log's entry is late.
    """
    changes = list(course.changes)
    moments = [poll.at for poll in polls]
    for place, change in enumerate(changes):
        if random.random() > LATE_SHARE:
            continue
        before = changes[place - 1] if place else None
        after = changes[place + 1].moment if place + 1 < len(changes) else None
        if kind != "expert_ai_labs" and before is not None and random.random() < 0.5:
            changes[place] = _stamped_early(random, polls, moments, before, change)
            continue
        shown_at = _shown_late(random, polls, moments, before, change, after)
        if shown_at is None:
            continue
        if kind == "expert_ai_labs" and place:
            changes[place] = replace(change, logged_at=shown_at)
        else:
            changes[place] = replace(change, visible_at=shown_at)
    return replace(course, changes=changes)


def _stamped_early(
    random: Random,
    polls: Sequence[Poll],
    moments: Sequence[datetime],
    before: Change,
    change: Change,
) -> Change:
    following = bisect_right(moments, change.moment)
    if not 0 < following < len(polls) or change.moment - moments[following - 1] > 10 * HOUR:
        return change
    earliest = max(
        before.visible_at + timedelta(seconds=5),
        polls[following].since or BEGIN,
        moments[following - 1] - 3 * HOUR,
    )
    latest = moments[following - 1] - timedelta(seconds=5)
    if earliest >= latest:
        return change
    return replace(change, stamp=_between(random, earliest, latest))


def _shown_late(
    random: Random,
    polls: Sequence[Poll],
    moments: Sequence[datetime],
    before: Change | None,
    change: Change,
    after: datetime | None,
) -> datetime | None:
    """When it is shown, after the poll that should have brought it; None where that cannot be."""
    missed = bisect_right(moments, change.moment)
    if missed + 1 >= len(polls) or moments[missed] - change.moment > 3 * HOUR:
        return None
    # A lead that the first poll ought to have shown would be of neither time; one that the poll
    # lands as it was before is known to have been so.
    landed_since = polls[missed].since
    if missed == 0 or (before is not None and before.stamp >= (landed_since or BEGIN)):
        return None
    # Hidden by a later one before anybody could see it, it came about when that did.
    if after is not None and after <= moments[missed + 1]:
        return None
    since = polls[missed + 1].since
    # Streams of one crawl are read within a minute or two.
    earliest = moments[missed] + timedelta(minutes=2)
    latest = min(moments[missed] + 10 * HOUR, moments[missed + 1])
    if (since is not None and change.moment < since) or earliest >= latest:
        return None
    return _between(random, earliest, latest)


def _as_deleted(random: Random, polls: Sequence[Poll], course: Course) -> Course:
    """Few are deleted, between two polls. What happened after the first of these is nobody's to know:
    nothing did."""
    if random.random() > DELETED_SHARE or len(polls) < 3:
        return course
    place = random.randrange(1, len(polls) - 1)
    seen_at = polls[place].at
    kept = [c for c in course.changes if max(c.moment, c.visible_at) <= seen_at]
    # Changes that are shown late hide those that came about later.
    if not kept or course.served_at(seen_at) != kept[-1]:
        return course
    return replace(
        course, changes=kept, deleted_at=_between(random, seen_at + HOUR / 4, polls[place + 1].at)
    )


def _between(random: Random, begin: datetime, end: datetime) -> datetime:
    milliseconds = int((end - begin).total_seconds() * 1000 * random.random())
    moment = begin + timedelta(milliseconds=milliseconds)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
