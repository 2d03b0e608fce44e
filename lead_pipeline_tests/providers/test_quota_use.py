"""Quotas against every kind of limit: no 429, and hardly a moment in which a request could have gone.

The client asks for pages as fast as they are answered, over ten windows. Its clock and the server's
are numbers, so ten hours take a second; real time: `python -m benchmarks quota`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from benchmarks.limiters import (
    EXPERT_AI_LABS,
    KINDS,
    FixedWindow,
    Kind,
    TokenBucket,
    shortest_seconds,
)
from lead_pipeline.providers.quota import Quota

BEGIN = 1_768_000_000.37
WINDOWS = 10
USE = 0.98
ROUND_TRIPS = [0.002, 0.05, 0.25]
"""Seconds; a server on the same machine, on the same continent, a slow one."""


@dataclass
class Crawl:
    """What a client got until ten windows were over."""

    admitted: int
    refused: int
    seconds: float
    """From the first request that was admitted to the last."""


def crawl(kind: Kind, round_trip: float) -> Crawl:
    """Ask for pages with a `Quota`, as `ApiClient` does."""
    limiters, quota, now = kind.make(1.0), Quota(), BEGIN
    got = Crawl(0, 0, 0.0)
    while True:
        pause = quota.pause(now, kind.documented)
        now += 0.0 if pause is None else pause.seconds
        if now >= BEGIN + WINDOWS * kind.window_seconds:
            return got
        quota.sent(now, keep=1_000)
        answer = kind.admit(limiters, now + round_trip / 2)
        quota.observe(answer.headers, now, now + round_trip)
        now += round_trip
        if answer.admitted:
            quota.served()
            got = Crawl(got.admitted + 1, got.refused, now - round_trip - BEGIN)
        else:
            got.refused += 1
            quota.refused(answer.headers["Retry-After"], now, kind.documented)


@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
@pytest.mark.parametrize("kind", [pytest.param(k, id=f"{k.provider}, {k.name}") for k in KINDS])
def test_quota_is_used_and_never_overdrawn(kind: Kind, round_trip: float) -> None:
    got = crawl(kind, round_trip)
    use = shortest_seconds(kind, 1.0, got.admitted, round_trip, BEGIN) / got.seconds

    assert got.refused == 0
    assert use >= USE, f"{got.admitted} requests in {got.seconds:.1f} s: {100 * use:.1f} %"


def test_limit_that_was_taken_for_a_bucket_is_overdrawn_once() -> None:
    """More than 60 remained, but nothing comes back before a minute is over."""
    kind = Kind(
        "120 a minute", "expert_ai_labs", lambda scale: [FixedWindow(120, 60)], EXPERT_AI_LABS
    )

    got = crawl(kind, 0.02)

    assert (got.admitted, got.refused) == (1_200, 1)


def test_bucket_that_looks_like_a_window_loses_its_first_filling_and_no_more() -> None:
    """As many as a window allows remained at first: nothing tells the two apart without a refusal."""
    kind = Kind(
        "60 a minute", "expert_ai_labs", lambda scale: [TokenBucket(60, 60, 60)], EXPERT_AI_LABS
    )

    got = crawl(kind, 0.02)

    assert got.refused == 0
    assert got.admitted >= WINDOWS * 60
