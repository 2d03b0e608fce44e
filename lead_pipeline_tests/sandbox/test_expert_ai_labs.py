"""Expert AI Labs' leads, single records and audit log, as its pages tell them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lead_pipeline.sandbox import Sandbox, tenants
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id
from lead_pipeline_tests.sandbox.clients import EVENTS, LEADS, client_of

LISTED = {
    "id",
    "organization_id",
    "name",
    "company",
    "email",
    "source",
    "lead_score",
    "pipeline_stage",
    "industry",
    "company_size",
    "created_at",
    "updated_at",
}
DETAILS = {
    "pain_points",
    "timeline",
    "budget_range",
    "ai_reasoning",
    "qualification_completed_at",
}
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def ask(client: httpx.Client, path: str = LEADS, **params: str | int) -> dict[str, Any]:
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def everything(
    client: httpx.Client, path: str = LEADS, **params: str | int
) -> list[dict[str, Any]]:
    page = ask(client, path, limit=200, **params)
    records = list(page["data"])
    while page["next_cursor"] is not None:
        page = ask(client, path, limit=200, cursor=page["next_cursor"], **params)
        records += page["data"]
    return records


def test_the_list_shows_twelve_fields_and_the_single_record_five_more(
    sandbox: Sandbox, expert_ai_labs: httpx.Client
) -> None:
    leads = everything(expert_ai_labs)
    assert len(leads) == len(sandbox.expert_ai_labs.store)
    assert all(lead.keys() == LISTED for lead in leads)
    assert ask(expert_ai_labs, f"{LEADS}/{leads[0]['id']}").keys() == LISTED | DETAILS


def test_pages_hold_50_by_default_and_come_newest_first(expert_ai_labs: httpx.Client) -> None:
    assert len(ask(expert_ai_labs)["data"]) == 50
    for path in (LEADS, EVENTS):
        keys = [(one["created_at"], one["id"]) for one in everything(expert_ai_labs, path)]
        assert keys == sorted(keys, reverse=True)


def test_the_cursor_is_unpadded_base64url_json_of_the_last_record(
    expert_ai_labs: httpx.Client,
) -> None:
    page = ask(expert_ai_labs)
    cursor, last = page["next_cursor"], page["data"][-1]
    padded = cursor + "=" * (-len(cursor) % 4)
    assert "=" not in cursor
    assert json.loads(base64.urlsafe_b64decode(padded)) == {
        "created_at": last["created_at"],
        "id": last["id"],
    }


def test_a_cursor_outlives_its_lead(empty: Sandbox) -> None:
    store = empty.expert_ai_labs.store
    for number in range(5):
        store.put(expert_ai_labs_lead(number, BEGIN + timedelta(hours=number)))
    with client_of(empty, "expert_ai_labs") as client:
        first = ask(client, limit=2)
        store.delete(first["data"][-1]["id"])
        second = ask(client, limit=10, cursor=first["next_cursor"])
    assert [lead["id"] for lead in second["data"]] == [lead_id(n) for n in (2, 1, 0)]


@pytest.mark.parametrize("path", [LEADS, EVENTS])
@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "x"},
        {"start_at": "monday"},
        {"end_at": "2026-01-01"},
        {"cursor": "nonsense"},
    ],
)
def test_a_value_outside_its_bounds_is_refused(
    expert_ai_labs: httpx.Client, path: str, params: dict[str, str]
) -> None:
    answer = expert_ai_labs.get(path, params=params)
    assert answer.status_code == 400
    assert answer.json()["error"].keys() == {"code", "message", "details"}


def test_leads_are_filtered_by_creation_stage_and_source(
    sandbox: Sandbox, expert_ai_labs: httpx.Client
) -> None:
    records = list(sandbox.expert_ai_labs.store)
    window = {"start_at": "2026-01-03T00:00:00Z", "end_at": "2026-01-05T00:00:00Z"}
    created = [r for r in records if "2026-01-03" <= r["created_at"] < "2026-01-05"]
    assert len(everything(expert_ai_labs, **window)) == len(created) > 0
    for name in ("pipeline_stage", "source"):
        value = records[0][name]
        matching = [record for record in records if record[name] == value]
        assert len(everything(expert_ai_labs, **{name: value})) == len(matching)


@pytest.mark.parametrize("included", [True, False])
def test_whether_end_at_itself_is_included_can_be_chosen(empty: Sandbox, included: bool) -> None:
    empty.expert_ai_labs.store.put(expert_ai_labs_lead(1, BEGIN))
    empty.expert_ai_labs.api.end_at_included = included
    with client_of(empty, "expert_ai_labs") as client:
        assert len(everything(client, end_at="2026-01-01T00:00:00Z")) == int(included)


def test_an_update_writes_the_diff_at_the_moment_of_the_lead(empty: Sandbox) -> None:
    store, at = empty.expert_ai_labs.store, BEGIN + timedelta(hours=3)
    store.put(expert_ai_labs_lead(1, BEGIN))
    store.update(lead_id(1), {"pipeline_stage": "won", "lead_score": 92, "company": None}, at)
    with client_of(empty, "expert_ai_labs") as client:
        (event,) = everything(client, EVENTS, action="lead.updated")
        lead = ask(client, f"{LEADS}/{lead_id(1)}")
        assert ask(client, f"{EVENTS}/{event['id']}") == event
    assert event["created_at"] == lead["updated_at"] == "2026-01-01T03:00:00.000Z"
    assert event["organization_id"] == tenants.EXPERT_AI_LABS_ORGANIZATION_ID
    assert event["payload"]["lead_id"] == lead["id"]
    assert event["payload"]["diff"] == {
        "pipeline_stage": {"from": "new", "to": "won"},
        "lead_score": {"from": 50, "to": 92},
    }


def test_only_the_documented_fields_can_be_updated(empty: Sandbox) -> None:
    empty.expert_ai_labs.store.put(expert_ai_labs_lead(1))
    with pytest.raises(ValueError, match="created_at"):
        empty.expert_ai_labs.store.update(lead_id(1), {"created_at": "now"}, BEGIN)


def test_replaying_the_audit_log_gives_the_leads_as_they_are(
    sandbox: Sandbox, expert_ai_labs: httpx.Client
) -> None:
    newest: dict[str, dict[str, Any]] = {}
    for event in reversed(everything(expert_ai_labs, EVENTS, action="lead.updated")):
        values = {name: change["to"] for name, change in event["payload"]["diff"].items()}
        known = newest.setdefault(event["payload"]["lead_id"], {})
        known.update(values, updated_at=event["created_at"])
    living = [lead for lead in sandbox.expert_ai_labs.store if lead["id"] in newest]
    assert len(living) > 100
    for lead in living:
        assert newest[lead["id"]].items() <= lead.items()


def test_the_audit_log_holds_other_actions_and_is_filtered(expert_ai_labs: httpx.Client) -> None:
    events = everything(expert_ai_labs, EVENTS)
    updates = everything(expert_ai_labs, EVENTS, action="lead.updated")
    by_system = everything(expert_ai_labs, EVENTS, source="system")
    window = {"start_at": "2026-01-03T00:00:00Z", "end_at": "2026-01-04T00:00:00Z"}
    assert 0 < len(updates) < len(events)
    assert by_system
    assert all(event["source"] == "system" for event in by_system)
    assert {e["created_at"][:10] for e in everything(expert_ai_labs, EVENTS, **window)} == {
        "2026-01-03"
    }


def test_a_closed_audit_log_is_refused_and_the_leads_are_not(empty: Sandbox) -> None:
    empty.expert_ai_labs.audit_log_open = False
    with client_of(empty, "expert_ai_labs") as client:
        assert client.get(EVENTS).status_code == 403
        assert client.get(f"{EVENTS}/{lead_id(1)}").status_code == 403
        assert client.get(LEADS).status_code == 200


def test_a_lead_of_another_organization_is_not_found(empty: Sandbox) -> None:
    empty.expert_ai_labs.store.put(expert_ai_labs_lead(1, organization_id=lead_id(2)))
    with client_of(empty, "expert_ai_labs") as client:
        assert client.get(f"{LEADS}/{lead_id(1)}").status_code == 404
        assert client.get(f"{LEADS}/{lead_id(3)}").status_code == 404


def test_health_names_the_tenant_to_whoever_has_a_key(
    sandbox: Sandbox, expert_ai_labs: httpx.Client
) -> None:
    health = ask(expert_ai_labs, "/api/v1/health")
    assert health["tenant_id"] == tenants.EXPERT_AI_LABS_ORGANIZATION_ID
    assert health["timestamp"] == "2026-01-15T00:00:00.000Z"
    anonymous = httpx.get(f"{sandbox.expert_ai_labs.url}/api/v1/health", trust_env=False)
    assert "tenant_id" not in anonymous.json()


@pytest.mark.parametrize("path", [LEADS, EVENTS, "/api/v1/health"])
def test_an_unknown_key_is_refused(expert_ai_labs: httpx.Client, path: str) -> None:
    answer = expert_ai_labs.get(path, headers={"Authorization": "Bearer eal_test_unknown"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
