"""MEGA's parameters, bounds, cursors and refusals, as its guide tells them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lead_pipeline.sandbox import Sandbox, tenants
from lead_pipeline.sandbox.examples import mega_lead
from lead_pipeline.sandbox.mega_business import STAGES
from lead_pipeline_tests.sandbox.clients import MEGA_LEADS, client_of

FIELDS = {
    "id",
    "customer_id",
    "contact_name",
    "contact_phone",
    "contact_email",
    "source_platform",
    "source_type",
    "status",
    "score",
    "qualified",
    "current_stage",
    "owner",
    "last_interaction_at",
    "interaction_count",
    "created_at",
    "updated_at",
    "custom_fields",
}
REQUIRED = {
    "id",
    "customer_id",
    "source_platform",
    "source_type",
    "status",
    "created_at",
    "updated_at",
}


def ask(client: httpx.Client, **params: str | int) -> dict[str, Any]:
    answer = client.get(MEGA_LEADS, params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def everything(client: httpx.Client, **params: str | int) -> list[dict[str, Any]]:
    page = ask(client, limit=100, **params)
    leads = list(page["leads"])
    while page["next_cursor"] is not None:
        page = ask(client, limit=100, cursor=page["next_cursor"], **params)
        leads += page["leads"]
    return leads


def test_records_have_the_documented_fields_and_may_lack_the_optional_ones(
    mega: httpx.Client,
) -> None:
    leads = everything(mega, include_custom_fields="true")
    assert all(lead.keys() >= REQUIRED and lead.keys() <= FIELDS for lead in leads)
    for name in ("current_stage", "owner", "score"):
        assert any(name in lead and lead[name] is None for lead in leads)
        assert any(name not in lead for lead in leads)


def test_a_page_has_20_leads_by_default_and_tells_its_place(mega: httpx.Client) -> None:
    page = ask(mega)
    assert len(page["leads"]) == page["limit"] == 20
    assert page["offset"] == 0


def test_the_default_order_is_the_time_of_the_latest_change(mega: httpx.Client) -> None:
    keys = [(lead["updated_at"], lead["id"]) for lead in everything(mega)]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "ten"},
        {"limit": ""},
        {"offset": "-1"},
        {"sort_by": "score"},
        {"sort_dir": "up"},
        {"lead_line": "renter"},
        {"stageId": "new"},
        {"include_custom_fields": "yes"},
        {"updated_since": "yesterday"},
        {"updated_since": "2026-01-01T00:00:00"},
        {"created_since": "2026-13-01T00:00:00Z"},
        {"cursor": "nonsense"},
        {"cursor": "é"},
        {"cursor": ""},
    ],
)
def test_a_value_outside_its_bounds_is_refused(mega: httpx.Client, params: dict[str, str]) -> None:
    answer = mega.get(MEGA_LEADS, params=params)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", 400)
    assert next(iter(params)) in error["message"]


@pytest.mark.parametrize(
    "other",
    [
        {"sort_by": "created_at", "sort_dir": "asc"},
        {"sort_by": "updated_at", "sort_dir": "desc"},
        {"sort_by": "last_interaction_at", "sort_dir": "asc"},
    ],
)
def test_a_cursor_is_refused_under_another_sort(mega: httpx.Client, other: dict[str, str]) -> None:
    cursor = ask(mega, sort_by="updated_at", sort_dir="asc")["next_cursor"]
    assert mega.get(MEGA_LEADS, params={**other, "cursor": cursor}).status_code == 400


def test_no_cursor_is_offered_when_sorting_by_interaction(mega: httpx.Client) -> None:
    page = ask(mega, sort_by="last_interaction_at", sort_dir="desc", limit=100)
    times = [lead.get("last_interaction_at") for lead in page["leads"]]
    spoken = [time for time in times if time]
    assert page["next_cursor"] is None
    assert spoken == sorted(spoken, reverse=True)
    assert spoken == times[: len(spoken)]


@pytest.mark.parametrize(
    ("parameter", "field"), [("updated_since", "updated_at"), ("created_since", "created_at")]
)
@pytest.mark.parametrize("sort", ["updated_at", "created_at"])
def test_since_includes_the_very_moment(
    sandbox: Sandbox, mega: httpx.Client, parameter: str, field: str, sort: str
) -> None:
    times = sorted(lead[field] for lead in sandbox.mega.store)
    moment = times[len(times) // 2]
    found = everything(mega, sort_by=sort, **{parameter: moment})
    assert len(found) == len([time for time in times if time >= moment])
    assert min(lead[field] for lead in found) == moment
    assert ask(mega, sort_by=sort, **{parameter: moment})["total"] == len(found)


def test_total_counts_what_matches_whatever_cursor_and_offset(mega: httpx.Client) -> None:
    first = ask(mega, status="active", limit=10)
    second = ask(mega, status="active", limit=10, cursor=first["next_cursor"])
    skipped = ask(mega, status="active", limit=10, offset=10)
    assert first["total"] == second["total"] == skipped["total"]
    assert first["total"] == len(everything(mega, status="active"))
    assert skipped["leads"] == second["leads"]


def test_filters_narrow_the_list(sandbox: Sandbox, mega: httpx.Client) -> None:
    def stage_of(lead: dict[str, Any]) -> Any:
        return (lead.get("current_stage") or {}).get("id")

    records = list(sandbox.mega.store)
    stage_id = STAGES[2]["id"]
    lines = [(record.get("custom_fields") or {}).get("lead_line") for record in records]
    assert len(everything(mega, status="won")) == len([r for r in records if r["status"] == "won"])
    assert len(everything(mega, stageId=stage_id)) == len(
        [record for record in records if stage_of(record) == stage_id]
    )
    assert len(everything(mega, lead_line="seller")) == lines.count("seller")
    assert everything(mega, status="a status that nobody has") == []


@pytest.mark.parametrize("text", ["jane buyer 7", "JANE7@EXAMPLE.COM", "(206) 555-0177", "5550177"])
def test_search_looks_at_name_mail_and_the_digits_of_the_phone(empty: Sandbox, text: str) -> None:
    empty.mega.store.put(mega_lead(1))
    empty.mega.store.put(mega_lead(7, contact_phone="+1 206.555.0177"))
    with client_of(empty, "mega") as client:
        assert [lead["contact_name"] for lead in everything(client, search=text)] == [
            "Jane Buyer 7"
        ]


def test_custom_fields_come_only_when_asked_for_and_are_scalars(mega: httpx.Client) -> None:
    without = everything(mega)
    with_them = everything(mega, include_custom_fields="true")
    values = [value for lead in with_them for value in lead["custom_fields"].values()]
    assert not any("custom_fields" in lead for lead in without)
    assert {type(value) for value in values} >= {str, int, bool, float, type(None)}
    assert not any(isinstance(value, dict | list) for value in values)


def test_leads_of_the_same_millisecond_are_neither_lost_nor_repeated(empty: Sandbox) -> None:
    for number in range(25):
        empty.mega.store.put(mega_lead(number))
    with client_of(empty, "mega") as client:
        page = ask(client, limit=10)
        ids = [lead["id"] for lead in page["leads"]]
        while page["next_cursor"]:
            page = ask(client, limit=10, cursor=page["next_cursor"])
            ids += [lead["id"] for lead in page["leads"]]
    assert len(ids) == len(set(ids)) == 25


def test_a_lead_that_changes_during_a_crawl_moves_to_its_end(empty: Sandbox) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(6):
        empty.mega.store.put(mega_lead(number, begin + timedelta(hours=number)))
    with client_of(empty, "mega") as client:
        first = ask(client, limit=3)
        empty.mega.store.put(mega_lead(0, begin, begin + timedelta(days=1)))
        second = ask(client, limit=10, cursor=first["next_cursor"])
    names = [lead["contact_name"] for lead in [*first["leads"], *second["leads"]]]
    assert names == [f"Jane Buyer {number}" for number in (0, 1, 2, 3, 4, 5, 0)]


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"Authorization": ""}, 401, "authentication_error"),
        ({"Authorization": "Bearer mega_unknown"}, 401, "authentication_error"),
        ({"Authorization": f"Basic {tenants.MEGA_TOKEN}"}, 401, "authentication_error"),
        ({"x-customer-id": ""}, 401, "authentication_error"),
        ({"x-customer-id": "7"}, 401, "authentication_error"),
        (
            {"x-customer-id": "00000000-0000-4000-8000-000000000000"},
            403,
            "authorization_error",
        ),
    ],
)
def test_keys_and_customers_are_checked(
    mega: httpx.Client, headers: dict[str, str], status: int, kind: str
) -> None:
    answer = mega.get(MEGA_LEADS, headers=headers)
    assert answer.status_code == status
    assert (answer.json()["error"]["type"], answer.json()["error"]["code"]) == (kind, status)
    assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= set(answer.headers)


def test_a_key_without_the_scope_is_refused(empty: Sandbox) -> None:
    empty.mega.scopes.clear()
    with client_of(empty, "mega") as client:
        assert client.get(MEGA_LEADS).status_code == 403


def test_other_paths_do_not_exist(mega: httpx.Client) -> None:
    answer = mega.get("/api/agents/crm/pipelines")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")
