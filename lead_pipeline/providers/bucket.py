"""One limit as its server reports it, and when it has room again.

    answers of one limit ──▶ Bucket ──┐
    when our requests were answered ──┴──▶ when one more request is admitted, whatever the kind

Servers count in fixed windows (which begin with a request, or with the clock), in sliding windows
or in buckets that fill all the time, and state whole seconds, rounded up, down or to the nearest.
None of them says which. What holds for all windows: as many requests as are allowed in a period,
counted back from now, leave room for one more when the oldest is a period old. What a server
states bounds that from both sides, to within the rounding.

Belongs here: arithmetic on one limit. Does not belong here: which of several waits is the longest,
what a refusal means (`quota.py`). Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lead_pipeline.providers.base import Limit
from lead_pipeline.providers.stated import (
    CLOCK_SKEW_SECONDS,
    LONGEST_WAIT_SECONDS,
    MOST_REMAINING,
    ROUNDING_SECONDS,
    shown,
)

LONGEST_SAVED_SECONDS = LONGEST_WAIT_SECONDS + ROUNDING_SECONDS
"""The longest saved wait that can be ours; a clock may have been set back by a hair meanwhile."""
WHOLE_SECOND = 1.0
"""A stated reset can be off by so much, in either direction."""
IDLE_SECONDS = 15.0
"""After such a pause a measured refill rate is measured afresh: a window may have ended meanwhile,
and a full bucket refills no further."""
SHORTEST_PART = 12
"""A window of less than this part of a documented one is none of those documented."""


class Bucket(msgspec.Struct):
    """One limit as the server last reported it. Times are Unix seconds."""

    remaining: int
    ends_at: float | None
    """The earliest end that an answer of this window stated; None where the server does not say, or
    says what cannot be."""
    since: float
    """When this window, or this measurement of a refill rate, began."""
    last_at: float
    first_remaining: int
    sent: int = 0
    """Requests answered since the one at `since`."""
    doubted: str = ""
    """A stated reset that is not credible."""
    earliest_end: float = 0.0
    """By the last answer: no earlier, however the server rounds."""
    latest_end: float = 0.0
    """By the last answer: no later, however the server rounds."""
    longest_reset: float = 0.0
    """The longest wait that was ever stated for this limit, in seconds."""
    most_remaining: int = 0
    """The most requests that ever remained of this limit after one."""

    @classmethod
    def begun(
        cls,
        remaining: int,
        ends_at: float | None,
        sent_at: float,
        received_at: float,
        doubted: str,
        before: Bucket | None,
    ) -> Bucket:
        """A window of which this is the first answer; `before` is the same limit's last one."""
        bucket = cls(remaining, None, received_at, received_at, remaining, -1, doubted)
        if before is not None:
            bucket.longest_reset = before.longest_reset
            bucket.most_remaining = before.most_remaining
        bucket.report(remaining, ends_at, sent_at, received_at, doubted)
        return bucket

    def report(
        self,
        remaining: int,
        ends_at: float | None,
        sent_at: float,
        received_at: float,
        doubted: str,
    ) -> None:
        """Take in an answer of the same window; `ends_at` is what it stated, by its arrival."""
        self.remaining = remaining
        self.last_at = received_at
        self.sent += 1
        self.doubted = doubted
        self.most_remaining = max(self.most_remaining, remaining)
        if ends_at is None:
            return
        self.longest_reset = max(self.longest_reset, ends_at - received_at)
        self.earliest_end = ends_at - (received_at - sent_at) - WHOLE_SECOND
        self.latest_end = ends_at + WHOLE_SECOND
        # Whole seconds are rounded up: within one window the earliest answer is the best.
        self.ends_at = ends_at if self.ends_at is None else min(self.ends_at, ends_at)

    def refilled_by(self, remaining: float, sent_at: float) -> bool:
        """Whether an answer shows that a new window has begun."""
        if self.ends_at is None:
            return sent_at - self.last_at > IDLE_SECONDS
        return remaining > self.remaining or sent_at >= self.ends_at

    def refill_rate(self) -> float:
        """A lower bound of the requests per second that come back, 0 when none was seen.

        `remaining` is a whole number, so one of the requests seen to come back may have been
        there before.
        """
        seconds = self.last_at - self.since
        came_back = self.sent + self.remaining - self.first_remaining - 1
        return came_back / seconds if came_back > 0 and seconds > 0 else 0.0

    def seems_to_drip(self, documented: Sequence[Limit], answered_at: Sequence[float]) -> bool:
        """Whether requests come back one by one.

        So it is where more remained than a window allows, and where some were seen to come back and
        our own requests do not fill a window.
        """
        if self.ends_at is not None:
            return False
        if self.most_remaining > documented[0].requests:
            return True
        return self.refill_rate() > 0 and self._room_at("", documented, answered_at) is None

    def next_drop_at(self, shortest: Limit) -> float:
        """When the next request comes back one by one."""
        rate = self.refill_rate()
        if rate > 0:
            return self.last_at + min(1.0 / rate, shortest.seconds)
        return self.last_at + shortest.seconds / shortest.requests

    def refill_at(
        self, limit: str, documented: Sequence[Limit], answered_at: Sequence[float], slack: float
    ) -> float:
        """When a window has room for one more request.

        `answered_at` are the times at which our latest requests had been counted at the latest.
        Where they do not explain that none remains, others use the limit too, and the server's
        statement is all there is: at its word, and `slack` later.
        """
        room_at = self._room_at(limit, documented, answered_at)
        if self.ends_at is None:
            return self.since + documented[0].seconds if room_at is None else room_at + slack
        if room_at is None:
            return self.ends_at + slack
        if self.earliest_end <= room_at <= self.latest_end:
            return room_at + slack
        # A window of the clock's, or not the one that we take it for.
        return self.latest_end + max(slack - WHOLE_SECOND, 0.0)

    def _room_at(
        self, limit: str, documented: Sequence[Limit], answered_at: Sequence[float]
    ) -> float | None:
        """When the oldest of our own requests that fill the window is a period old; None where they do not."""
        requests = int(limit) if limit.isdecimal() else self.most_remaining + 1
        period = self._period(requests, documented)
        if period is None or not 0 < requests <= len(answered_at):
            return None
        room_at = answered_at[-requests] + period
        # An answer that was under way meanwhile still said that none remains.
        return room_at if room_at > self.last_at - WHOLE_SECOND else None

    def _period(self, requests: int, documented: Sequence[Limit]) -> float | None:
        """How long a window of so many requests lasts, in seconds; None where it is not a documented one."""
        if self.ends_at is not None and self.longest_reset < documented[0].seconds / SHORTEST_PART:
            return None
        long_enough = [
            one for one in documented if one.seconds >= self.longest_reset - WHOLE_SECOND
        ]
        by_name = [one for one in long_enough if one.requests == requests]
        return next((one.seconds for one in [*by_name, *long_enough]), None)

    def is_plausible(self, now: float) -> bool:
        """Whether an answer before `now` can have reported it."""
        ends = (self.ends_at or 0.0, self.earliest_end, self.latest_end - WHOLE_SECOND)
        return (
            max(self.since, self.last_at) <= now + CLOCK_SKEW_SECONDS
            and max(ends) <= now + LONGEST_SAVED_SECONDS
            and self.longest_reset <= LONGEST_SAVED_SECONDS
            and all(
                0 <= count <= MOST_REMAINING
                for count in (
                    self.remaining,
                    self.first_remaining,
                    self.sent,
                    self.most_remaining,
                )
            )
            and self.doubted == shown(self.doubted)
        )
