"""Quotas: full speed while requests remain, wait until the window's end when none do.

    headers of each answer ──▶ Quota.observe ──▶ Quota.pause() ──▶ seconds to wait, and why

The server's headers are the truth, within what an API can mean (`stated.py`). Providers send one
of these (provider sheets):

- `RateLimit-Limit`, `-Remaining`, `-Reset` (seconds), where several windows may count at once, of
  which one is reported. Windows are told apart by their limit.
- `X-RateLimit-Limit`, `-Remaining`, `-Reset` (Unix seconds).
- only `X-RateLimit-Remaining`. Where more remained than the documented limit it is a bucket that
  fills all the time, to more than that: at the documented rate until something has come back, then
  as fast as measured, a lower bound. Otherwise it is a window of the documented period.

When a window has room again follows from when our own requests were answered, within what the
server states (`bucket.py`).

No wait is longer than an hour, the longest window that a provider documents. After a statement of
more than that the length of the wait is unknown: a documented period, and twice as long with each
further refusal in a row, up to the hour.

Belongs here: arithmetic on times, no sleeping and no HTTP. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from lead_pipeline.providers.base import Limit
from lead_pipeline.providers.bucket import LONGEST_SAVED_SECONDS, Bucket
from lead_pipeline.providers.stated import (
    CLOCK_SKEW_SECONDS,
    LONGEST_WAIT_SECONDS,
    NOT_CREDIBLE,
    shown,
    stated_count,
    stated_seconds,
)

MARGIN_SECONDS = 0.01
"""Added to the end of a window: the server's window must be over when the request arrives."""
LONGEST_SLACK_SECONDS = 5.0
"""More than this is not a matter of rounding and of clocks a little apart."""
REAL_MINUTE_SECONDS = 30.0
"""A reset seen at or above this proves that the server's minute is a real one."""
MOST_BUCKETS = 8
"""Of more limits than this, which no provider has, those seen last are kept."""
MOST_DOUBLINGS = 16
"""Of a wait of unknown length: enough for any period to reach the longest wait."""


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
    """When the latest requests were sent or, where known, answered. Oldest first."""
    never_drips: bool = False
    """A limit without a reset turned out to give nothing back before a period is over."""

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
            self.buckets[limit] = Bucket.begun(
                remaining, ends_at, sent_at, received_at, doubted, bucket
            )
            self._forget_old_buckets()
        else:
            bucket.report(remaining, ends_at, sent_at, received_at, doubted)
        if self.sent_at and self.sent_at[-1] == sent_at:
            # By now the server has counted it, and not before it was sent.
            self.sent_at[-1] = received_at

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
            self._came_too_early(documented)
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
                refill = self._refill_at(limit, bucket, documented)
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
            and max(self.blocked_until, self.refill_expected_at) <= now + LONGEST_SAVED_SECONDS
            and self.longest_reset <= LONGEST_SAVED_SECONDS
            and 0 <= self.slack <= LONGEST_SLACK_SECONDS
            and 0 <= self.doubted_refusals <= MOST_DOUBLINGS
            and self.doubted == shown(self.doubted)
            and self.blocked_by in (429, 503)
        )

    def _came_too_early(self, documented: Sequence[Limit]) -> None:
        """Learn from a request that was refused when room was expected."""
        empty = [bucket for bucket in self.buckets.values() if bucket.remaining <= 0]
        if any(bucket.seems_to_drip(documented, self.sent_at) for bucket in empty):
            self.never_drips = not self.never_drips
        else:
            self.slack = min(self.slack + 1.0, LONGEST_SLACK_SECONDS)

    def _forget_old_buckets(self) -> None:
        """A server that words its limit differently in each answer must not fill our memory."""
        while len(self.buckets) > MOST_BUCKETS:
            del self.buckets[min(self.buckets, key=lambda limit: self.buckets[limit].last_at)]

    def _refill_at(self, limit: str, bucket: Bucket, documented: Sequence[Limit]) -> float:
        if bucket.seems_to_drip(documented, self.sent_at) and not self.never_drips:
            return bucket.next_drop_at(documented[0])
        return bucket.refill_at(limit, documented, self.sent_at, self.slack) + MARGIN_SECONDS

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
