"""Quotas: full speed while requests remain, wait until the stated reset when none do.

    headers of each answer ──▶ Quota.observe ──▶ Quota.pause() ──▶ seconds to wait, and why

The server's headers are the truth, within what an API can mean (`stated.py`). Providers send one
of these (provider sheets):

- `RateLimit-Limit`, `-Remaining`, `-Reset` (seconds), where several windows may count at once, of
  which one is reported. Windows are told apart by their limit.
- `X-RateLimit-Limit`, `-Remaining`, `-Reset` (Unix seconds).
- only `X-RateLimit-Remaining`. How fast requests come back is measured, as a lower bound. Until
  something has come back, the documented rate is trusted where more remained than the documented
  limit (a bucket that fills all the time, to more than that); otherwise a documented period is
  waited for.

No wait is longer than an hour, the longest window that a provider documents. After a statement of
more than that the length of the wait is unknown: a documented period, and twice as long with each
further refusal in a row, up to the hour.

Belongs here: arithmetic on times, no sleeping and no HTTP. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from lead_pipeline.providers.base import Limit
from lead_pipeline.providers.stated import (
    CLOCK_SKEW_SECONDS,
    LONGEST_WAIT_SECONDS,
    MOST_REMAINING,
    NOT_CREDIBLE,
    ROUNDING_SECONDS,
    shown,
    stated_count,
    stated_seconds,
)

MARGIN_SECONDS = 0.01
"""Added to a stated reset: the server's window must be over when the request arrives."""
LONGEST_SLACK_SECONDS = 5.0
"""More than this is not a matter of rounding and of clocks a little apart."""
REAL_MINUTE_SECONDS = 30.0
"""A reset seen at or above this proves that the server's minute is a real one."""
IDLE_SECONDS = 60.0
"""After such a pause a measured refill rate is measured afresh: a full bucket refills no further."""
_LONGEST_SAVED_SECONDS = LONGEST_WAIT_SECONDS + ROUNDING_SECONDS
"""The longest saved wait that can be ours; a clock may have been set back by a hair meanwhile."""
MOST_BUCKETS = 8
"""Of more limits than this, which no provider has, those seen last are kept."""
MOST_DOUBLINGS = 16
"""Of a wait of unknown length: enough for any period to reach the longest wait."""


class Bucket(msgspec.Struct):
    """One limit as the server last reported it. Times are Unix seconds."""

    remaining: int
    ends_at: float | None
    """When it refills; None where the server does not say, or says what cannot be."""
    since: float
    """When this window, or this measurement of a refill rate, began."""
    last_at: float
    first_remaining: int
    sent: int = 0
    """Requests answered since the one at `since`."""
    doubted: str = ""
    """A stated reset that is not credible."""

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

    def is_plausible(self, now: float) -> bool:
        """Whether an answer before `now` can have reported it."""
        return (
            max(self.since, self.last_at) <= now + CLOCK_SKEW_SECONDS
            and (self.ends_at is None or self.ends_at <= now + _LONGEST_SAVED_SECONDS)
            and all(
                0 <= count <= MOST_REMAINING
                for count in (self.remaining, self.first_remaining, self.sent)
            )
            and self.doubted == shown(self.doubted)
        )


class Pause(msgspec.Struct, frozen=True):
    """How long to wait before the next request, in seconds, and why."""

    seconds: float
    reason: str


class Quota(msgspec.Struct):
    """What is left of an account's request quota. Can be saved and resumed."""

    buckets: dict[str, Bucket] = {}
    blocked_until: float = 0.0
    """Set by a 429, and by a 503 that says when to come back."""
    blocked_by: int = 429
    doubted: str = ""
    """The stated wait behind `blocked_until`, where it is not credible."""
    doubted_refusals: int = 0
    """Refusals with such a statement since a request was last served."""
    refill_expected_at: float = 0.0
    slack: float = 0.0
    """Seconds added to stated resets: one more each time that a request came too early, because
    the server rounds down or its clock is behind ours."""
    longest_reset: float = 0.0
    sent_at: list[float] = []
    """When the latest requests were sent, for limits that no header reports. Oldest first."""

    def observe(self, headers: Mapping[str, str], sent_at: float, received_at: float) -> None:
        """Take in the headers of any answer. Values that cannot be read count as absent."""
        lower = {name.lower(): value for name, value in headers.items()}
        remaining = stated_count(_either(lower, "remaining", stated_count))
        if remaining is None:
            return
        limit = shown(_either(lower, "limit", lambda text: text or None))
        reset = _either(lower, "reset", lambda text: stated_seconds(text, received_at))
        seconds = stated_seconds(reset, received_at, lower.get("date"))
        doubted = shown(reset) if seconds == NOT_CREDIBLE else ""
        ends_at = None if seconds is None or doubted else received_at + seconds
        if ends_at is not None:
            self.longest_reset = max(self.longest_reset, ends_at - received_at)
        bucket = self.buckets.get(limit)
        if bucket is None or bucket.refilled_by(remaining, sent_at):
            self.buckets[limit] = Bucket(
                remaining, ends_at, received_at, received_at, remaining, doubted=doubted
            )
            self._forget_old_buckets()
            return
        bucket.remaining = remaining
        bucket.last_at = received_at
        bucket.sent += 1
        bucket.doubted = doubted
        if ends_at is not None:
            # Whole seconds are rounded up: within one window the earliest answer is the best.
            bucket.ends_at = ends_at if bucket.ends_at is None else min(bucket.ends_at, ends_at)

    def refused(
        self,
        retry_after: str | None,
        now: float,
        documented: Sequence[Limit],
        *,
        status: int = 429,
        date: str | None = None,
    ) -> float | None:
        """Take in a 429 or 503 with the text of its `Retry-After` and `Date`.

        Returns the seconds to wait for it, None where the server does not say.
        """
        if status == 429 and not self.doubted and 0 <= now - self.refill_expected_at < 1.0:
            self.slack = min(self.slack + 1.0, LONGEST_SLACK_SECONDS)
        seconds = stated_seconds(retry_after, now, date)
        if seconds is None:
            return None
        self.doubted = ""
        if seconds == NOT_CREDIBLE:
            self.doubted = shown(retry_after or "")
            seconds = documented[0].seconds * 2.0**self.doubted_refusals
            self.doubted_refusals = min(self.doubted_refusals + 1, MOST_DOUBLINGS)
            seconds = min(seconds, LONGEST_WAIT_SECONDS)
        self.blocked_until = now + seconds
        self.blocked_by = status
        return seconds

    def served(self) -> None:
        """Take in that a request was answered with what it asked for: the server is well.

        Nothing blocks then, also where a clock that was set back says otherwise.
        """
        self.blocked_until = 0.0
        self.doubted = ""
        self.doubted_refusals = 0

    def pause(
        self, now: float, documented: Sequence[Limit], own_limit: int | None = None
    ) -> Pause | None:
        """What to wait for before the next request, an hour at most; None for nothing."""
        asked = f"the server asked to come back later ({self.blocked_by})"
        pauses = [Pause(self.blocked_until - now, asked + _doubts("wait", self.doubted))]
        for limit, bucket in self.buckets.items():
            if bucket.remaining <= 0:
                refill = self._refill_at(bucket, documented)
                reason = f"no request remains of {limit}" if limit else "no request remains"
                doubted = bucket.doubted if bucket.ends_at is None else ""
                pauses.append(Pause(refill - now, reason + _doubts("reset", doubted)))
        for unreported in self._unreported(documented):
            reason = f"the documented limit of {unreported.requests:,} is used up"
            pauses.append(Pause(self._room_at(unreported) - now, reason))
        if own_limit is not None:
            room_at = self._room_at(Limit(own_limit, 60.0))
            pauses.append(Pause(room_at - now, "requests_per_minute of the account is used up"))
        longest = max(pauses, key=lambda pause: pause.seconds)
        if longest.seconds <= 0:
            return None
        seconds = min(longest.seconds, LONGEST_WAIT_SECONDS)
        self.refill_expected_at = now + seconds
        return Pause(seconds, longest.reason)

    def sent(self, at: float, keep: int) -> None:
        """Remember when a request was sent, the latest `keep` of them."""
        self.sent_at.append(at)
        del self.sent_at[:-keep]

    def is_plausible(self, now: float) -> bool:
        """Whether we can have saved it before `now`: nothing was seen later, no wait is too long.

        False for what a damaged file holds, for waits beyond the longest, and after our clock was
        set back.
        """
        return (
            len(self.buckets) <= MOST_BUCKETS
            and all(limit == shown(limit) for limit in self.buckets)
            and all(bucket.is_plausible(now) for bucket in self.buckets.values())
            and max(self.sent_at, default=now) <= now + CLOCK_SKEW_SECONDS
            and max(self.blocked_until, self.refill_expected_at) <= now + _LONGEST_SAVED_SECONDS
            and self.longest_reset <= _LONGEST_SAVED_SECONDS
            and 0 <= self.slack <= LONGEST_SLACK_SECONDS
            and 0 <= self.doubted_refusals <= MOST_DOUBLINGS
            and self.doubted == shown(self.doubted)
            and self.blocked_by in (429, 503)
        )

    def _forget_old_buckets(self) -> None:
        """A server that words its limit differently in each answer must not fill our memory."""
        while len(self.buckets) > MOST_BUCKETS:
            del self.buckets[min(self.buckets, key=lambda limit: self.buckets[limit].last_at)]

    def _refill_at(self, bucket: Bucket, documented: Sequence[Limit]) -> float:
        if bucket.ends_at is not None:
            return bucket.ends_at + self.slack + MARGIN_SECONDS
        shortest = documented[0]
        rate = bucket.refill_rate()
        if rate > 0:
            return bucket.last_at + min(1.0 / rate, shortest.seconds)
        if bucket.first_remaining > shortest.requests:
            return bucket.last_at + shortest.seconds / shortest.requests
        return bucket.since + shortest.seconds

    def _unreported(self, documented: Sequence[Limit]) -> list[Limit]:
        """Documented limits that no header shows, where the server limits as documented.

        A server with another limit a minute, or whose minute is not one, may well have another
        limit an hour too: there only its answers count.
        """
        shortest = documented[0]
        as_documented = (
            str(shortest.requests) in self.buckets and self.longest_reset >= REAL_MINUTE_SECONDS
        )
        if not as_documented:
            return []
        return [limit for limit in documented[1:] if str(limit.requests) not in self.buckets]

    def _room_at(self, limit: Limit) -> float:
        """When one more request fits into `limit` as a rolling window; 0 for now."""
        if len(self.sent_at) < limit.requests:
            return 0.0
        return self.sent_at[-limit.requests] + limit.seconds


def _either(headers: Mapping[str, str], name: str, read: Callable[[str], object]) -> str:
    """The first of the two headers in use for `name` that can be read, empty where none can."""
    texts = (headers.get(f"ratelimit-{name}", ""), headers.get(f"x-ratelimit-{name}", ""))
    return next((text for text in texts if read(text) is not None), "")


def _doubts(kind: str, stated: str) -> str:
    if not stated:
        return ""
    return f', but the {kind} that it states, "{stated}", is not credible: one request asks again'
