"""Quotas: full speed while requests remain, wait until the stated reset when none do.

    headers of each answer ──▶ Quota.observe ──▶ Quota.pause() ──▶ seconds to wait, and why

The server's headers are the truth. What the three APIs send (provider sheets):

- MEGA: `RateLimit-Limit`, `-Remaining`, `-Reset` (seconds), of two windows at once, a minute
  and an hour, of which one is reported. Windows are told apart by their limit.
- Vorel: `X-RateLimit-Limit`, `-Remaining`, `-Reset` (Unix seconds).
- Expert AI Labs: only `X-RateLimit-Remaining`. How fast requests come back is measured, as
  a lower bound. Until something has come back, the documented rate is trusted where more
  remained than the documented limit (a bucket that fills all the time, to more than that);
  otherwise a documented period is waited for.

Belongs here: arithmetic on times, no sleeping and no HTTP. Times are Unix seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

import msgspec

from lead_pipeline.providers.base import Limit

EPOCH_THRESHOLD = 1_000_000_000
"""Reset values above this are Unix seconds, below it seconds from now."""
CLOCK_SKEW_SECONDS = 2.0
"""A difference between our clock and the server's `Date` that is taken seriously."""
MARGIN_SECONDS = 0.01
"""Added to a stated reset: the server's window must be over when the request arrives."""
LONGEST_SLACK_SECONDS = 5.0
"""More than this is not a matter of rounding and of clocks a little apart."""
REAL_MINUTE_SECONDS = 30.0
"""A reset seen at or above this proves that the server's minute is a real one."""
IDLE_SECONDS = 60.0
"""After such a pause a measured refill rate starts anew: a full bucket refills no further."""


class Bucket(msgspec.Struct):
    """One limit as the server last reported it. Times are Unix seconds."""

    remaining: int
    ends_at: float | None
    """When it refills; None where the server does not say."""
    since: float
    """When this window, or this measurement of a refill rate, began."""
    last_at: float
    first_remaining: int
    sent: int = 0
    """Requests answered since the one at `since`."""

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


class Pause(msgspec.Struct, frozen=True):
    """How long to wait before the next request, in seconds, and why."""

    seconds: float
    reason: str


class Quota(msgspec.Struct):
    """What is left of an account's request quota. Can be saved and gone on with."""

    buckets: dict[str, Bucket] = {}
    blocked_until: float = 0.0
    """Set by a 429, and by a 503 that says when to come back."""
    blocked_by: int = 429
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
        remaining = _number(lower, "ratelimit-remaining", "x-ratelimit-remaining")
        if remaining is None:
            return
        limit = lower.get("ratelimit-limit") or lower.get("x-ratelimit-limit") or ""
        reset = _number(lower, "ratelimit-reset", "x-ratelimit-reset")
        ends_at = None if reset is None else _ends_at(reset, lower.get("date"), received_at)
        if ends_at is not None:
            self.longest_reset = max(self.longest_reset, ends_at - received_at)
        bucket = self.buckets.get(limit)
        if bucket is None or bucket.refilled_by(remaining, sent_at):
            self.buckets[limit] = Bucket(
                int(remaining), ends_at, received_at, received_at, int(remaining)
            )
            return
        bucket.remaining = int(remaining)
        bucket.last_at = received_at
        bucket.sent += 1
        if ends_at is not None:
            # Whole seconds are rounded up: within one window the earliest answer is the best.
            bucket.ends_at = ends_at if bucket.ends_at is None else min(bucket.ends_at, ends_at)

    def refused(self, retry_after: float | None, now: float, status: int = 429) -> None:
        """Take in a 429 or 503. `retry_after` is what the server asks for, in seconds."""
        if status == 429 and 0 <= now - self.refill_expected_at < 1.0:
            self.slack = min(self.slack + 1.0, LONGEST_SLACK_SECONDS)
        if retry_after is not None:
            self.blocked_until = now + retry_after
            self.blocked_by = status

    def pause(
        self, now: float, documented: Sequence[Limit], own_limit: int | None = None
    ) -> Pause | None:
        """What to wait for before the next request; None when it can be sent at once."""
        asked = f"the server asked to come back later ({self.blocked_by})"
        pauses = [Pause(self.blocked_until - now, asked)]
        for limit, bucket in self.buckets.items():
            if bucket.remaining <= 0:
                refill = self._refill_at(bucket, documented)
                reason = f"no request remains of {limit}" if limit else "no request remains"
                pauses.append(Pause(refill - now, reason))
        for unreported in self._unreported(documented):
            reason = f"the documented limit of {unreported.requests:,} is used up"
            pauses.append(Pause(self._room_at(unreported) - now, reason))
        if own_limit is not None:
            room_at = self._room_at(Limit(own_limit, 60.0))
            pauses.append(Pause(room_at - now, "requests_per_minute of the account is used up"))
        longest = max(pauses, key=lambda pause: pause.seconds)
        if longest.seconds <= 0:
            return None
        self.refill_expected_at = now + longest.seconds
        return longest

    def sent(self, at: float, keep: int) -> None:
        """Remember when a request was sent, the latest `keep` of them."""
        self.sent_at.append(at)
        del self.sent_at[:-keep]

    def _refill_at(self, bucket: Bucket, documented: Sequence[Limit]) -> float:
        if bucket.ends_at is not None:
            return bucket.ends_at + self.slack + MARGIN_SECONDS
        rate = bucket.refill_rate()
        if rate > 0:
            return bucket.last_at + 1.0 / rate
        shortest = documented[0]
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


def parse_retry_after(value: str | None, now: float, date: str | None = None) -> float | None:
    """Seconds to wait from a `Retry-After` header: a number, or an HTTP date. None if neither.

    `date` is the answer's own `Date`: where our clock differs from it, the server's counts.
    """
    if value is None:
        return None
    seconds = _finite(value)
    if seconds is not None:
        return max(0.0, seconds)
    until = _http_date(value)
    return None if until is None else max(0.0, until - _server_clock(date, now))


def _number(headers: Mapping[str, str], *names: str) -> float | None:
    for name in names:
        number = _finite(headers.get(name, ""))
        if number is not None:
            return number
    return None


def _finite(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _http_date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _server_clock(date: str | None, now: float) -> float:
    """The server's time: ours, unless its `Date`, in whole seconds, is clearly another."""
    server_now = None if date is None else _http_date(date)
    if server_now is not None and abs(server_now - now) > CLOCK_SKEW_SECONDS:
        return server_now
    return now


def _ends_at(reset: float, date: str | None, received_at: float) -> float:
    if reset < EPOCH_THRESHOLD:
        return received_at + reset
    return received_at + (reset - _server_clock(date, received_at))
