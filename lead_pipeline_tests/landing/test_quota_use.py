"""Quotas in real crawls: no 429, hardly a request unused, and waits that outlive a process.

Limits are those of the providers, scaled down in time. A crawl ends with the first request of a
fresh window, so that what it used and what it was allowed are whole windows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from lead_pipeline.errors import QuotaExhausted
from lead_pipeline.landing.pull import PullOptions
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Fault, RecordedRequest, Request, Sandbox, World
from lead_pipeline.sandbox.limits import MegaLimits, Window
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import (
    MAKE_LEAD,
    PAGE_SIZES,
    SLUGS,
    account_of,
    at,
    days,
    landed_states,
    pull,
    put_leads,
    server_of,
    settings_in,
    stored_states,
)

WINDOW = days(2, 3)
_logger = logging.getLogger(__name__)


def put_pages(sandbox: Sandbox, provider: str, pages: int) -> None:
    """Put as many leads as fill so many pages, a millisecond apart."""
    make, moment = MAKE_LEAD[provider], at(2)
    server_of(sandbox, provider).store.put_all(
        make(number, moment + timedelta(milliseconds=number))
        for number in range(pages * PAGE_SIZES[provider])
    )


def seconds_between(requests: list[RecordedRequest]) -> float:
    """From the first request to the last. The first one's own time includes the hook."""
    return requests[-1].received_at - requests[1].received_at


def begin_with_a_whole_second(sandbox: Sandbox, provider: str) -> None:
    """Hold the first request back until a whole Unix second begins."""
    server = server_of(sandbox, provider)

    def hold_back(request: Request) -> None:
        if not server.requests:
            time.sleep(1 - time.time() % 1)

    server.before_request.append(hold_back)


# Provider, time scale, pages, requests at once, requests that come back in a scaled minute.
# Vorel tells its reset in whole Unix seconds. A scaled minute just short of three of them, which
# begins with one, keeps that rounding as small as it is beside a real minute.
CRAWLS = [
    pytest.param("mega", 30.0, 3 * 60 + 1, 60, 60, id="mega"),
    pytest.param("expert_ai_labs", 20.0, 180, 120, 60, id="expert_ai_labs"),
    pytest.param("vorel", 60 / 2.95, 2 * 200 + 1, 200, 200, id="vorel"),
]


@pytest.mark.alone
@pytest.mark.parametrize(("provider", "scale", "pages", "at_once", "a_minute"), CRAWLS)
def test_crawl_meets_no_429_and_uses_the_quota(
    provider: str,
    scale: float,
    pages: int,
    at_once: int,
    a_minute: int,
    settings: Settings,
) -> None:
    with Sandbox(World.empty(), time_scale=scale) as sandbox:
        put_pages(sandbox, provider, pages)
        begin_with_a_whole_second(sandbox, provider)
        commit = pull(settings, account_of(sandbox, provider), WINDOW, options=PullOptions())
        requests = server_of(sandbox, provider).requests

    minutes = seconds_between(requests) * scale / 60
    # The last request is the first of a new window of MEGA and Vorel; a bucket fills all along.
    fresh = 1 if provider != "expert_ai_labs" else at_once
    allowed = fresh + a_minute * minutes
    use = len(requests) / allowed
    _logger.info(
        "%s: %d of %.1f requests allowed, %.1f %%", provider, len(requests), allowed, 100 * use
    )
    assert commit.complete
    assert all(request.status == 200 for request in requests)
    assert use >= 0.95, f"{len(requests)} requests of {allowed:.1f} allowed"
    assert commit.pages == pages
    assert len(requests) - pages <= 2


@pytest.mark.parametrize("provider", SLUGS)
def test_requests_equal_the_pages_plus_at_most_two(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_pages(sandbox, provider, 5)

    commit = pull(settings, accounts[provider], WINDOW)

    assert commit.pages == 5
    assert commit.requests == len(server_of(sandbox, provider).requests) <= 7


def test_minute_and_hour_of_mega_are_both_kept(settings: Settings) -> None:
    """Windows of one and three seconds, reported as one header: the one with the least left."""
    with Sandbox(World.empty()) as sandbox:
        sandbox.mega.limits = MegaLimits([Window(10, 1.0), Window(25, 3.0)])
        put_pages(sandbox, "mega", 41)
        commit = pull(settings, account_of(sandbox, "mega"), WINDOW, options=PullOptions())

    assert [request.status for request in sandbox.mega.requests] == [200] * 41
    reasons = {wait.reason for wait in commit.quota_waits}
    assert reasons == {"no request remains of 10", "no request remains of 25"}


def test_own_limit_of_an_account_holds_the_crawl_back(
    sandbox: Sandbox, home_settings: Settings
) -> None:
    put_pages(sandbox, "vorel", 4)
    account = replace(account_of(sandbox, "vorel"), requests_per_minute=3)

    with pytest.raises(QuotaExhausted, match="requests_per_minute of the account is used up"):
        pull(home_settings, account, WINDOW)

    assert len(sandbox.vorel.requests) == 3


@pytest.fixture
def home_settings(settings: Settings) -> Settings:
    """Settings under which no wait is longer than two seconds."""
    return settings_in(settings.home, max_wait_seconds=2)


@pytest.fixture
def vorel_with_ten_a_minute() -> Iterator[Sandbox]:
    """Twelve pages, of which the quota gives ten a minute."""
    with Sandbox(World.empty()) as sandbox:
        sandbox.vorel.limits.window.requests = 10  # type: ignore[attr-defined]
        put_pages(sandbox, "vorel", 12)
        yield sandbox


def test_wait_that_is_too_long_saves_the_place(
    vorel_with_ten_a_minute: Sandbox, home_settings: Settings
) -> None:
    sandbox = vorel_with_ten_a_minute

    with pytest.raises(QuotaExhausted, match="no request remains of 10") as failure:
        pull(home_settings, account_of(sandbox, "vorel"), WINDOW)

    assert 50 < failure.value.seconds <= 61
    assert len(landed_states(home_settings, "vorel")) == 1000


def test_next_process_knows_that_the_quota_is_used_up(
    vorel_with_ten_a_minute: Sandbox, home_settings: Settings
) -> None:
    sandbox = vorel_with_ten_a_minute
    account = account_of(sandbox, "vorel")
    with pytest.raises(QuotaExhausted):
        pull(home_settings, account, WINDOW)

    with pytest.raises(QuotaExhausted):
        pull(home_settings, account, WINDOW)

    assert [request.status for request in sandbox.vorel.requests] == [200] * 10


def test_crawl_goes_on_from_the_saved_place_once_the_quota_is_back(
    vorel_with_ten_a_minute: Sandbox, home_settings: Settings
) -> None:
    sandbox = vorel_with_ten_a_minute
    account = account_of(sandbox, "vorel")
    with pytest.raises(QuotaExhausted):
        pull(home_settings, account, WINDOW)
    # A minute later: the window of the server and our memory of it are over.
    sandbox.vorel.limits.window.began_at = None  # type: ignore[attr-defined]
    (home_settings.landing_path / "vorel" / "_quota.json").unlink()

    commit = pull(home_settings, account, WINDOW)

    assert (commit.complete, commit.resumed) == (True, 1)
    assert len(sandbox.vorel.requests) == 12
    assert landed_states(home_settings, "vorel") == stored_states(sandbox, "vorel")


def test_damaged_quota_file_is_as_good_as_none(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, "vorel", 3, at(2))
    path = settings.landing_path / "vorel" / "_quota.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"buckets": [')

    assert pull(settings, accounts["vorel"], WINDOW).complete


@pytest.mark.parametrize("kind", ["too_many_requests", "too_many_requests_with_date"])
def test_retry_after_longer_than_the_longest_wait_comes_back_later(
    kind: str, sandbox: Sandbox, home_settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_pages(sandbox, "mega", 3)
    sandbox.mega.faults.add(Fault(kind, at=2, retry_after=90))

    with pytest.raises(QuotaExhausted) as failure:
        pull(home_settings, accounts["mega"], WINDOW)

    assert failure.value.seconds == pytest.approx(90, abs=2)
    assert len(landed_states(home_settings, "mega")) == 100


def test_429_to_every_attempt_is_a_quota_that_others_use_up(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_pages(sandbox, "mega", 3)
    sandbox.mega.faults.add(Fault("too_many_requests", at=2, times=4, retry_after=0))

    with pytest.raises(QuotaExhausted, match="failed 4 times, last with: 429"):
        pull(settings, accounts["mega"], WINDOW)


def test_wait_is_told_with_its_length_and_reason(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_pages(sandbox, "mega", 3)
    sandbox.mega.faults.add(Fault("too_many_requests", at=2, retry_after=1))
    told: list[str] = []
    started = time.monotonic()

    pull(settings, accounts["mega"], WINDOW, told=told)

    assert time.monotonic() - started >= 1
    assert [message for message in told if "waits" in message] == [
        "mega/leads: page 1 of 3, 100 records; waits 1.0 s: "
        "the server asked to come back later (429)"
    ]
