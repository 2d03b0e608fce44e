"""Vorel: the whole list once for all days, down to a horizon if one is set; the stale cohort."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import lead_id, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import (
    EACH_PAGE,
    at,
    days,
    landed_ids,
    landed_states,
    pull,
    put_leads,
    stored_states,
    with_options,
)


@pytest.fixture
def account(accounts: Mapping[str, Account]) -> Account:
    """The account of the sandbox."""
    return accounts["vorel"]


@pytest.fixture
def old_and_new(sandbox: Sandbox) -> Sandbox:
    """300 leads of January 1, of which number 0 was updated on the 20th, and 50 of the 20th."""
    put_leads(sandbox, "vorel", 300, at(1, 6))
    put_leads(sandbox, "vorel", 50, at(20, 6), first=1000)
    sandbox.vorel.store.put(vorel_lead(0, at(1, 6), at(20, 12)))
    return sandbox


def horizon_at(moment: datetime, account: Account) -> Account:
    """The account with a horizon at `moment`; it is set in days before now."""
    return with_options(account, horizon_days=(datetime.now(UTC) - moment).days)


def test_change_to_an_old_lead_is_found_at_the_end_of_the_list(
    old_and_new: Sandbox, settings: Settings, account: Account
) -> None:
    commit = pull(settings, account, days(20))

    assert lead_id(0) in landed_ids(settings, "vorel")
    assert (commit.pages, commit.records, commit.seen) == (4, 51, 350)


def test_crawl_of_a_day_meets_every_lead_and_can_tell_what_vanished(
    old_and_new: Sandbox, settings: Settings, account: Account
) -> None:
    commit = pull(settings, account, days(20))

    assert commit.is_full
    assert sum(file.rows for file in commit.seen_files) == 299


def test_horizon_ends_the_list_early(
    old_and_new: Sandbox, settings: Settings, account: Account
) -> None:
    commit = pull(settings, horizon_at(at(15), account), days(20))

    assert (commit.pages, commit.complete) == (1, True)


def test_horizon_is_told_with_what_it_leaves_out(
    old_and_new: Sandbox, settings: Settings, account: Account
) -> None:
    commit = pull(settings, horizon_at(at(15), account), days(20))

    assert commit.note is not None
    assert "were not read (VOREL_HORIZON_DAYS)" in commit.note


def test_crawl_down_to_a_horizon_proves_no_lead_missing(
    old_and_new: Sandbox, settings: Settings, account: Account
) -> None:
    assert not pull(settings, horizon_at(at(15), account), days(20)).is_full


def test_horizon_never_hides_leads_created_in_the_window(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    """A backfill of days before the horizon."""
    put_leads(sandbox, "vorel", 150, at(5, 6))
    put_leads(sandbox, "vorel", 150, at(20, 6), first=1000)

    pull(settings, horizon_at(at(15), account), days(5))

    assert landed_states(settings, "vorel") == stored_states(sandbox, "vorel")


def test_full_crawl_knows_no_horizon(
    old_and_new: Sandbox, settings: Settings, account: Account
) -> None:
    commit = pull(settings, horizon_at(at(15), account), days(20), full=True)

    assert (commit.is_full, commit.note) == (True, None)
    assert landed_states(settings, "vorel") == stored_states(old_and_new, "vorel")


def test_first_partition_knows_no_horizon(
    old_and_new: Sandbox, settings: Settings, account: Account
) -> None:
    assert pull(settings, horizon_at(at(15), account), days(1)).is_full


def test_many_days_cost_one_reading_of_the_list(
    old_and_new: Sandbox, settings: Settings, account: Account
) -> None:
    pull(settings, account, days(2, 20))

    assert len(old_and_new.vorel.requests) == 4


def test_stale_cohort_is_the_providers_own(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    """Qualified and quiet for more than 14 days: number 1 only."""
    sandbox.set_clock(at(20))
    for number, status in ((1, "qualified"), (2, "qualified"), (3, "new")):
        sandbox.vorel.store.put(vorel_lead(number, at(1), status=status))
        sandbox.vorel.store.set_last_message(lead_id(number), at(1))
    sandbox.vorel.store.set_last_message(lead_id(2), at(20) - timedelta(days=13))

    pull(settings, account, days(20), "stale_leads")

    assert landed_ids(settings, "vorel", "stale_leads") == [lead_id(1)]


def test_stale_cohort_is_asked_for_with_the_days_of_the_account(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    pull(settings, with_options(account, stale_for_days=30), days(20), "stale_leads")

    assert sandbox.vorel.requests[0].query["stale_for_days"] == "30"


def test_stale_cohort_proves_no_lead_missing(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    assert not pull(settings, account, days(20), "stale_leads").is_full


def test_stale_cohort_is_one_file_a_crawl_however_many_pages_and_days(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    sandbox.set_clock(at(30))
    for number in range(250):
        sandbox.vorel.store.put(vorel_lead(number, at(1 + number % 10), status="qualified"))
        sandbox.vorel.store.set_last_message(lead_id(number), at(11))

    commit = pull(settings, account, days(29), "stale_leads", options=EACH_PAGE)

    assert (commit.pages, commit.records) == (3, 250)
    [file] = commit.files
    assert file.path.startswith(f"vorel/stale_leads/date={commit.started_at:%Y-%m-%d}/")
