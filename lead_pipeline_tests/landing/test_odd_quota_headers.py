"""Odd quota headers in real crawls: a short delay, nothing that outlives it, then all is well.

A documented minute lasts a fraction of a second here, where a crawl has to wait for one.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.definitions import defs
from lead_pipeline.errors import QuotaExhausted
from lead_pipeline.landing.progress import Progress, subscribed
from lead_pipeline.landing.saved_quota import load_quota, save_quota
from lead_pipeline.orchestration.runner import PipelineRunner
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account, Limit
from lead_pipeline.providers.quota import Quota
from lead_pipeline.sandbox import FOREVER, Fault, Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.pulling import (
    account_of,
    at,
    commits,
    days,
    landed_states,
    pull,
    put_leads,
    server_of,
    settings_in,
    stored_states,
)

WINDOW = days(2, 3)
HOUR = 3_600
PERIOD = 0.3
FAR = "Fri, 31 Dec 9999 23:59:59 GMT"
NONE_REMAIN = {
    "X-RateLimit-Limit": "200",
    "X-RateLimit-Remaining": "0",
    "X-RateLimit-Reset": "",
}
ODD_HEADERS: Mapping[str, Mapping[str, str]] = {
    "a number without end": {"Retry-After": "1e18"},
    "thousands of digits": {"Retry-After": "9" * 5_000},
    "a date in the year 9999": {"Retry-After": FAR},
    "an ISO date in the year 9999": {"Retry-After": "9999-12-31"},
    "milliseconds to wait": {"Retry-After": "30000"},
    "a date in the year 1": {"Retry-After": "Mon, 01 Jan 0001 00:00:00 GMT"},
    "negative": {"Retry-After": "-1e18"},
    "not a number": {"Retry-After": "nan"},
    "endless": {"Retry-After": "inf"},
    "hexadecimal": {"Retry-After": "0x7fffffff"},
    "a list": {"Retry-After": "120, 1e18"},
    "empty": {"Retry-After": ""},
    "a reset in two hours": {**NONE_REMAIN, "X-RateLimit-Reset": "7200"},
    "a reset in the year 9999": {**NONE_REMAIN, "X-RateLimit-Reset": FAR},
    "a reset without end": {**NONE_REMAIN, "X-RateLimit-Reset": "1e300"},
    "a negative reset": {**NONE_REMAIN, "X-RateLimit-Reset": "-1795692000000"},
    "less than none remain": {**NONE_REMAIN, "X-RateLimit-Remaining": "-9e99"},
    "more than a number holds remain": {"X-RateLimit-Remaining": "9" * 400},
    "a limit of thousands of letters": {**NONE_REMAIN, "X-RateLimit-Limit": "6" * 5_000},
}


@pytest.fixture
def short_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Vorel documents, but in a fraction of a second."""
    monkeypatch.setattr(PROVIDERS["vorel"], "documented_limits", (Limit(200, PERIOD),))


def refuse(sandbox: Sandbox, headers: Mapping[str, str], times: int = 1) -> None:
    """Answer the first requests with a 429 and these headers, then be well."""
    put_leads(sandbox, "vorel", 3, at(2))
    fault = Fault("too_many_requests_with_headers", times=times, headers=headers)
    server_of(sandbox, "vorel").faults.add(fault)


def quota_path(settings: Settings) -> Path:
    return settings.landing_path / "vorel" / "_quota.json"


def numbers_in(value: Any) -> list[float]:
    """Every number in a JSON document."""
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers_in(part)]
    if isinstance(value, list):
        return [number for part in value for number in numbers_in(part)]
    return [value] if isinstance(value, int | float) else []


@pytest.mark.usefixtures("short_period")
@pytest.mark.parametrize("name", ODD_HEADERS)
def test_odd_header_delays_a_crawl_by_one_documented_period_at_most(
    name: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    refuse(sandbox, ODD_HEADERS[name])

    commit = pull(settings, accounts["vorel"], WINDOW)

    assert landed_states(settings, "vorel") == stored_states(sandbox, "vorel")
    assert [request.status for request in sandbox.vorel.requests] == [429, 200]
    assert sum(wait.seconds for wait in commit.quota_waits) <= PERIOD + 0.1


def test_reset_in_milliseconds_is_waited_for(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    reset_at = time.time() + 0.6
    refuse(sandbox, {**NONE_REMAIN, "X-RateLimit-Reset": str(int(reset_at * 1_000))})

    pull(settings, accounts["vorel"], WINDOW)

    refused, answered = sandbox.vorel.requests
    assert (refused.status, answered.status) == (429, 200)
    assert time.time() >= reset_at


@pytest.mark.parametrize("name", ODD_HEADERS)
def test_saved_quota_holds_no_moment_beyond_the_longest_window(
    name: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    refuse(sandbox, ODD_HEADERS[name])
    impatient = settings_in(settings.home, max_wait_seconds=1)
    with suppress(QuotaExhausted):
        pull(impatient, accounts["vorel"], WINDOW)

    saved = json.loads(quota_path(settings).read_bytes())
    moments = [saved.pop("blocked_until"), saved.pop("refill_expected_at"), *saved.pop("sent_at")]
    moments += [bucket["ends_at"] or 0 for bucket in saved["buckets"].values()]
    assert max(moments) <= time.time() + 61
    assert quota_path(settings).stat().st_size < 2_000


def test_wait_that_is_not_credible_says_so_in_one_line(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account], short_period: None
) -> None:
    del short_period
    refuse(sandbox, {"Retry-After": FAR})
    told: list[str] = []

    pull(settings, accounts["vorel"], WINDOW, told=told)

    [line] = [message for message in told if "waits" in message]
    assert line.endswith(
        f'the server asked to come back later (429), but the wait that it states, "{FAR}", '
        "is not credible: one request asks again"
    )


def test_server_that_stays_away_is_asked_once_a_call(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    """Each time the wait is twice as long, and none of the calls asks before it is over."""
    refuse(sandbox, {"Retry-After": "1e18"}, FOREVER)
    impatient = settings_in(settings.home, max_wait_seconds=1)
    seconds = []
    for _ in range(3):
        with pytest.raises(QuotaExhausted) as failure:
            pull(impatient, accounts["vorel"], WINDOW)
        seconds.append(failure.value.seconds)
        let_time_pass(settings, failure.value.seconds)

    assert seconds == pytest.approx([60, 120, 240], abs=1)
    assert len(sandbox.vorel.requests) == 3


def let_time_pass(settings: Settings, seconds: float) -> None:
    """What the file says would have been written so much earlier."""
    quota = load_quota(settings.landing_path, "vorel")
    quota.blocked_until -= seconds
    quota.refill_expected_at -= seconds
    quota.sent_at = [moment - seconds for moment in quota.sent_at]
    save_quota(settings.landing_path, "vorel", quota)


def test_same_pull_succeeds_once_the_server_is_well_and_the_wait_is_over(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    refuse(sandbox, {"Retry-After": FAR})
    impatient = settings_in(settings.home, max_wait_seconds=1)
    with pytest.raises(QuotaExhausted):
        pull(impatient, accounts["vorel"], WINDOW)
    let_time_pass(settings, 60)

    assert pull(impatient, accounts["vorel"], WINDOW).complete
    assert load_quota(settings.landing_path, "vorel").pause(time.time(), (Limit(200, 60),)) is None


def test_run_comes_back_by_itself_after_the_short_wait(
    sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PROVIDERS["vorel"], "documented_limits", (Limit(200, 1.2),))
    for name, value in {
        **sandbox.environment(),
        "LEAD_PIPELINE_HOME": str(home),
        "LEAD_PIPELINE_MAX_WAIT_SECONDS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    refuse(sandbox, {"Retry-After": "1e18"})
    told: list[Progress] = []
    started = time.monotonic()
    with instance_of(home) as instance, subscribed(lambda progress: told.append(progress)):
        outcome = PipelineRunner(defs(), instance).land(
            account_of(sandbox, "vorel"), date(2026, 1, 1), date(2026, 1, 3)
        )

    assert outcome.failure is None
    assert time.monotonic() - started < 30
    assert {commit.state for commit in commits(settings_in(home), "vorel")} == {"complete"}
    assert any('"1e18", is not credible' in progress.message for progress in told)


SAVED_BY_EARLIER_VERSION = {
    "buckets": {},
    "blocked_until": 1e18,
    "blocked_by": 429,
    "refill_expected_at": 1e18,
    "slack": 0.0,
    "longest_reset": 0.0,
    "sent_at": [],
}
BUCKET = {"remaining": 0, "ends_at": None, "since": 0, "last_at": 0, "first_remaining": 0}


def saved_files() -> dict[str, bytes]:
    """Files that must not keep an account from being asked."""
    now = time.time()
    documents: dict[str, object] = {
        "blocked for good by an earlier version": SAVED_BY_EARLIER_VERSION,
        "blocked until the year 9999": {"blocked_until": 253402300799.0},
        "blocked for two hours": {"blocked_until": now + 7_200},
        "a reset in milliseconds": {"buckets": {"200": {**BUCKET, "ends_at": 1795692000000}}},
        "a clock that was a day ahead": {
            "blocked_until": now + 86_400 + 30,
            "sent_at": [now + 86_400],
        },
        "a clock that was ten minutes ahead": {
            "blocked_until": now + 900,
            "sent_at": [now - 30, now + 600],
        },
        "an answer of the future": {
            "buckets": {"200": {**BUCKET, "since": now + 600, "last_at": now + 600}}
        },
        "wrong types": {"buckets": [], "blocked_until": "soon"},
        "other keys": {"until": 1e18},
        "a list": [1, 2],
        "a number without end as text": {"blocked_until": "1e18"},
        "more buckets than fit": {
            "buckets": {
                str(number): {**BUCKET, "since": now, "last_at": now, "ends_at": now + 3_000}
                for number in range(1_000)
            }
        },
        "doublings without end": {"doubted_refusals": 10**9, "blocked_until": now + 30},
        "a status that is none": {"blocked_by": 10**30, "blocked_until": now + 30},
        "a slack of years": {
            "slack": 1e9,
            "buckets": {"200": {**BUCKET, "ends_at": now + 1, "since": now, "last_at": now}},
        },
    }
    return {
        **{name: json.dumps(document).encode() for name, document in documents.items()},
        "NaN": b'{"blocked_until": NaN}',
        "a number of hundreds of digits": b'{"blocked_until": ' + b"9" * 400 + b"}",
        "an exponent of hundreds": b'{"blocked_until": 1e999}',
        "nested without end": b'{"other": ' + b"[" * 100_000,
        "not UTF-8": b'{"doubted": "\xff\xfe"}',
        "cut off": b'{"buckets": {',
        "empty": b"",
    }


@pytest.mark.parametrize("name", saved_files())
def test_saved_quota_that_cannot_be_ours_keeps_no_account_from_being_asked(
    name: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, "vorel", 3, at(2))
    quota_path(settings).parent.mkdir(parents=True)
    quota_path(settings).write_bytes(saved_files()[name])

    assert pull(settings, accounts["vorel"], WINDOW).quota_waits == []


def test_saved_wait_that_is_credible_is_kept_by_the_next_process(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, "vorel", 3, at(2))
    quota = Quota(blocked_until=time.time() + 3_500, sent_at=[time.time() - 1])
    save_quota(settings.landing_path, "vorel", quota)

    with pytest.raises(QuotaExhausted) as failure:
        pull(settings, accounts["vorel"], WINDOW)

    assert failure.value.seconds == pytest.approx(3_500, abs=5)
    assert sandbox.vorel.requests == []


_NUMBERS = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.none(), st.text(max_size=3)
)
_BUCKETS = st.dictionaries(
    st.text(max_size=50),
    st.fixed_dictionaries(
        dict.fromkeys(("remaining", "ends_at", "since", "last_at"), _NUMBERS),
        optional={"first_remaining": _NUMBERS, "sent": _NUMBERS, "doubted": st.text(max_size=60)},
    ),
    max_size=3,
)
_TIMES_AND_COUNTS = (
    *("blocked_until", "blocked_by", "doubted_refusals"),
    *("refill_expected_at", "slack", "longest_reset"),
)
_DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "buckets": _BUCKETS,
        "sent_at": st.lists(_NUMBERS, max_size=4),
        **dict.fromkeys(_TIMES_AND_COUNTS, _NUMBERS),
    },
)


@given(st.one_of(_DOCUMENTS.map(lambda document: json.dumps(document).encode()), st.binary()))
def test_no_saved_file_is_an_error_or_a_wait_of_more_than_an_hour(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vorel" / "_quota.json"
        path.parent.mkdir()
        path.write_bytes(content)
        quota = load_quota(Path(folder), "vorel")
        pause = quota.pause(time.time(), (Limit(60, 60.0), Limit(1_000, 3_600.0)), own_limit=30)
        save_quota(Path(folder), "vorel", quota)

    assert pause is None or pause.seconds <= HOUR
    assert max(numbers_in(msgspec.to_builtins(quota)), default=0) <= time.time() + HOUR + 10
