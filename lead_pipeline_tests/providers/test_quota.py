"""Quotas: the arithmetic of when the next request may go, told from headers alone.

Times are seconds after an arbitrary moment; no test waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import formatdate

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.providers.base import Limit
from lead_pipeline.providers.quota import (
    LONGEST_SLACK_SECONDS,
    MARGIN_SECONDS,
    Quota,
)

NOW = 1_768_000_000.0
MEGA = (Limit(60, 60.0), Limit(1_000, 3_600.0))
EXPERT_AI_LABS = (Limit(60, 60.0),)
VOREL = (Limit(200, 60.0),)


def mega(limit: int, remaining: int, reset: float) -> Mapping[str, str]:
    """MEGA's headers."""
    return {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(remaining),
        "RateLimit-Reset": str(reset),
    }


def vorel(remaining: int, reset_at: float, server_time: float = NOW) -> Mapping[str, str]:
    """Vorel's headers, with the server's clock."""
    return {
        "X-RateLimit-Limit": "200",
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(reset_at)),
        "Date": formatdate(server_time, usegmt=True),
    }


def expert(remaining: int) -> Mapping[str, str]:
    """Expert AI Labs' only header."""
    return {"X-RateLimit-Remaining": str(remaining)}


def answered(quota: Quota, headers: Mapping[str, str], at: float) -> None:
    """A request answered at `at`, a tenth of a second after it was sent."""
    quota.observe(headers, at - 0.1, at)


def wait(
    quota: Quota, at: float, documented: tuple[Limit, ...], own_limit: int | None = None
) -> float:
    """Seconds to wait at `at`, 0 for none."""
    pause = quota.pause(at, documented, own_limit)
    return 0.0 if pause is None else pause.seconds


def test_nothing_known_means_no_wait() -> None:
    assert Quota().pause(NOW, MEGA) is None


@pytest.mark.parametrize("remaining", [1, 2, 59])
def test_no_wait_while_requests_remain(remaining: int) -> None:
    quota = Quota()
    answered(quota, mega(60, remaining, 30), NOW)

    assert quota.pause(NOW, MEGA) is None


def test_wait_lasts_until_the_stated_reset() -> None:
    quota = Quota()
    answered(quota, mega(60, 0, 42), NOW)

    assert wait(quota, NOW, MEGA) == pytest.approx(42, abs=0.05)


def test_reason_of_a_wait_names_the_limit() -> None:
    quota = Quota()
    answered(quota, mega(1000, 0, 1200), NOW)
    pause = quota.pause(NOW, MEGA)

    assert pause is not None
    assert pause.reason == "no request remains of 1000"


def test_wait_is_over_at_the_reset() -> None:
    quota = Quota()
    answered(quota, mega(60, 0, 42), NOW)

    assert quota.pause(NOW + 42 + 2 * MARGIN_SECONDS, MEGA) is None


def test_seconds_rounded_up_by_the_server_are_not_waited_for_again_and_again() -> None:
    """Of one window the earliest end that an answer stated is the best known."""
    quota = Quota()
    answered(quota, mega(60, 30, 60), NOW)
    answered(quota, mega(60, 0, 60), NOW + 0.9)

    assert wait(quota, NOW + 0.9, MEGA) == pytest.approx(59.1, abs=0.05)


def test_full_hour_is_waited_for_although_the_minute_has_room() -> None:
    quota = Quota()
    answered(quota, mega(60, 20, 5), NOW)
    answered(quota, mega(1000, 0, 1800), NOW + 1)

    assert wait(quota, NOW + 1, MEGA) == pytest.approx(1800, abs=0.05)


def test_full_minute_is_waited_for_after_the_hour_was_reported_last() -> None:
    quota = Quota()
    answered(quota, mega(60, 0, 5), NOW)
    answered(quota, mega(1000, 7, 1800), NOW)

    assert wait(quota, NOW, MEGA) == pytest.approx(5, abs=0.05)


def test_hour_that_no_header_shows_is_kept_as_documented() -> None:
    """A server that reports the minute only: 1,000 requests were sent within ten minutes."""
    quota = Quota()
    for number in range(1000):
        quota.sent(NOW + number * 0.6, keep=1000)
        answered(quota, mega(60, 30, 60), NOW + number * 0.6)

    assert wait(quota, NOW + 600, MEGA) == pytest.approx(3000, abs=1)


def test_documented_hour_does_not_bind_a_customer_with_limits_of_its_own() -> None:
    quota = Quota()
    for number in range(1000):
        quota.sent(NOW + number * 0.2, keep=1000)
        answered(quota, mega(600, 300, 60), NOW + number * 0.2)

    assert quota.pause(NOW + 200, MEGA) is None


def test_sliding_window_goes_on_with_each_request_that_comes_back() -> None:
    quota = Quota()
    answered(quota, mega(60, 0, 2), NOW)
    answered(quota, mega(60, 0, 3), NOW + 2.1)

    assert wait(quota, NOW + 2.1, MEGA) == pytest.approx(3, abs=0.05)


def test_window_that_began_again_forgets_the_one_before() -> None:
    quota = Quota()
    answered(quota, mega(60, 0, 1), NOW)
    answered(quota, mega(60, 59, 60), NOW + 1.1)
    answered(quota, mega(60, 0, 50), NOW + 11.1)

    assert wait(quota, NOW + 11.1, MEGA) == pytest.approx(50, abs=0.05)


def test_request_that_came_too_early_makes_later_waits_longer() -> None:
    """A server that rounds the reset down refuses once, and not again."""
    quota = Quota()
    answered(quota, mega(60, 0, 3), NOW)
    early = NOW + wait(quota, NOW, MEGA)
    quota.refused("1", early + 0.1, MEGA)
    answered(quota, mega(60, 0, 60), early + 2)

    assert wait(quota, early + 2, MEGA) == pytest.approx(61, abs=0.05)


def test_waits_grow_no_longer_than_what_rounding_and_clocks_explain() -> None:
    quota = Quota()
    for round_number in range(20):
        at = NOW + 100 * round_number
        answered(quota, mega(60, 0, 3), at)
        quota.refused("1", at + wait(quota, at, MEGA) + 0.1, MEGA)

    assert quota.slack == LONGEST_SLACK_SECONDS


def test_reset_in_unix_seconds_is_understood() -> None:
    quota = Quota()
    answered(quota, vorel(0, NOW + 25), NOW)

    assert wait(quota, NOW, VOREL) == pytest.approx(25, abs=0.05)


@pytest.mark.parametrize("skew", [-3600.0, -90.0, 90.0, 3600.0])
def test_clock_of_ours_that_is_wrong_does_not_change_the_wait(skew: float) -> None:
    quota = Quota()
    ours = NOW + skew
    answered(quota, vorel(0, NOW + 25), ours)

    assert wait(quota, ours, VOREL) == pytest.approx(25, abs=0.05)


def test_burst_above_the_documented_rate_comes_back_at_that_rate() -> None:
    """More remained than 60: a bucket that fills a request a second, not a whole minute."""
    quota = Quota()
    for number in range(120):
        answered(quota, expert(119 - number), NOW + number * 0.001)

    assert wait(quota, NOW + 0.12, EXPERT_AI_LABS) == pytest.approx(1, abs=0.05)


def test_unknown_limit_without_reset_is_waited_for_a_documented_minute() -> None:
    quota = Quota()
    answered(quota, expert(1), NOW)
    answered(quota, expert(0), NOW + 0.1)

    assert wait(quota, NOW + 0.1, EXPERT_AI_LABS) == pytest.approx(60, abs=0.2)


def test_rate_at_which_requests_come_back_is_measured() -> None:
    """Ten a second were seen to come back: the next is there after about a tenth."""
    quota = Quota()
    tokens, at = 120.0, NOW
    while tokens >= 1:
        tokens -= 1
        answered(quota, expert(int(tokens)), at)
        tokens, at = tokens + 0.5, at + 0.05

    assert 0.05 < wait(quota, at, EXPERT_AI_LABS) + 0.05 < 0.12


@given(st.floats(0.2, 50), st.integers(1, 119))
def test_token_bucket_never_stands_still_for_longer_than_it_takes_to_fill(
    rate: float, first: int
) -> None:
    """Whatever the refill rate and wherever the bucket stood: each wait ends."""
    quota, at, tokens = Quota(), NOW, float(first)
    for _ in range(300):
        pause = wait(quota, at, EXPERT_AI_LABS)
        assert pause <= 60.1
        at, tokens = at + pause, min(120.0, tokens + pause * rate)
        if tokens < 1:
            quota.refused(str(1.0 / rate), at, EXPERT_AI_LABS)
            continue
        tokens -= 1
        quota.observe(expert(int(tokens)), at, at + 0.001)
        at, tokens = at + 0.001, min(120.0, tokens + 0.001 * rate)


def test_own_limit_is_kept_as_a_rolling_minute() -> None:
    quota = Quota()
    for number in range(30):
        quota.sent(NOW + number, keep=1000)
    pause = quota.pause(NOW + 30, MEGA, own_limit=30)

    assert pause is not None
    assert pause.seconds == pytest.approx(30, abs=0.05)
    assert pause.reason == "requests_per_minute of the account is used up"


def test_longest_of_several_waits_counts() -> None:
    quota = Quota()
    answered(quota, mega(60, 0, 10), NOW)
    quota.refused("25", NOW, MEGA)

    assert wait(quota, NOW, MEGA) == 25


def test_503_that_says_when_to_come_back_is_named_as_the_reason() -> None:
    quota = Quota()
    quota.refused("25", NOW, MEGA, status=503)
    pause = quota.pause(NOW, MEGA)

    assert pause is not None
    assert pause.reason == "the server asked to come back later (503)"


ODD_WAITS = [
    pytest.param("1e18", id="a number without end"),
    pytest.param("9" * 4_000, id="thousands of digits"),
    pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", id="the year 9999"),
    pytest.param("9999-12-31T23:59:59Z", id="the year 9999 as an ISO date"),
    pytest.param("30000", id="milliseconds"),
    pytest.param("7200", id="two hours"),
    pytest.param(str(int(NOW + 7_200)), id="Unix seconds two hours ahead"),
]


@pytest.mark.parametrize("stated", ODD_WAITS)
@pytest.mark.parametrize("documented", [MEGA, EXPERT_AI_LABS, VOREL])
def test_stated_wait_that_no_limit_explains_costs_a_minute(
    stated: str, documented: tuple[Limit, ...]
) -> None:
    quota = Quota()

    assert quota.refused(stated, NOW, documented) == 60
    assert wait(quota, NOW, documented) == 60
    assert wait(quota, NOW + 60, documented) == 0


@pytest.mark.parametrize("stated", ODD_WAITS)
def test_stated_reset_that_no_limit_explains_costs_a_minute(stated: str) -> None:
    quota = Quota()
    answered(quota, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": stated}, NOW)

    assert wait(quota, NOW, VOREL) == pytest.approx(60, abs=0.05)


def test_hour_that_a_server_states_is_obeyed_to_the_second() -> None:
    quota = Quota()
    quota.refused("3600", NOW, MEGA)

    assert wait(quota, NOW + 3_000, MEGA) == 600


def test_hour_by_a_clock_a_little_ahead_of_ours_is_an_hour() -> None:
    quota = Quota()
    quota.refused(formatdate(NOW + 3_601, usegmt=True), NOW, MEGA)

    assert wait(quota, NOW, MEGA) == 3_600


def test_server_that_stays_away_is_asked_less_and_less_often_until_once_an_hour() -> None:
    quota, at, waits = Quota(), NOW, []
    for _ in range(9):
        quota.refused("1e18", at, VOREL)
        waits.append(wait(quota, at, VOREL))
        at += waits[-1]

    assert waits == [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]


def test_request_that_is_served_ends_the_doubling() -> None:
    quota = Quota()
    quota.refused("1e18", NOW, VOREL)
    quota.refused("1e18", NOW + 60, VOREL)
    quota.served()
    quota.refused("1e18", NOW + 200, VOREL)

    assert wait(quota, NOW + 200, VOREL) == 60


def test_wait_says_what_the_server_stated_where_that_is_not_credible() -> None:
    quota = Quota()
    quota.refused("1e18", NOW, VOREL)
    pause = quota.pause(NOW, VOREL)

    assert pause is not None
    assert pause.reason == (
        "the server asked to come back later (429), but the wait that it states, "
        '"1e18", is not credible: one request asks again'
    )


def test_reset_that_is_not_credible_is_named_in_the_wait() -> None:
    quota = Quota()
    answered(quota, mega(60, 0, 1e18), NOW)
    pause = quota.pause(NOW, MEGA)

    assert pause is not None
    assert pause.reason == (
        "no request remains of 60, but the reset that it states, "
        '"1e+18", is not credible: one request asks again'
    )


@pytest.mark.parametrize(
    "stated", ["9" * 60_000, "1" + "0" * 300 + ".\x1b[31m", "Fri, 31 Dec 9999 \x07"]
)
def test_what_a_server_stated_is_short_and_printable_in_messages(stated: str) -> None:
    quota = Quota()
    quota.refused(stated, NOW, VOREL)
    answered(quota, {"X-RateLimit-Limit": stated, "X-RateLimit-Remaining": "0"}, NOW)
    pause = quota.pause(NOW, VOREL)

    assert pause is not None
    assert len(pause.reason) < 200
    assert pause.reason.isprintable()


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_moment_of_the_reset_is_understood_in_each_unit_of_time(unit: int) -> None:
    quota = Quota()
    reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW + 25) * unit)}
    answered(quota, reset, NOW)

    assert wait(quota, NOW, VOREL) == pytest.approx(25, abs=0.05)


@pytest.mark.parametrize("remaining", ["-5", "-1e18", "-0.5"])
def test_fewer_than_no_requests_remain_is_waited_for_like_none(remaining: str) -> None:
    quota = Quota()
    answered(quota, {"X-RateLimit-Remaining": remaining}, NOW)

    assert wait(quota, NOW, VOREL) == pytest.approx(60, abs=0.05)
    assert wait(quota, NOW + 61, VOREL) == 0


@pytest.mark.parametrize("remaining", ["9" * 40, "1e300", "9" * 4_000])
def test_number_of_requests_beyond_all_bounds_can_be_saved(remaining: str) -> None:
    quota = Quota()
    answered(quota, {"X-RateLimit-Limit": remaining, "X-RateLimit-Remaining": remaining}, NOW)

    assert saved_and_read_back(quota).is_plausible(NOW)


def test_limit_that_is_reworded_in_each_answer_does_not_fill_the_memory() -> None:
    quota = Quota()
    for number in range(1_000):
        answered(quota, {"RateLimit-Limit": f"60;t={number}", "RateLimit-Remaining": "9"}, NOW)

    assert len(msgspec.json.encode(quota)) < 5_000


def test_limit_that_is_reworded_in_each_answer_does_not_block() -> None:
    quota = Quota()
    for number in range(100):
        answered(quota, {**mega(60, 0, 30), "RateLimit-Limit": f"60;t={number}"}, NOW + number)

    assert wait(quota, NOW + 99, MEGA) == pytest.approx(30, abs=0.05)
    assert wait(quota, NOW + 130, MEGA) == 0


_HEADER_VALUES = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255)),
    st.sampled_from(
        [
            *("nan", "inf", "-inf", "-1", "0", "1e999", "60, 60;w=60", "9" * 400, "1768", "0x1F"),
            *(
                "1e18",
                "30000",
                "1795692000000",
                "\uff11\uff12\uff10",
                "²",
                "-1e18",
                "1e-300",
                "1_000",
            ),
            *("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01"),
            *("Thu, 01 Jan 1970 00:00:00 +9999", "2026-01-10T00:00:00-23:59", "99:99", "1 2 3"),
        ]
    ),
    st.integers().map(str),
    st.integers(0, 10**20).map(str),
    st.floats().map(str),
    st.datetimes().map(str),
    st.datetimes().map(lambda moment: formatdate(moment.replace(tzinfo=UTC).timestamp())),
)
_NAMES = [
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Date", "Retry-After"),
]
_ANSWERS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(_NAMES), _HEADER_VALUES),
        st.sampled_from([200, 429, 503]),
        st.floats(0, 10_000),
    ),
    max_size=6,
)


def saved_and_read_back(quota: Quota) -> Quota:
    """What the next process reads."""
    return msgspec.json.decode(msgspec.json.encode(quota), type=Quota)


@given(_ANSWERS, st.sampled_from([MEGA, EXPERT_AI_LABS, VOREL]))
def test_no_header_is_an_error_or_makes_us_wait_for_more_than_an_hour(
    answers: list[tuple[dict[str, str], int, float]], documented: tuple[Limit, ...]
) -> None:
    quota, at = Quota(), NOW
    for headers, status, later in answers:
        at += later
        quota.sent(at, keep=1_000)
        answered(quota, headers, at)
        if status == 200:
            quota.served()
        else:
            date = headers.get("Date")
            quota.refused(headers.get("Retry-After"), at, documented, status=status, date=date)
        assert wait(quota, at, documented, own_limit=30) <= 3_600
        assert wait(quota, at + 3_606, documented, own_limit=30) == 0
        quota = saved_and_read_back(quota)
        assert quota.is_plausible(at)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=20))
def test_state_that_was_saved_and_read_back_waits_just_as_long(
    answers: list[tuple[int, int]],
) -> None:
    quota = Quota()
    for number, (remaining, reset) in enumerate(answers):
        quota.sent(NOW + number, keep=100)
        answered(quota, mega(60, remaining, reset), NOW + number)

    assert saved_and_read_back(quota).pause(NOW + 20, MEGA) == quota.pause(NOW + 20, MEGA)
