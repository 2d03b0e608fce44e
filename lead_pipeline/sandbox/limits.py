"""Request limits of the three providers, and the headers that tell of them.

They count in real time; the world's clock plays no part.

Every limits object can be replaced on a running server (`server.limits = ...`) and
changed (`server.limits.windows[0].requests = 5`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

Clock = Callable[[], float]


@dataclass(frozen=True)
class Verdict:
    """Whether a request may pass, and the headers that go with its answer."""

    allowed: bool
    headers: Mapping[str, str]


class Limits(Protocol):
    """What a server asks once for every request."""

    def admit(self) -> Verdict: ...


@dataclass
class Window:
    """So many requests in a fixed window, which begins with its first request."""

    requests: int
    seconds: float
    used: int = 0
    began_at: float | None = None

    def left(self, now: float) -> tuple[int, float]:
        """Requests that remain and seconds until the reset; a window that is over starts again."""
        if self.began_at is None or now >= self.began_at + self.seconds:
            self.used, self.began_at = 0, None
            return self.requests, self.seconds
        return max(0, self.requests - self.used), self.began_at + self.seconds - now

    def take(self, now: float) -> None:
        if self.began_at is None:
            self.began_at = now
        self.used += 1


@dataclass
class MegaLimits:
    """60 a minute and 1,000 an hour at once.

    The headers report the window with the fewest requests left, and of equals the one
    that resets later: whoever waits for it has waited for both.
    """

    windows: list[Window]
    enforced: bool = True
    clock: Clock = time.monotonic

    def admit(self) -> Verdict:
        now = self.clock()
        before = [window.left(now) for window in self.windows]
        allowed = not self.enforced or all(remaining > 0 for remaining, _ in before)
        if allowed and self.enforced:
            for window in self.windows:
                window.take(now)
        states = [(*window.left(now), window.requests) for window in self.windows]
        remaining, reset, limit = min(states, key=lambda state: (state[0], -state[1]))
        headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(remaining),
            "RateLimit-Reset": str(math.ceil(reset)),
        }
        if not allowed:
            headers["Retry-After"] = str(math.ceil(reset))
        return Verdict(allowed, headers)


@dataclass
class ExpertAiLabsLimits:
    """A bucket of `capacity` tokens that refills at `per_second`; a request takes one."""

    capacity: float = 120
    per_second: float = 1.0
    enforced: bool = True
    clock: Clock = time.monotonic
    tokens: float = field(default=math.inf)
    filled_at: float = 0.0

    def admit(self) -> Verdict:
        now = self.clock()
        refilled = self.tokens + (now - self.filled_at) * self.per_second
        self.tokens, self.filled_at = min(self.capacity, refilled), now
        allowed = not self.enforced or self.tokens >= 1
        if allowed and self.enforced:
            self.tokens -= 1
        headers = {"X-RateLimit-Remaining": str(math.floor(self.tokens))}
        if not allowed:
            headers["Retry-After"] = str(math.ceil((1 - self.tokens) / self.per_second))
        return Verdict(allowed, headers)


@dataclass
class VorelLimits:
    """200 a minute in fixed windows; the reset is told in Unix seconds."""

    window: Window
    enforced: bool = True
    clock: Clock = time.monotonic
    unix_clock: Clock = time.time

    def admit(self) -> Verdict:
        now = self.clock()
        allowed = not self.enforced or self.window.left(now)[0] > 0
        if allowed and self.enforced:
            self.window.take(now)
        remaining, reset = self.window.left(now)
        headers = {
            "X-RateLimit-Limit": str(self.window.requests),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(math.ceil(self.unix_clock() + reset)),
        }
        if not allowed:
            headers["Retry-After"] = str(math.ceil(reset))
        return Verdict(allowed, headers)


def mega_limits(*, enforced: bool = True, time_scale: float = 1.0) -> MegaLimits:
    """The documented limits of MEGA. `time_scale` 60: a minute lasts one second."""
    windows = [Window(60, 60 / time_scale), Window(1000, 3600 / time_scale)]
    return MegaLimits(windows, enforced=enforced)


def expert_ai_labs_limits(*, enforced: bool = True, time_scale: float = 1.0) -> ExpertAiLabsLimits:
    """The documented limits of Expert AI Labs: 60 a minute, bursts to 120."""
    return ExpertAiLabsLimits(per_second=time_scale, enforced=enforced)


def vorel_limits(
    *, enforced: bool = True, time_scale: float = 1.0, unix_clock: Clock = time.time
) -> VorelLimits:
    """The documented limit of a Vorel key; that of the tenant is out of reach for one key."""
    return VorelLimits(Window(200, 60 / time_scale), enforced=enforced, unix_clock=unix_clock)
