"""Every fault of every API: right tables, or a clear error with all good records landed.

provider and fault ──▶ pull ──▶ what landed, what was said
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lead_pipeline.errors import (
    AccessRefused,
    CursorRefused,
    LeadPipelineError,
    MalformedPage,
    PaginationStuck,
    QuotaExhausted,
    RequestRefused,
    RetryableError,
    WrongTenant,
)
from lead_pipeline.landing.pull import PullOptions
from lead_pipeline.providers.base import Account
from lead_pipeline.providers.http import RetryPolicy
from lead_pipeline.providers.transport import Timeouts
from lead_pipeline.sandbox import FOREVER, Fault, Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import (
    PAGE_SIZES,
    SLUGS,
    at,
    commits,
    days,
    landed_ids,
    landed_states,
    loaded_leads,
    pull,
    put_leads,
    rejected,
    server_of,
    stored_leads,
    stored_states,
)

WINDOW = days(2, 3)
# Two full pages and a third that is not.
EXTRA = 20
PRIVATE = (
    *("Jane", "Sarah", "Omar", "Mitchell", "Reyes", "example.com", "+1206", "Riverside"),
    *("We are checking", "mega_", "eal_", "vapk_", "Bearer"),
)

# Faults that pass: asked again, all is well.
PASSING: Mapping[str, Fault] = {
    **{
        f"{status}": Fault("status", at=2, status=status, path_contains="/leads")
        for status in (408, 500, 502, 503, 504)
    },
    **{
        kind: Fault(kind, at=2, path_contains="/leads")
        for kind in (
            "too_many_requests_without_retry_after",
            "reset_before_answer",
            "reset_in_body",
            "closed_in_body",
            "truncated_json",
            "html_page",
            "wrong_content_type",
            "duplicate_page",
            "repeated_records",
            "refused_cursor",
        )
    },
    "duplicate_page throughout": Fault(
        "duplicate_page", at=2, times=FOREVER, path_contains="/leads"
    ),
    "slow_body": Fault("slow_body", at=2, path_contains="/leads", delay=0.005, chunk=8192),
    "stalled_body": Fault("slow_body", at=2, path_contains="/leads", delay=1.0, chunk=8192),
}

# Bad records beside good ones, and what becomes of each.
REJECTED = {
    "null_record": "the record is not a JSON object",
    "missing_id": "no id: `id` must be a text that is not empty",
    "malformed_updated_at": "no usable time: `updated_at` must be an ISO-8601 time",
}
ODD_BUT_FILED = ("wrong_type", "huge_record")

# Faults that last: the error, and what its message says.
LASTING: Mapping[str, tuple[Fault, type[LeadPipelineError], str]] = {
    **{
        f"{status}": (Fault("status", status=status), RetryableError, f"failed 3 times.*{status}")
        for status in (500, 502, 503)
    },
    "401": (Fault("status", status=401), AccessRefused, "wrong or revoked"),
    "403": (Fault("status", status=403), AccessRefused, "may not read this"),
    "404": (Fault("status", status=404), RequestRefused, "404 Not Found"),
    "too_many_requests": (
        Fault("too_many_requests", retry_after=700),
        QuotaExhausted,
        "requests come back in (699|700) s",
    ),
    "too_many_requests_with_date": (
        Fault("too_many_requests_with_date", retry_after=700),
        QuotaExhausted,
        "requests come back in (698|699|700) s",
    ),
    "too_many_requests_without_retry_after": (
        Fault("too_many_requests_without_retry_after"),
        RetryableError,
        "429 Too Many Requests",
    ),
    "reset_before_answer": (Fault("reset_before_answer"), RetryableError, "a connection error"),
    "reset_in_body": (Fault("reset_in_body"), RetryableError, "a connection error"),
    "closed_in_body": (Fault("closed_in_body"), RetryableError, "a connection error"),
    "truncated_json": (Fault("truncated_json"), MalformedPage, "JSON starting with '{'"),
    "html_page": (Fault("html_page"), MalformedPage, "markup starting with '<!doctype html'"),
    "stalled_body": (
        Fault("slow_body", delay=1.0, chunk=8192),
        RetryableError,
        r"a timeout \(ReadTimeout\)",
    ),
    "looping_cursor": (Fault("looping_cursor"), PaginationStuck, "page 2 leads back to a cursor"),
    "empty_pages": (Fault("empty_pages"), PaginationStuck, "5 pages in a row up to page 6"),
}

FAST = PullOptions(
    retry=RetryPolicy(attempts=3, first_backoff=0.001, longest_backoff=0.002),
    timeouts=Timeouts(connect=1.0, read=0.15, total=3.0),
)


@pytest.fixture(params=SLUGS)
def provider(request: pytest.FixtureRequest, sandbox: Sandbox) -> str:
    """Each provider, with three pages of leads of the window."""
    slug: str = request.param
    put_leads(sandbox, slug, 2 * PAGE_SIZES[slug] + EXTRA, at(2, 6))
    return slug


def assert_safe(*messages: str) -> None:
    """Messages hold no secret, no personal data, no body."""
    for message in messages:
        assert not [word for word in PRIVATE if word in message], message


@pytest.mark.parametrize("name", PASSING)
def test_passing_fault_leaves_no_trace_in_what_landed(
    name: str, provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server_of(sandbox, provider).faults.add(PASSING[name])
    told: list[str] = []

    commit = pull(settings, accounts[provider], WINDOW, options=FAST, told=told)

    assert commit.complete
    assert landed_states(settings, provider) == stored_states(sandbox, provider)
    assert commit.rejected == 0
    assert_safe(*told, *(record.note or "" for record in commits(settings, provider)))


@pytest.mark.parametrize("name", ["duplicate_page", "repeated_records", "refused_cursor"])
def test_records_that_come_twice_are_one_row_of_the_tables(
    name: str, provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server_of(sandbox, provider).faults.add(PASSING[name])

    pull(settings, accounts[provider], WINDOW, options=FAST)

    assert loaded_leads(settings) == stored_leads(sandbox, provider)


@pytest.mark.parametrize("kind", ["too_many_requests", "too_many_requests_with_date"])
def test_retry_after_is_obeyed_once_and_the_crawl_goes_on(
    kind: str, provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = server_of(sandbox, provider)
    server.faults.add(Fault(kind, at=2, path_contains="/leads", retry_after=1))

    commit = pull(settings, accounts[provider], WINDOW, options=FAST)

    assert landed_states(settings, provider) == stored_states(sandbox, provider)
    assert [request.status for request in server.requests].count(429) == 1
    assert [wait.reason for wait in commit.quota_waits] == [
        "the server asked to come back later (429)"
    ]


@pytest.mark.parametrize("kind", REJECTED)
def test_unusable_record_is_set_aside_and_costs_no_other(
    kind: str, provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server_of(sandbox, provider).faults.add(Fault(kind, at=2, path_contains="/leads"))

    commit = pull(settings, accounts[provider], WINDOW, options=FAST)

    assert landed_states(settings, provider) == stored_states(sandbox, provider)
    assert commit.rejected == 1
    assert [row["reason"] for row in rejected(settings, provider)] == [REJECTED[kind]]


@pytest.mark.parametrize("kind", ODD_BUT_FILED)
def test_odd_record_lands_like_any_other(
    kind: str, provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server_of(sandbox, provider).faults.add(Fault(kind, at=2, path_contains="/leads"))

    commit = pull(settings, accounts[provider], WINDOW, options=FAST)

    states, stored = landed_states(settings, provider), stored_states(sandbox, provider)
    assert stored.items() <= states.items()
    assert (len(states), commit.rejected) == (len(stored) + 1, 0)


@pytest.mark.parametrize("kind", ODD_BUT_FILED)
def test_odd_record_does_not_keep_good_ones_from_the_tables(
    kind: str, provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server_of(sandbox, provider).faults.add(Fault(kind, at=2, path_contains="/leads"))

    pull(settings, accounts[provider], WINDOW, options=FAST)

    assert set(stored_leads(sandbox, provider)) < set(loaded_leads(settings))


@pytest.mark.parametrize("provider", ["mega"], indirect=True)
def test_one_record_dated_far_ahead_does_not_end_the_list_early(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    last = PAGE_SIZES[provider]
    server_of(sandbox, provider).faults.add(
        Fault("malformed_updated_at", value="2027-01-01T00:00:00.000Z", position=last)
    )

    pull(settings, accounts[provider], WINDOW, options=FAST)

    assert stored_states(sandbox, provider).items() <= landed_states(settings, provider).items()


@pytest.mark.parametrize("provider", ["mega", "expert_ai_labs"], indirect=True)
def test_record_of_another_tenant_fails_the_run_after_all_others_landed(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server_of(sandbox, provider).faults.add(Fault("foreign_tenant", at=2, path_contains="/leads"))

    with pytest.raises(WrongTenant) as failure:
        pull(settings, accounts[provider], WINDOW, options=FAST)

    message = str(failure.value)
    assert f"{provider}/leads, window {WINDOW}: 1 records of another tenant" in message
    assert landed_states(settings, provider) == stored_states(sandbox, provider)
    assert [row["kind"] for row in rejected(settings, provider)] == ["foreign_tenant"]
    assert_safe(message)


@pytest.mark.parametrize("name", LASTING)
def test_lasting_fault_is_a_clear_error_and_what_came_before_is_landed(
    name: str, provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    fault, error, says = LASTING[name]
    lasting = Fault(**{**vars(fault), "at": 2, "times": FOREVER, "path_contains": "/leads"})
    server_of(sandbox, provider).faults.add(lasting)
    told: list[str] = []

    with pytest.raises(error, match=says) as failure:
        pull(settings, accounts[provider], WINDOW, options=FAST, told=told)

    message = str(failure.value)
    assert message.startswith(f"{provider}/leads, window {WINDOW}")
    assert_safe(message, *told)
    assert set(landed_ids(settings, provider)) <= set(stored_states(sandbox, provider))
    assert len(set(landed_ids(settings, provider))) >= PAGE_SIZES[provider]
    assert not any(record.complete for record in commits(settings, provider))


@pytest.mark.parametrize("name", ["500", "html_page", "looping_cursor", "401"])
def test_next_run_after_a_lasting_fault_ends_with_the_right_tables(
    name: str, provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    fault, error, _ = LASTING[name]
    faults = server_of(sandbox, provider).faults
    faults.add(Fault(**{**vars(fault), "at": 2, "times": FOREVER, "path_contains": "/leads"}))
    with pytest.raises(error):
        pull(settings, accounts[provider], WINDOW, options=FAST)
    faults.clear()

    pull(settings, accounts[provider], WINDOW, options=FAST)

    assert landed_states(settings, provider) == stored_states(sandbox, provider)


def test_cursor_refused_again_after_the_restart_is_an_error_and_the_next_run_starts_again(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    faults = server_of(sandbox, provider).faults
    for number in (2, 4):
        faults.add(Fault("refused_cursor", at=number, path_contains="/leads"))

    with pytest.raises(CursorRefused, match=r"cursor of page 2 \(400\)") as failure:
        pull(settings, accounts[provider], WINDOW, options=FAST)
    commit = pull(settings, accounts[provider], WINDOW, options=FAST)

    assert str(failure.value).startswith(f"{provider}/leads, window {WINDOW}")
    assert (commit.complete, commit.resumed, commit.pages) == (True, 0, 3)


def test_restarted_crawl_counts_its_own_requests_only(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = server_of(sandbox, provider)
    server.faults.add(Fault("refused_cursor", at=3, path_contains="/leads"))

    pull(settings, accounts[provider], WINDOW, options=FAST)

    assert sum(record.requests for record in commits(settings, provider)) == len(server.requests)


def test_alternating_cursors_end_the_crawl_with_every_record_met_landed(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, provider, 2 * PAGE_SIZES[provider], at(2, 18), first=10_000)
    server_of(sandbox, provider).faults.add(
        Fault("alternating_cursor", at=3, times=FOREVER, path_contains="/leads")
    )

    with pytest.raises(PaginationStuck) as failure:
        pull(settings, accounts[provider], WINDOW, options=FAST)

    assert f"{provider}/leads, window {WINDOW}: page 3 leads back" in str(failure.value)
    assert len(landed_ids(settings, provider)) == 3 * PAGE_SIZES[provider]


def test_records_of_any_order_and_repetition_end_in_the_same_rows(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server_of(sandbox, provider).faults.add(
        Fault("repeated_records", at=2, times=FOREVER, path_contains="/leads")
    )

    pull(settings, accounts[provider], WINDOW, options=FAST)

    assert landed_states(settings, provider) == stored_states(sandbox, provider)
