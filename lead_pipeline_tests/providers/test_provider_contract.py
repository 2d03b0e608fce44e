"""What every provider must do: one test for all of them, against the imitated APIs.

A new provider joins by being registered; it needs a maker of leads in `pulling` and its
documented promises in `contracts`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lead_pipeline.landing.coverage import coverage_of, proven_windows
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import RecordedRequest, Sandbox, World
from lead_pipeline.settings import Settings
from lead_pipeline.windows import window_of_days
from lead_pipeline_tests import contracts
from lead_pipeline_tests.pulling import (
    MAKE_LEAD,
    PAGE_SIZES,
    SLUGS,
    account_of,
    at,
    commits,
    days,
    landed,
    landed_ids,
    landed_states,
    pull,
    pull_all,
    put_leads,
    server_of,
    settings_in,
    stored_states,
)

MILLISECOND = timedelta(milliseconds=1)
LIST_PATHS = {
    "mega": "/api/agents/crm/leads",
    "expert_ai_labs": "/api/v1/leads",
    "vorel": "/api/v1/leads",
}

pytestmark = pytest.mark.parametrize("provider", SLUGS)


def put(sandbox: Sandbox, provider: str, number: int, moment: datetime) -> str:
    """Put one lead created and updated at `moment`; returns its id."""
    lead = MAKE_LEAD[provider](number, moment)
    server_of(sandbox, provider).store.put(lead)
    return str(lead["id"])


def change(sandbox: Sandbox, provider: str, lead_id: str, moment: datetime) -> None:
    """Change a lead at `moment`, as the provider would: with an audit event where it has one."""
    if provider == "expert_ai_labs":
        sandbox.expert_ai_labs.store.update(lead_id, {"lead_score": 77}, moment)
        return
    store = server_of(sandbox, provider).store
    text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    store.put({**store.get(lead_id), "updated_at": text})


def asked(sandbox: Sandbox, provider: str) -> list[RecordedRequest]:
    """The requests for pages of the list of leads."""
    return [
        request
        for request in server_of(sandbox, provider).requests
        if request.path == LIST_PATHS[provider] and "stale_for_days" not in request.query
    ]


def all_states(settings: Settings, provider: str) -> dict[str, datetime]:
    """The newest landed state of each lead, from every stream that holds leads."""
    states = landed_states(settings, provider)
    for stream in ("lead_details", "stale_leads"):
        for lead_id, moment in landed_states(settings, provider, stream).items():
            states[lead_id] = max(moment, states.get(lead_id, moment))
    return states


def test_every_request_and_its_answer_are_as_documented(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, provider, PAGE_SIZES[provider] + 5, at(2))
    lead_id = next(iter(stored_states(sandbox, provider)))
    pull_all(settings, accounts[provider], days(1, 2))
    change(sandbox, provider, lead_id, at(3, 5))
    pull_all(settings, accounts[provider], days(3))
    pull_all(settings, accounts[provider], days(4), full=True)

    server = server_of(sandbox, provider)
    made = list(server.requests)
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        for request in made:
            # The very request once more, for the answer's sake.
            headers = {
                name: value for name, value in request.headers.items() if name != "accept-encoding"
            }
            contracts.assert_conforms(
                provider, client.get(request.path, params=dict(request.query), headers=headers)
            )
    assert made


def test_pages_are_as_large_as_the_provider_allows(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    document = yaml.safe_load((Path(contracts.__file__).parent / f"{provider}.yaml").read_text())
    parameters = document["paths"][LIST_PATHS[provider]]["get"]["parameters"]
    largest = next(p["schema"]["maximum"] for p in parameters if p.get("name") == "limit")
    put(sandbox, provider, 1, at(2))

    pull(settings, accounts[provider], days(2))

    assert [request.query["limit"] for request in asked(sandbox, provider)] == [str(largest)]


def test_first_partition_takes_everything_before_it(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    long_ago = put(sandbox, provider, 1, datetime(2019, 5, 4, tzinfo=UTC))
    put(sandbox, provider, 2, at(1, 12))

    pull_all(settings, accounts[provider], days(1))

    assert long_ago in landed_ids(settings, provider)


def test_day_begins_at_midnight_and_ends_a_millisecond_before_the_next(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    for number, moment in enumerate(
        (at(2) - MILLISECOND, at(2), at(2) + MILLISECOND, at(3) - MILLISECOND, at(3))
    ):
        put(sandbox, provider, number, moment)

    commit = pull(settings, accounts[provider], days(2))

    assert commit.rows_by_date["2026-01-02"] == 3


def test_days_pulled_one_by_one_leave_no_record_between_them(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    for day in (1, 2, 3):
        for number, offset in enumerate((-1, 0, 1)):
            put(sandbox, provider, 10 * day + number, at(day) + offset * MILLISECOND)

    for day in (1, 2, 3):
        pull_all(settings, accounts[provider], days(day))

    assert landed_states(settings, provider) == stored_states(sandbox, provider)


def test_leads_of_one_and_the_same_millisecond_all_land(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    count = 2 * PAGE_SIZES[provider] + 7
    for number in range(count):
        put(sandbox, provider, number, at(2, 3, 4, 5, 678))

    pull(settings, accounts[provider], days(2))

    assert len(landed_ids(settings, provider)) == len(set(landed_ids(settings, provider))) == count


@pytest.mark.parametrize("day", [1, 2])
def test_list_ends_with_the_page_that_reaches_the_end(
    provider: str,
    day: int,
    sandbox: Sandbox,
    settings: Settings,
    accounts: Mapping[str, Account],
) -> None:
    """Many later leads exist: only a list without any filter by time has to be read whole."""
    size = PAGE_SIZES[provider]
    put_leads(sandbox, provider, size // 2, at(day))
    put_leads(sandbox, provider, 3 * size, at(20), first=1000)

    pull_all(settings, accounts[provider], days(day))

    bounded = 1 if day == 2 or provider == "mega" else 4
    assert len(asked(sandbox, provider)) == (4 if provider == "vorel" else bounded)


def test_record_that_arrived_late_is_found_within_the_overlap(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put(sandbox, provider, 1, at(2, 12))
    pull_all(settings, accounts[provider], days(1, 2))
    # It became visible only after day 2 had been pulled.
    late = put(sandbox, provider, 2, at(3) - timedelta(minutes=30))

    pull_all(settings, accounts[provider], days(3))

    assert late in landed_ids(settings, provider)


def test_late_arrivals_are_counted_apart_from_what_was_known(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    if provider == "expert_ai_labs":
        pytest.skip("its list is asked by time of creation: nothing says what is late")
    put(sandbox, provider, 1, at(3) - timedelta(minutes=40))
    pull(settings, accounts[provider], days(2))
    put(sandbox, provider, 2, at(3) - timedelta(minutes=30))

    commit = pull(settings, accounts[provider], days(3))

    assert (commit.overlap_records, commit.late_arrivals) == (2, 1)


def test_window_pulled_again_adds_what_is_new_and_removes_nothing(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    """The lead leaves the window by its change; what was seen of it stays."""
    lead_id = put(sandbox, provider, 1, at(2, 12))
    pull_all(settings, accounts[provider], days(2))
    before = [row for row in landed(settings, provider) if row["record_id"] == lead_id]
    change(sandbox, provider, lead_id, at(4, 12))
    put(sandbox, provider, 2, at(2, 13))

    pull_all(settings, accounts[provider], days(2))

    after = landed(settings, provider)
    assert [row for row in after if row in before] == before
    assert landed_states(settings, provider).keys() == stored_states(sandbox, provider).keys()


def test_lead_that_changes_every_day_lands_once_for_each_state(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    lead_id = put(sandbox, provider, 1, at(1, 12))
    seen = []
    for day in (1, 2, 3, 4):
        if day > 1:
            change(sandbox, provider, lead_id, at(day, 12))
        pull_all(settings, accounts[provider], days(day))
        seen.append(all_states(settings, provider)[lead_id])

    assert seen == [at(1, 12), at(2, 12), at(3, 12), at(4, 12)]


def test_crawl_proves_nothing_later_than_its_own_start(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    today = datetime.now(UTC).date()
    commit = pull(settings, accounts[provider], window_of_days(today, today, settings.start_date))

    assert commit.proven_until == commit.started_at < commit.window.end


def test_full_crawl_meets_every_lead_whatever_the_window(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, provider, PAGE_SIZES[provider] + 1, at(1))
    put_leads(sandbox, provider, 5, at(20), first=1000)

    commit = pull(settings, accounts[provider], days(3), full=True)

    assert commit.is_full
    assert landed_states(settings, provider) == stored_states(sandbox, provider)


def test_full_crawl_closes_the_gap_that_a_missed_night_left(
    provider: str, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    for day in (days(1), days(3)):
        pull_all(settings, accounts[provider], day)
    pull_all(settings, accounts[provider], days(4), full=True)
    records = commits(settings, provider)
    coverage = coverage_of(provider, provider, proven_windows(records))
    assert (coverage.complete_from, coverage.complete_through) == (None, days(4).end)


def test_one_crawl_serves_a_whole_range_of_days(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    for day in range(2, 12):
        put(sandbox, provider, day, at(day, 12))

    commit = pull(settings, accounts[provider], days(2, 11))

    assert commit.pages == 1
    assert commit.rows_by_date == {f"2026-01-{day:02d}": 1 for day in range(2, 12)}


@hypothesis_settings(max_examples=4, deadline=None)
@given(
    order=st.lists(st.integers(1, 4), min_size=2, max_size=5), rest=st.permutations([1, 2, 3, 4])
)
def test_days_land_the_same_in_any_order_and_repetition(
    provider: str, order: list[int], rest: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder, Sandbox(World.empty(), limits=False) as sandbox:
        settings = settings_in(Path(folder))
        for number in range(12):
            put(sandbox, provider, number, at(1 + number % 4, number))
        for day in [*order, *rest]:
            pull(settings, account_of(sandbox, provider), days(day))

        assert landed_states(settings, provider) == stored_states(sandbox, provider)


def test_limits_are_documented_the_shortest_first(provider: str) -> None:
    limits = PROVIDERS[provider].documented_limits

    assert sorted(limits, key=lambda limit: limit.seconds) == list(limits)
