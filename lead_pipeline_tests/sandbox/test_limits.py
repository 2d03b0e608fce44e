"""Request limits: what passes, what is refused, what the headers say; on a clock of its own."""

from __future__ import annotations

import time

import pytest

from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.limits import (
    ExpertAiLabsLimits,
    Limits,
    MegaLimits,
    VorelLimits,
    Window,
    mega_limits,
    vorel_limits,
)
from lead_pipeline_tests.sandbox.clients import LEADS, MEGA_LEADS, client_of


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused_after(limits: Limits) -> int:
    """How many requests pass at once."""
    for number in range(2000):
        if not limits.admit().allowed:
            return number
    raise AssertionError("nothing was refused")


def mega(clock: Clock) -> MegaLimits:
    return MegaLimits([Window(60, 60), Window(1000, 3600)], clock=clock)


def test_mega_allows_60_a_minute() -> None:
    clock = Clock()
    limits = mega(clock)
    assert refused_after(limits) == 60
    clock.now += 59.9
    assert not limits.admit().allowed
    clock.now += 0.1
    assert refused_after(limits) == 60


def test_mega_allows_1000_an_hour() -> None:
    clock = Clock()
    limits = mega(clock)
    passed = 0
    for _ in range(17):
        passed += refused_after(limits)
        clock.now += 60
    assert passed == 1000
    assert limits.admit().headers == {
        "RateLimit-Limit": "1000",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": str(3600 - 17 * 60),
        "Retry-After": str(3600 - 17 * 60),
    }


def test_mega_reports_the_window_with_the_fewest_requests_left() -> None:
    clock = Clock()
    limits = mega(clock)
    limits.windows[1].requests = 100
    assert limits.admit().headers["RateLimit-Limit"] == "60"
    refused_after(limits)
    clock.now += 60
    headers = limits.admit().headers
    assert (headers["RateLimit-Limit"], headers["RateLimit-Remaining"]) == ("100", "39")


def test_mega_reports_of_two_equal_windows_the_one_that_resets_later() -> None:
    limits = mega(Clock())
    limits.windows[1].requests = 60
    headers = limits.admit().headers
    assert (headers["RateLimit-Remaining"], headers["RateLimit-Reset"]) == ("59", "3600")


def test_a_reset_is_told_in_whole_seconds_rounded_up() -> None:
    clock = Clock()
    limits = mega(clock)
    limits.admit()
    clock.now += 0.3
    assert limits.admit().headers["RateLimit-Reset"] == "60"
    clock.now += 59.6
    assert limits.admit().headers["RateLimit-Reset"] == "1"


def test_expert_ai_labs_allows_bursts_of_120_and_one_a_second_after() -> None:
    clock = Clock()
    limits = ExpertAiLabsLimits(clock=clock)
    assert refused_after(limits) == 120
    clock.now += 0.25
    refusal = limits.admit()
    assert refusal.headers == {"X-RateLimit-Remaining": "0", "Retry-After": "1"}
    clock.now += 5
    assert refused_after(limits) == 5
    clock.now += 3600
    assert refused_after(limits) == 120


def test_vorel_allows_200_in_a_window_and_tells_the_reset_in_unix_seconds() -> None:
    clock = Clock()
    limits = VorelLimits(Window(200, 60), clock=clock, unix_clock=lambda: 1_767_225_600.5)
    assert refused_after(limits) == 200
    clock.now += 45.2
    assert limits.admit().headers == {
        "X-RateLimit-Limit": "200",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1767225616",
        "Retry-After": "15",
    }
    clock.now += 14.8
    assert refused_after(limits) == 200


def test_limits_that_are_not_enforced_never_refuse_nor_run_low() -> None:
    for limits in (mega_limits(enforced=False), vorel_limits(enforced=False)):
        verdicts = [limits.admit() for _ in range(300)]
        assert all(verdict.allowed for verdict in verdicts)
    assert verdicts[-1].headers["X-RateLimit-Remaining"] == "200"


def test_a_time_scale_shortens_the_minute_and_keeps_whole_seconds() -> None:
    with Sandbox(World.empty(), time_scale=120) as sandbox, client_of(sandbox, "mega") as client:
        answers = [client.get(MEGA_LEADS) for _ in range(61)]
        assert answers[-1].status_code == 429
        assert answers[-1].headers["Retry-After"] == "1"
        time.sleep(0.5)
        assert client.get(MEGA_LEADS).status_code == 200


def test_limits_of_a_running_server_can_be_replaced_and_changed(empty: Sandbox) -> None:
    empty.vorel.limits = VorelLimits(window := Window(1, 3600))
    with client_of(empty, "vorel") as client:
        assert [client.get(LEADS).status_code for _ in range(2)] == [200, 429]
        window.requests = 2
        assert [client.get(LEADS).status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("status", [401, 400, 404])
def test_errors_count_and_carry_the_headers_too(empty: Sandbox, status: int) -> None:
    asked = {
        401: (MEGA_LEADS, {"Authorization": "Bearer x"}),
        400: (f"{MEGA_LEADS}?limit=0", {}),
        404: ("/nothing", {}),
    }
    path, headers = asked[status]
    with client_of(empty, "mega") as client:
        answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.headers["RateLimit-Remaining"]) == (status, "59")
