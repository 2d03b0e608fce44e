"""What `lead-pipeline check` finds out, against real loopback servers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lead_pipeline.landing.check import check_account, seconds_for
from lead_pipeline.landing.saved_quota import load_quota
from lead_pipeline.providers.base import Account, Limit
from lead_pipeline.sandbox import Fault, Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import SLUGS, at, days, pull_all, put_leads, server_of


def silent(message: str) -> None:
    raise AssertionError(f"nothing to wait for, but was told: {message}")


@pytest.mark.parametrize("provider", SLUGS)
def test_key_that_works_is_told_with_its_quota(
    settings: Settings, accounts: Mapping[str, Account], provider: str
) -> None:
    result = check_account(settings, accounts[provider], silent)
    assert result.failure is None
    assert result.quota is not None


def test_expert_ai_labs_key_is_told_with_tenant_and_scopes(
    settings: Settings, accounts: Mapping[str, Account]
) -> None:
    facts = check_account(settings, accounts["expert_ai_labs"], silent).facts
    assert [fact.split()[0] for fact in facts][:3] == ["tenant", "environment", "scopes"]


@pytest.mark.parametrize("provider", SLUGS)
def test_key_without_the_right_to_read_fails_with_the_variable_to_look_at(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account], provider: str
) -> None:
    server_of(sandbox, provider).faults.add(Fault("status", at=1, times=9, status=403))
    result = check_account(settings, accounts[provider], silent)
    assert result.failure is not None
    assert accounts[provider].credential_names[0] in result.failure


def test_health_that_answers_with_a_web_page_is_a_failure_in_words(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    sandbox.expert_ai_labs.faults.add(Fault("html_page", at=1, times=9))
    result = check_account(settings, accounts["expert_ai_labs"], silent)
    assert result.failure is not None
    assert "markup" in result.failure


def test_its_requests_count_against_the_quota_of_the_next_run(
    settings: Settings, accounts: Mapping[str, Account]
) -> None:
    check_account(settings, accounts["mega"], silent)
    assert len(load_quota(settings.landing_path, "mega").sent_at) == 1


def test_next_backfill_of_mega_is_estimated_from_what_the_list_counts(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, "mega", 250, at(2))
    backfill = check_account(settings, accounts["mega"], silent).next_backfill
    assert backfill is not None
    assert (backfill.first, backfill.requests) == (settings.start_date, 3)


def test_next_backfill_of_vorel_is_estimated_from_what_its_last_crawl_took(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, "vorel", 250, at(2))
    pull_all(settings, accounts["vorel"], days(1, 2))
    backfill = check_account(settings, accounts["vorel"], silent).next_backfill
    assert backfill is not None
    assert (backfill.first, backfill.requests) == (at(3).date(), 3 + 1)


@pytest.mark.parametrize(
    ("requests", "seconds"), [(1, 0.0), (60, 0.0), (61, 60.0), (1_000, 960.0), (1_001, 3_600.0)]
)
def test_time_is_that_of_the_windows_that_have_to_pass(requests: int, seconds: float) -> None:
    assert seconds_for(requests, (Limit(60, 60.0), Limit(1_000, 3_600.0))) == seconds
