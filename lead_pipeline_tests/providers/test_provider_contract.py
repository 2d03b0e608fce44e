"""What every provider must do: one test for all of them, against the imitated APIs.

A new provider joins with its imitation in `imitations` and its documented promises in `contracts`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lead_pipeline.landing.coverage import coverage_of, proven_windows
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.settings import Settings
from lead_pipeline.windows import window_of_days
from lead_pipeline_tests import contracts
from lead_pipeline_tests.imitations import IMITATIONS, Imitation
from lead_pipeline_tests.pulling import (
    at,
    commits,
    days,
    landed,
    landed_ids,
    landed_states,
    pull,
    pull_all,
    settings_in,
)

MILLISECOND = timedelta(milliseconds=1)

pytestmark = [
    pytest.mark.parametrize("provider", IMITATIONS),
    pytest.mark.usefixtures("deals_installed"),
]


@pytest.fixture
def api(provider: str) -> Iterator[Imitation]:
    """The provider's API, without any lead at first."""
    with IMITATIONS[provider]() as running:
        yield running


def all_states(settings: Settings, provider: str) -> dict[str, datetime]:
    """The newest landed state of each lead, from every stream that holds leads."""
    states: dict[str, datetime] = {}
    for stream in PROVIDERS[provider].streams_of("records", "details", "cohort"):
        for lead_id, moment in landed_states(settings, provider, stream).items():
            states[lead_id] = max(moment, states.get(lead_id, moment))
    return states


def test_every_request_and_its_answer_are_as_documented(api: Imitation, settings: Settings) -> None:
    api.put_many(api.page_size + 5, at(2))
    lead_id = next(iter(api.states()))
    pull_all(settings, api.account, days(1, 2))
    api.change(lead_id, at(3, 5))
    pull_all(settings, api.account, days(3))
    pull_all(settings, api.account, days(4), full=True)

    server = api.server
    made = list(server.requests)
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        for request in made:
            # The very request once more, for the answer's sake.
            headers = {
                name: value for name, value in request.headers.items() if name != "accept-encoding"
            }
            again = client.request(
                request.method,
                request.path,
                params=dict(request.query),
                headers=headers,
                content=request.body,
            )
            contracts.assert_conforms(api.slug, again)
    assert made


def test_pages_are_as_large_as_the_provider_allows(api: Imitation, settings: Settings) -> None:
    api.put(1, at(2))

    pull(settings, api.account, days(2))

    assert api.asked_page_sizes() == [contracts.largest_page(api.slug)]


def test_first_partition_takes_everything_before_it(api: Imitation, settings: Settings) -> None:
    long_ago = api.put(1, datetime(2019, 5, 4, tzinfo=UTC))
    api.put(2, at(1, 12))

    pull_all(settings, api.account, days(1))

    assert long_ago in landed_ids(settings, api.slug)


def test_day_begins_at_midnight_and_ends_a_millisecond_before_the_next(
    api: Imitation, settings: Settings
) -> None:
    for number, moment in enumerate(
        (at(2) - MILLISECOND, at(2), at(2) + MILLISECOND, at(3) - MILLISECOND, at(3))
    ):
        api.put(number, moment)

    commit = pull(settings, api.account, days(2))

    assert commit.rows_by_date["2026-01-02"] == 3


def test_days_pulled_one_by_one_leave_no_record_between_them(
    api: Imitation, settings: Settings
) -> None:
    for day in (1, 2, 3):
        for number, offset in enumerate((-1, 0, 1)):
            api.put(10 * day + number, at(day) + offset * MILLISECOND)

    for day in (1, 2, 3):
        pull_all(settings, api.account, days(day))

    assert landed_states(settings, api.slug) == api.states()


def test_leads_of_one_and_the_same_millisecond_all_land(api: Imitation, settings: Settings) -> None:
    count = 2 * api.page_size + 7
    for number in range(count):
        api.put(number, at(2, 3, 4, 5, 678))

    pull(settings, api.account, days(2))

    assert len(landed_ids(settings, api.slug)) == len(set(landed_ids(settings, api.slug))) == count


@pytest.mark.parametrize("day", [1, 2])
def test_list_ends_with_the_page_that_reaches_the_end(
    day: int, api: Imitation, settings: Settings
) -> None:
    """Many later leads exist: only a list without any filter by time has to be read whole."""
    size = api.page_size
    api.put_many(size // 2, at(day))
    api.put_many(3 * size, at(20), first=1000)

    pull_all(settings, api.account, days(day))

    has_no_filter, filters_by_creation = "vorel", "expert_ai_labs"
    bounded = 4 if day == 1 and api.slug == filters_by_creation else 1
    assert len(api.asked()) == (4 if api.slug == has_no_filter else bounded)


def test_record_that_arrived_late_is_found_within_the_overlap(
    api: Imitation, settings: Settings
) -> None:
    api.put(1, at(2, 12))
    pull_all(settings, api.account, days(1, 2))
    # It became visible only after day 2 had been pulled.
    late = api.put(2, at(3) - timedelta(minutes=30))

    pull_all(settings, api.account, days(3))

    assert late in landed_ids(settings, api.slug)


def test_late_arrivals_are_counted_apart_from_what_was_known(
    api: Imitation, settings: Settings
) -> None:
    if api.slug == "expert_ai_labs":
        pytest.skip("its list is asked by time of creation: nothing says what is late")
    api.put(1, at(3) - timedelta(minutes=40))
    pull(settings, api.account, days(2))
    api.put(2, at(3) - timedelta(minutes=30))

    commit = pull(settings, api.account, days(3))

    assert (commit.overlap_records, commit.late_arrivals) == (2, 1)


def test_window_pulled_again_adds_what_is_new_and_removes_nothing(
    api: Imitation, settings: Settings
) -> None:
    """The lead leaves the window by its change; what was seen of it stays."""
    lead_id = api.put(1, at(2, 12))
    pull_all(settings, api.account, days(2))
    before = [row for row in landed(settings, api.slug) if row["record_id"] == lead_id]
    api.change(lead_id, at(4, 12))
    api.put(2, at(2, 13))

    pull_all(settings, api.account, days(2))

    after = landed(settings, api.slug)
    assert [row for row in after if row in before] == before
    assert landed_states(settings, api.slug).keys() == api.states().keys()


def test_lead_that_changes_every_day_lands_once_for_each_state(
    api: Imitation, settings: Settings
) -> None:
    lead_id = api.put(1, at(1, 12))
    seen = []
    for day in (1, 2, 3, 4):
        if day > 1:
            api.change(lead_id, at(day, 12))
        pull_all(settings, api.account, days(day))
        seen.append(all_states(settings, api.slug)[lead_id])

    assert seen == [at(1, 12), at(2, 12), at(3, 12), at(4, 12)]


def test_crawl_proves_nothing_later_than_its_own_start(api: Imitation, settings: Settings) -> None:
    today = datetime.now(UTC).date()
    commit = pull(settings, api.account, window_of_days(today, today, settings.start_date))

    assert commit.proven_until == commit.started_at < commit.window.end


def test_full_crawl_meets_every_lead_whatever_the_window(
    api: Imitation, settings: Settings
) -> None:
    api.put_many(api.page_size + 1, at(1))
    api.put_many(5, at(20), first=1000)

    commit = pull(settings, api.account, days(3), full=True)

    assert commit.is_full
    assert landed_states(settings, api.slug) == api.states()


def test_full_crawl_closes_the_gap_that_a_missed_night_left(
    api: Imitation, settings: Settings
) -> None:
    for day in (days(1), days(3)):
        pull_all(settings, api.account, day)
    pull_all(settings, api.account, days(4), full=True)
    records = commits(settings, api.slug)
    coverage = coverage_of(api.slug, api.slug, proven_windows(records))
    assert (coverage.complete_from, coverage.complete_through) == (None, days(4).end)


def test_one_crawl_serves_a_whole_range_of_days(api: Imitation, settings: Settings) -> None:
    for day in range(2, 12):
        api.put(day, at(day, 12))

    commit = pull(settings, api.account, days(2, 11))

    assert commit.pages == 1
    assert commit.rows_by_date == {f"2026-01-{day:02d}": 1 for day in range(2, 12)}


@hypothesis_settings(max_examples=4, deadline=None)
@given(
    order=st.lists(st.integers(1, 4), min_size=2, max_size=5), rest=st.permutations([1, 2, 3, 4])
)
def test_days_land_the_same_in_any_order_and_repetition(
    provider: str, order: list[int], rest: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder, IMITATIONS[provider]() as api:
        settings = settings_in(Path(folder))
        for number in range(12):
            api.put(number, at(1 + number % 4, number))
        for day in [*order, *rest]:
            pull(settings, api.account, days(day))

        assert landed_states(settings, api.slug) == api.states()


def test_limits_are_documented_the_shortest_first(provider: str) -> None:
    limits = PROVIDERS[provider].documented_limits

    assert sorted(limits, key=lambda limit: limit.seconds) == list(limits)
