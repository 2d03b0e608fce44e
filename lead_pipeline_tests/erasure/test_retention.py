"""What is reduced or erased by age changes neither stage history nor the newest state of any lead."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from lead_pipeline.erasure.retention import Due, due_now, is_on, reduce
from lead_pipeline.landing.rejected import rejected_groups
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.verify import verify
from lead_pipeline.sandbox.examples import lead_id, mega_lead
from lead_pipeline.sandbox.mega_business import STAGES
from lead_pipeline.settings import Settings
from lead_pipeline_tests.erasure.homes import FORMER, ErasureHome, holding, rows_of
from lead_pipeline_tests.normalized.landings import POLL, Landing, table
from lead_pipeline_tests.pulling import at

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def with_days(settings: Settings, **days: int) -> Settings:
    return settings.model_copy(update=days)


def carry_out(settings: Settings) -> Due:
    due = due_now(settings, NOW, lambda message: None)
    reduce(settings, due, NOW, lambda message: None)
    load_landing(settings)
    return due


def test_it_is_off_until_days_are_said(lived: ErasureHome) -> None:
    assert not is_on(lived.settings)
    assert not due_now(lived.settings, NOW, lambda message: None)


@pytest.mark.long
def test_superseded_payloads_lose_what_no_history_needs(lived: ErasureHome) -> None:
    settings = with_days(lived.settings, superseded_days=30)
    before = {name: table(settings, name) for name in ("leads", "lead_stage_history")}
    rows = rows_of(settings)
    assert holding(lived.landing, FORMER) != []

    due = carry_out(settings)

    assert sum(reduction.payloads for reduction in due.reductions) > 10
    # The newest that the cohort's own stream has shown stays.
    assert {path.split("/")[1] for path in holding(lived.landing, FORMER)} == {"stale_leads"}
    assert {name: table(settings, name) for name in before} == before
    after = rows_of(settings)
    without = [{k: v for k, v in row.items() if k != "payload"} for row in rows]
    assert sorted(map(repr, without)) == sorted(
        repr({k: v for k, v in row.items() if k != "payload"}) for row in after
    )
    assert all(comparison.is_equal for comparison in verify(settings))
    assert not due_now(settings, NOW, lambda message: None)


def test_what_is_left_of_a_payload_is_as_it_came(settings: Settings) -> None:
    landing = Landing(settings)
    landing.leads("mega", mega_lead(1, score=50, current_stage=STAGES[0]))
    landing.leads("mega", mega_lead(1, updated_at=at(3), current_stage=STAGES[1]))
    carry_out(with_days(settings, superseded_days=30))
    first, second = (json.loads(row["payload"]) for row in rows_of(settings))
    old, new = sorted((first, second), key=len)
    assert new == mega_lead(1, updated_at=at(3), current_stage=STAGES[1])
    assert old == {
        "id": lead_id(1),
        "customer_id": mega_lead(1)["customer_id"],
        "status": "active",
        "score": 50,
        "current_stage": {name: STAGES[0][name] for name in ("id", "slug", "name")},
        "owner": {name: mega_lead(1)["owner"][name] for name in ("id", "name")},
        "created_at": mega_lead(1)["created_at"],
        "updated_at": mega_lead(1)["updated_at"],
    }


def test_states_that_are_young_stay_whole(settings: Settings) -> None:
    landing = Landing(settings)
    landing.leads("mega", mega_lead(1))
    landing.leads("mega", mega_lead(1, updated_at=at(3)))
    days = (NOW - POLL).days + 1
    assert not due_now(with_days(settings, superseded_days=days), NOW, lambda message: None)


def test_rejected_records_go_by_age(lived: ErasureHome) -> None:
    settings = with_days(lived.settings, rejected_days=30)
    groups = rejected_groups(lived.landing, "vorel")
    assert groups != []
    due = carry_out(settings)
    assert sum(reduction.rejected for reduction in due.reductions) >= len(groups)
    assert rejected_groups(lived.landing, "vorel") == []


@pytest.mark.parametrize(("days", "due"), [(30, 1), (300, 0)])
def test_leads_that_have_been_missing_for_long_are_due(
    settings: Settings, days: int, due: int
) -> None:
    landing = Landing(settings)
    landing.leads("vorel", *[{**mega_lead(n), "attributes": {}} for n in (1, 2)])
    landing.leads(
        "vorel", {**mega_lead(2), "attributes": {}}, is_full=True, at=POLL + timedelta(days=1)
    )
    load_landing(settings)
    found = due_now(with_days(settings, missing_days=days), NOW, lambda message: None)
    assert [lead.lead_id for lead in found.missing] == [lead_id(1)][:due]
