"""Request limits of every kind that an API can have, with an exact clock of the caller's.

    a moment ──▶ admitted or not, and the headers that go with the answer

Those of the provider sheets are here, and those that fit what the sheets leave open: how a window
begins, and how whole seconds are rounded. Belongs here: what a server counts and says. Does not
belong here: what a client makes of it (`lead_pipeline.providers.quota`); the sandbox's own limits,
which are those documented.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lead_pipeline.providers.base import Limit

ROUNDINGS: Mapping[str, Callable[[float], float]] = {
    "rounded up": math.ceil,
    "rounded down": math.floor,
    "to the nearest second": lambda seconds: math.floor(seconds + 0.5),
    "to the millisecond": lambda seconds: round(seconds, 3),
}


class Limiter(ABC):
    """`requests` in `seconds`, in one of many ways to count. Times are seconds of any clock."""

    def __init__(self, requests: int, seconds: float) -> None:
        self.requests = requests
        self.seconds = seconds

    @abstractmethod
    def left(self, now: float) -> int:
        """How many requests are admitted at once now."""

    @abstractmethod
    def reset_in(self, now: float) -> float:
        """Seconds until there are more."""

    @abstractmethod
    def take(self, now: float) -> None:
        """Count a request that was admitted."""


class FixedWindow(Limiter):
    """A window begins with the first request after the last one, or with the clock (`phase`)."""

    def __init__(self, requests: int, seconds: float, phase: float | None = None) -> None:
        super().__init__(requests, seconds)
        self._phase = phase
        self._began: float | None = None
        self._used = 0

    def _roll(self, now: float) -> None:
        began = self._began
        if self._phase is not None:
            began = math.floor((now - self._phase) / self.seconds) * self.seconds + self._phase
        elif began is not None and now >= began + self.seconds:
            began = None
        if began != self._began or began is None:
            self._began, self._used = began, 0

    def left(self, now: float) -> int:
        self._roll(now)
        return self.requests - self._used

    def reset_in(self, now: float) -> float:
        self._roll(now)
        return self.seconds if self._began is None else self._began + self.seconds - now

    def take(self, now: float) -> None:
        self._roll(now)
        if self._began is None:
            self._began = now
        self._used += 1


class SlidingWindow(Limiter):
    """Each request counts for as long as the window is; the reset is that of the oldest."""

    def __init__(self, requests: int, seconds: float) -> None:
        super().__init__(requests, seconds)
        self._taken: deque[float] = deque()

    def _roll(self, now: float) -> None:
        while self._taken and now - self._taken[0] >= self.seconds:
            self._taken.popleft()

    def left(self, now: float) -> int:
        self._roll(now)
        return self.requests - len(self._taken)

    def reset_in(self, now: float) -> float:
        self._roll(now)
        return self._taken[0] + self.seconds - now if self._taken else 0.0

    def take(self, now: float) -> None:
        self._taken.append(now)


class TokenBucket(Limiter):
    """A bucket of `capacity` requests, into which `requests` in `seconds` drip."""

    def __init__(self, requests: int, seconds: float, capacity: int) -> None:
        super().__init__(requests, seconds)
        self._capacity = capacity
        self._tokens = float(capacity)
        self._filled_at: float | None = None

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            dripped = (now - self._filled_at) * self.requests / self.seconds
            self._tokens = min(self._capacity, self._tokens + dripped)
        self._filled_at = now

    def left(self, now: float) -> int:
        self._fill(now)
        # A hair below a whole number is one: times are no exact decimals.
        return math.floor(self._tokens + 1e-9)

    def reset_in(self, now: float) -> float:
        self._fill(now)
        return max(0.0, 1.0 - self._tokens) * self.seconds / self.requests

    def take(self, now: float) -> None:
        self._fill(now)
        self._tokens -= 1


@dataclass(frozen=True)
class Answer:
    """Whether a request is admitted, and the headers that tell of the limits."""

    admitted: bool
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Kind:
    """A way to limit requests, and to tell of it as one of the providers does."""

    name: str
    provider: str
    make: Callable[[float], Sequence[Limiter]]
    """The limiters, of which each must admit a request; the argument divides all periods."""
    documented: Sequence[Limit]
    """What the provider's documentation says of it, which is all that a client knows."""
    rounding: str = "rounded up"
    window_seconds: float = 60.0
    """The window of which ten are measured."""
    is_documented: bool = True
    """Whether the sheets say so; False: they say nothing that rules it out."""

    def admit(self, limiters: Sequence[Limiter], now: float, unix_offset: float = 0.0) -> Answer:
        """Judge a request at `now`; `unix_offset` leads from that clock to Unix time."""
        admitted = all(limiter.left(now) > 0 for limiter in limiters)
        if admitted:
            for limiter in limiters:
                limiter.take(now)
        fewest = min(limiters, key=lambda one: (one.left(now), -one.reset_in(now)))
        told = self._told(fewest, now, now + unix_offset)
        if not admitted:
            told["Retry-After"] = str(math.ceil(fewest.reset_in(now)))
        return Answer(admitted, told)

    def _told(self, limiter: Limiter, now: float, unix_now: float) -> dict[str, str]:
        rounded, left = ROUNDINGS[self.rounding], str(limiter.left(now))
        if self.provider == "mega":
            return {
                "RateLimit-Limit": str(limiter.requests),
                "RateLimit-Remaining": left,
                "RateLimit-Reset": str(rounded(limiter.reset_in(now))),
            }
        if self.provider == "vorel":
            return {
                "X-RateLimit-Limit": str(limiter.requests),
                "X-RateLimit-Remaining": left,
                "X-RateLimit-Reset": str(rounded(unix_now + limiter.reset_in(now))),
            }
        return {"X-RateLimit-Remaining": left}


MEGA = (Limit(60, 60.0), Limit(1_000, 3_600.0))
EXPERT_AI_LABS = (Limit(60, 60.0),)
VOREL = (Limit(200, 60.0),)
_PHASE = 12.7
"""Of windows that begin with the clock: at no whole second."""


_WAYS: Mapping[str, Callable[[int, float], Limiter]] = {
    "a minute from the first request": FixedWindow,
    "a minute of the clock": lambda requests, seconds: FixedWindow(requests, seconds, _PHASE),
    "a sliding minute": SlidingWindow,
}
_PROVIDERS = (("mega", 60, MEGA[:1]), ("vorel", 200, VOREL))


def _minute(
    way: str, rounding: str, provider: str, requests: int, documented: Sequence[Limit]
) -> Kind:
    def make(scale: float) -> Sequence[Limiter]:
        return [_WAYS[way](requests, 60 / scale)]

    # The sheet of the one says fixed windows, that of the other leaves it open.
    is_documented = provider == "mega" or "sliding" not in way
    return Kind(
        f"{way}, {rounding}", provider, make, documented, rounding, is_documented=is_documented
    )


KINDS: Sequence[Kind] = (
    *(
        _minute(way, rounding, *provider)
        for rounding in ROUNDINGS
        for way in _WAYS
        for provider in _PROVIDERS
    ),
    *(
        Kind(
            f"a minute and an hour, {rounding}",
            "mega",
            lambda scale: [FixedWindow(60, 60 / scale), FixedWindow(1_000, 3_600 / scale)],
            MEGA,
            rounding,
            window_seconds=3_600.0,
        )
        for rounding in ROUNDINGS
    ),
    Kind(
        "a sliding minute and a sliding hour, rounded up",
        "mega",
        lambda scale: [SlidingWindow(60, 60 / scale), SlidingWindow(1_000, 3_600 / scale)],
        MEGA,
        window_seconds=3_600.0,
    ),
    Kind(
        "a bucket of 120 that fills at 60 a minute",
        "expert_ai_labs",
        lambda scale: [TokenBucket(60, 60 / scale, 120)],
        EXPERT_AI_LABS,
    ),
    Kind(
        "a minute from the first request, no reset told",
        "expert_ai_labs",
        lambda scale: [FixedWindow(60, 60 / scale)],
        EXPERT_AI_LABS,
    ),
    Kind(
        "a sliding minute, no reset told",
        "expert_ai_labs",
        lambda scale: [SlidingWindow(60, 60 / scale)],
        EXPERT_AI_LABS,
    ),
)


def scaled(documented: Sequence[Limit], scale: float) -> tuple[Limit, ...]:
    """The same limits in shorter periods."""
    return tuple(Limit(limit.requests, limit.seconds / scale) for limit in documented)


def shortest_seconds(
    kind: Kind, scale: float, requests: int, round_trip: float, began: float
) -> float:
    """From the first of so many requests to the last, for somebody who knows what the server knows.

    A request follows the one before `round_trip` seconds later, if it is admitted then.
    """
    moments = _best_moments(kind, scale, round_trip, began)
    return next(moment for number, moment in enumerate(moments, 1) if number == requests) - began


def most_requests(kind: Kind, scale: float, seconds: float, round_trip: float, began: float) -> int:
    """How many requests that somebody gets in so many seconds."""
    moments = _best_moments(kind, scale, round_trip, began)
    return next(number for number, moment in enumerate(moments) if moment >= began + seconds)


def _best_moments(kind: Kind, scale: float, round_trip: float, began: float) -> Iterator[float]:
    limiters, now = kind.make(scale), began
    while True:
        while empty := [limiter for limiter in limiters if limiter.left(now) <= 0]:
            # A hair later than the sum, which may be rounded to just before the reset.
            now += max(limiter.reset_in(now) for limiter in empty) + 1e-6
        for limiter in limiters:
            limiter.take(now)
        yield now
        now += round_trip
