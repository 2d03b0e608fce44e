"""Vorel's list, its cursors and its cohort of stale leads, as its document tells them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import lead_id, vorel_lead
from lead_pipeline_tests.sandbox.clients import LEADS, client_of

FIELDS = {
    "id",
    "conversation_id",
    "name",
    "email",
    "phone",
    "intent",
    "attributes",
    "timeline",
    "qualification_score",
    "status",
    "source",
    "created_at",
    "updated_at",
}
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def ask(client: httpx.Client, **params: str | int) -> dict[str, Any]:
    answer = client.get(LEADS, params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def everything(client: httpx.Client, **params: str | int) -> list[dict[str, Any]]:
    page = ask(client, limit=100, **params)
    leads = list(page["data"])
    while page["has_more"]:
        page = ask(client, limit=100, cursor=page["next_cursor"], **params)
        leads += page["data"]
    assert page["next_cursor"] is None
    return leads


def test_records_have_the_documented_fields(vorel: httpx.Client) -> None:
    leads = everything(vorel)
    assert all(lead.keys() == FIELDS for lead in leads)
    assert {lead["status"] for lead in leads} == {
        "new",
        "qualified",
        "booked",
        "converted",
        "lost",
    }
    keys = {name for lead in leads for name in lead["attributes"]}
    assert {"bedrooms", "budget_min", "area"} <= keys
    assert {"preferred_stylist", "service_history"} <= keys
    assert {"insurance_provider", "symptoms_summary"} <= keys


def test_pages_hold_25_by_default_and_come_newest_first(vorel: httpx.Client) -> None:
    assert len(ask(vorel)["data"]) == 25
    keys = [(lead["created_at"], lead["id"]) for lead in everything(vorel)]
    assert keys == sorted(keys, reverse=True)


def test_the_server_caps_a_page_at_100(vorel: httpx.Client) -> None:
    assert len(ask(vorel, limit=1000)["data"]) == 100


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "x"},
        {"cursor": "nonsense"},
        {"cursor": "00000000-0000-4000-8000-000000000000"},
        {"stale_for_days": "0"},
        {"stale_for_days": "366"},
        {"stale_for_days": "a week"},
    ],
)
def test_a_value_outside_its_bounds_is_refused(vorel: httpx.Client, params: dict[str, str]) -> None:
    answer = vorel.get(LEADS, params=params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert next(iter(params)) in answer.json()["error"]["message"]


def test_the_cursor_names_the_last_lead_and_ends_with_it(empty: Sandbox) -> None:
    for number in range(5):
        empty.vorel.store.put(vorel_lead(number, BEGIN + timedelta(hours=number)))
    with client_of(empty, "vorel") as client:
        page = ask(client, limit=2)
        assert page["next_cursor"] == page["data"][-1]["id"] == lead_id(3)
        empty.vorel.store.delete(lead_id(3))
        assert client.get(LEADS, params={"cursor": lead_id(3)}).status_code == 400


def test_a_lead_created_during_a_crawl_is_missed_and_a_changed_one_keeps_its_place(
    empty: Sandbox,
) -> None:
    for number in range(4):
        empty.vorel.store.put(vorel_lead(number, BEGIN + timedelta(hours=number)))
    with client_of(empty, "vorel") as client:
        first = ask(client, limit=2)
        empty.vorel.store.put(vorel_lead(9, BEGIN + timedelta(hours=9)))
        empty.vorel.store.put(vorel_lead(1, BEGIN + timedelta(hours=1), BEGIN + timedelta(days=1)))
        second = ask(client, limit=10, cursor=first["next_cursor"])
    assert [lead["id"] for lead in second["data"]] == [lead_id(1), lead_id(0)]


def test_stale_leads_are_qualified_and_long_quiet_or_never_heard_of(empty: Sandbox) -> None:
    store = empty.vorel.store
    empty.set_clock(BEGIN + timedelta(days=20))
    cases = {
        1: ("qualified", BEGIN + timedelta(days=13)),  # exactly seven days: not older
        2: ("qualified", BEGIN + timedelta(days=13, milliseconds=-1)),
        3: ("qualified", None),
        4: ("booked", None),
        5: ("qualified", BEGIN + timedelta(days=19)),
    }
    for number, (status, last_message_at) in cases.items():
        store.put(vorel_lead(number, BEGIN + timedelta(hours=number), status=status))
        store.set_last_message(lead_id(number), last_message_at)
    with client_of(empty, "vorel") as client:
        stale = everything(client, stale_for_days=7)
    assert [lead["id"] for lead in stale] == [lead_id(3), lead_id(2)]
    assert all(lead.keys() == FIELDS for lead in stale)


def test_the_world_has_leads_that_go_stale(vorel: httpx.Client) -> None:
    assert len(everything(vorel, stale_for_days=90)) < len(everything(vorel, stale_for_days=3))


def test_one_lead_can_be_read(empty: Sandbox) -> None:
    empty.vorel.store.put(vorel_lead(1))
    with client_of(empty, "vorel") as client:
        assert client.get(f"{LEADS}/{lead_id(1)}").json() == vorel_lead(1)
        answer = client.get(f"{LEADS}/{lead_id(2)}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_keys_and_scopes_are_checked(empty: Sandbox) -> None:
    with client_of(empty, "vorel") as client:
        answer = client.get(LEADS, headers={"Authorization": "Bearer vapk_test_unknown"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
        empty.vorel.scopes.clear()
        answer = client.get(LEADS)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
