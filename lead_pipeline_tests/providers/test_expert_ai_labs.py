"""Expert AI Labs: changes are told by the audit log, and read where it costs fewest requests.

audit log ──▶ changed leads ──▶ by id or by list ──▶ requests, counted
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from lead_pipeline.errors import RetryableError, WrongTenant
from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import FOREVER, Fault, Sandbox
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import (
    at,
    days,
    landed,
    landed_ids,
    landed_states,
    pull,
    pull_all,
    put_leads,
    rejected,
    stored_states,
    with_options,
)

SLUG = "expert_ai_labs"


@pytest.fixture
def account(accounts: Mapping[str, Account]) -> Account:
    """The account of the sandbox."""
    return accounts[SLUG]


def change(sandbox: Sandbox, number: int, moment: datetime, score: int = 77) -> None:
    """Change a lead, which writes an audit event."""
    sandbox.expert_ai_labs.store.update(lead_id(number), {"lead_score": score}, moment)


def asked(sandbox: Sandbox) -> Counter[str]:
    """How many requests went to each part of the API since the last call."""
    requests = sandbox.expert_ai_labs.requests
    parts = Counter(
        "detail" if request.path.count("/") == 4 else request.path.removeprefix("/api/v1/")
        for request in requests
    )
    requests.clear()
    return parts


def newest(settings: Settings) -> dict[str, datetime]:
    """The newest landed state of each lead, from lists and single records."""
    states = landed_states(settings, SLUG)
    for name, moment in landed_states(settings, SLUG, "lead_details").items():
        states[name] = max(moment, states.get(name, moment))
    return states


def pulled_through_day_1(
    sandbox: Sandbox, settings: Settings, account: Account, leads: int, details: int = 30
) -> None:
    """Leads of day 1, landed with that many details, and nothing asked since."""
    put_leads(sandbox, SLUG, leads, at(1, 6))
    pull_all(settings, with_options(account, detail_requests=details), days(1))
    asked(sandbox)


def test_few_changed_leads_are_read_by_id(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    pulled_through_day_1(sandbox, settings, account, 30)
    for number in (3, 4):
        change(sandbox, number, at(2, 12))

    pull_all(settings, account, days(2))

    assert asked(sandbox) == {"audit-log": 1, "leads": 1, "detail": 2, "health": 3}
    assert newest(settings) == stored_states(sandbox, SLUG)


def test_many_changed_leads_are_read_by_list_pages(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    """Thirty one by one, or one page and the ten details of the budget."""
    pulled_through_day_1(sandbox, settings, account, 30)
    for number in range(30):
        change(sandbox, number, at(2, 12))

    commits = pull_all(settings, with_options(account, detail_requests=10), days(2))

    assert commits[1].records == 30
    assert asked(sandbox) == {"audit-log": 1, "leads": 1, "detail": 10, "health": 3}
    assert newest(settings) == stored_states(sandbox, SLUG)


def test_list_pages_are_not_read_for_leads_whose_details_are_read_anyway(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    """The budget allows all thirty single records, and they bring the state along."""
    pulled_through_day_1(sandbox, settings, account, 30)
    for number in range(30):
        change(sandbox, number, at(2, 12))

    commits = pull_all(settings, with_options(account, detail_requests=30), days(2))

    assert commits[1].records == 0
    assert asked(sandbox) == {"audit-log": 1, "leads": 1, "detail": 30, "health": 3}


def test_list_pages_are_not_read_for_a_change_far_down_the_list(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    """Three pages down to the oldest of two leads: two single requests are cheaper."""
    pulled_through_day_1(sandbox, settings, account, 401, details=0)
    for number in (0, 1):
        change(sandbox, number, at(2, 12))

    pull_all(settings, with_options(account, detail_requests=0), days(2))

    assert asked(sandbox) == {"audit-log": 1, "leads": 1, "detail": 2, "health": 3}


def test_changed_lead_is_read_whatever_the_budget(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    pulled_through_day_1(sandbox, settings, account, 3)
    change(sandbox, 1, at(2, 12))

    pull_all(settings, with_options(account, detail_requests=0), days(2))

    assert newest(settings) == stored_states(sandbox, SLUG)


def test_two_changes_within_a_second_are_two_changes(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    """The first was landed before the second: an event younger than what landed is followed."""
    put_leads(sandbox, SLUG, 3, at(1, 6))
    change(sandbox, 1, at(2, 12, 0, 0, 100), score=10)
    pull_all(settings, account, days(1, 2))
    change(sandbox, 1, at(2, 12, 0, 0, 900), score=20)

    pull_all(settings, account, days(2))

    assert newest(settings)[lead_id(1)] == at(2, 12, 0, 0, 900)


def test_events_land_with_their_own_time_and_diff(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    pulled_through_day_1(sandbox, settings, account, 3)
    sandbox.expert_ai_labs.store.update(
        lead_id(1), {"pipeline_stage": "qualified"}, at(2, 12, 34, 56, 789)
    )

    pull_all(settings, account, days(2))

    (event,) = landed(settings, SLUG, "lead_events")
    assert event["updated_at"] == at(2, 12, 34, 56, 789)
    assert '"diff":{"pipeline_stage":{"from":"new","to":"qualified"}}' in event["payload"]


def test_quiet_day_costs_one_page_of_each_list(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    pulled_through_day_1(sandbox, settings, account, 30)

    pull_all(settings, account, days(2))

    assert asked(sandbox) == {"audit-log": 1, "leads": 1, "health": 2}


def test_details_are_read_within_the_budget_and_the_rest_later(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    put_leads(sandbox, SLUG, 12, at(1, 6))
    few = with_options(account, detail_requests=5)
    pending = []

    for _ in range(3):
        pull_all(settings, few, days(1))
        landed_now = LandedRecords(settings.landing_path, SLUG, PROVIDERS[SLUG])
        pending.append(len(landed_now.leads_without_details()))

    assert pending == [7, 2, 0]


def test_details_of_the_leads_changed_last_come_first(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    put_leads(sandbox, SLUG, 12, at(1, 6))

    pull_all(settings, with_options(account, detail_requests=2), days(1))

    assert landed_ids(settings, SLUG, "lead_details") == [lead_id(10), lead_id(11)]


def test_details_bring_the_fields_that_the_list_leaves_out(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    sandbox.expert_ai_labs.store.put(expert_ai_labs_lead(1, at(1, 6), timeline="this quarter"))

    pull_all(settings, account, days(1))

    assert "this quarter" not in landed(settings, SLUG)[0]["payload"]
    assert '"timeline":"this quarter"' in landed(settings, SLUG, "lead_details")[0]["payload"]


def test_vanished_lead_is_remembered_and_not_asked_for_again(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    put_leads(sandbox, SLUG, 3, at(1, 6))
    pull(settings, account, days(1))
    sandbox.expert_ai_labs.store.delete(lead_id(1))
    first = pull(settings, account, days(1), "lead_details")
    asked(sandbox)

    pull(settings, account, days(1), "lead_details")

    assert (first.complete, first.missing_ids) == (True, [lead_id(1)])
    assert asked(sandbox)["detail"] == 0


@pytest.fixture
def closed(sandbox: Sandbox, settings: Settings, account: Account) -> list[CommitRecord]:
    """Day 2, with a new and a changed lead, pulled with a key that may not read the audit log."""
    pulled_through_day_1(sandbox, settings, account, 30)
    put_leads(sandbox, SLUG, 1, at(2, 6), first=1000)
    change(sandbox, 5, at(2, 12))
    sandbox.expert_ai_labs.audit_log_open = False
    return pull_all(settings, account, days(2))


def test_closed_audit_log_is_a_fact_and_no_failure(closed: list[CommitRecord]) -> None:
    assert [commit.state for commit in closed] == ["refused", "complete", "complete"]


def test_closed_audit_log_is_told(closed: list[CommitRecord]) -> None:
    assert closed[0].note is not None
    assert closed[0].note.endswith("The account is pulled without lead_events.")
    assert closed[1].note is not None
    assert "the whole list was read instead" in closed[1].note


def test_with_the_audit_log_closed_changes_are_found_in_the_whole_list(
    closed: list[CommitRecord], sandbox: Sandbox, settings: Settings
) -> None:
    assert newest(settings) == stored_states(sandbox, SLUG)


def test_with_the_audit_log_closed_only_what_changed_is_landed(
    closed: list[CommitRecord],
) -> None:
    assert (closed[1].records, closed[1].seen, closed[1].is_full) == (2, 31, True)


def test_audit_log_opened_again_is_used_from_the_next_pull_on(
    closed: list[CommitRecord], sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    sandbox.expert_ai_labs.audit_log_open = True

    commits = pull_all(settings, account, days(2))

    assert (commits[0].state, commits[1].note) == ("complete", None)


def test_audit_log_that_failed_halfway_is_not_relied_on(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    """Two pages of events, of which the second never came."""
    pulled_through_day_1(sandbox, settings, account, 250, details=0)
    for number in range(250):
        change(sandbox, number, at(2, 12) + timedelta(seconds=number))
    faults = sandbox.expert_ai_labs.faults
    faults.add(Fault("status", at=2, times=FOREVER, path_contains="audit-log"))
    with pytest.raises(RetryableError):
        pull(settings, account, days(2), "lead_events")

    pull(settings, account, days(2))

    assert newest(settings) == stored_states(sandbox, SLUG)


def test_tenant_is_the_one_that_health_names(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    put_leads(sandbox, SLUG, 3, at(1, 6))
    sandbox.expert_ai_labs.faults.add(Fault("foreign_tenant", path_contains="/leads"))

    with pytest.raises(WrongTenant):
        pull(settings, account, days(1))

    assert len(landed_ids(settings, SLUG)) == 3
    assert [row["kind"] for row in rejected(settings, SLUG)] == ["foreign_tenant"]


def test_tenant_is_asked_for_once_in_a_run(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    put_leads(sandbox, SLUG, 3, at(1, 6))

    for stream in ("lead_events", "leads", "lead_details"):
        pull(settings, account, days(1), stream, run_id="one run")

    assert asked(sandbox)["health"] == 1


def test_without_health_records_of_any_tenant_are_taken_and_that_is_told(
    sandbox: Sandbox, settings: Settings, account: Account
) -> None:
    put_leads(sandbox, SLUG, 3, at(1, 6))
    sandbox.expert_ai_labs.faults.add(Fault("status", status=400, path_contains="/health"))
    told: list[str] = []

    commit = pull(settings, account, days(1), told=told)

    assert (commit.complete, commit.tenant_id) == (True, None)
    assert told[0].endswith("Records are not checked for their tenant.")
