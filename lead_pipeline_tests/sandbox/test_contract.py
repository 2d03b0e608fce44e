"""The sandbox answers as the three providers document, over real HTTP."""

from __future__ import annotations

import httpx
import pytest

from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.limits import ExpertAiLabsLimits
from lead_pipeline_tests.contracts import PROVIDERS, assert_answer_conforms, assert_conforms
from lead_pipeline_tests.sandbox.clients import EVENTS, LEADS, LISTS, MEGA_LEADS, client_of


def all_pages(
    provider: str, client: httpx.Client, path: str, **params: str | int
) -> list[httpx.Response]:
    """Every page of a list, each checked against the contract."""
    pages = [client.get(path, params=params)]
    assert_conforms(provider, pages[0])
    while (cursor := pages[-1].json()["next_cursor"]) is not None:
        pages.append(client.get(path, params={**params, "cursor": cursor}))
        assert_conforms(provider, pages[-1])
    return pages


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["created_at", "updated_at"])
def test_mega_pages_conform_and_show_every_lead_once(
    sandbox: Sandbox, mega: httpx.Client, sort: str, direction: str
) -> None:
    pages = all_pages(
        "mega",
        mega,
        MEGA_LEADS,
        sort_by=sort,
        sort_dir=direction,
        limit=37,
        include_custom_fields="true",
    )
    ids = [lead["id"] for page in pages for lead in page.json()["leads"]]
    assert len(pages) > 10
    assert len(ids) == len(set(ids)) == len(sandbox.mega.store)


def test_mega_conforms_without_custom_fields(mega: httpx.Client) -> None:
    (page, *_) = all_pages("mega", mega, MEGA_LEADS, limit=100)
    assert all("custom_fields" not in lead for lead in page.json()["leads"])


def test_expert_ai_labs_pages_conform_and_show_every_lead_once(
    sandbox: Sandbox, expert_ai_labs: httpx.Client
) -> None:
    pages = all_pages("expert_ai_labs", expert_ai_labs, LEADS, limit=41)
    ids = [lead["id"] for page in pages for lead in page.json()["data"]]
    assert len(ids) == len(set(ids)) == len(sandbox.expert_ai_labs.store)


def test_expert_ai_labs_events_conform_and_are_all_there(
    sandbox: Sandbox, expert_ai_labs: httpx.Client
) -> None:
    pages = all_pages("expert_ai_labs", expert_ai_labs, EVENTS, limit=200)
    ids = [event["id"] for page in pages for event in page.json()["data"]]
    assert len(ids) == len(set(ids)) == len(sandbox.expert_ai_labs.store.events)


def test_expert_ai_labs_single_records_conform(expert_ai_labs: httpx.Client) -> None:
    assert_conforms("expert_ai_labs", expert_ai_labs.get("/api/v1/health"))
    for path in (LEADS, EVENTS):
        listed = expert_ai_labs.get(path, params={"limit": 1}).json()["data"][0]
        assert_conforms("expert_ai_labs", expert_ai_labs.get(f"{path}/{listed['id']}"))
        missing = expert_ai_labs.get(f"{path}/00000000-0000-4000-8000-000000000000")
        assert missing.status_code == 404
        assert_conforms("expert_ai_labs", missing)


def test_vorel_pages_conform_and_show_every_lead_once(
    sandbox: Sandbox, vorel: httpx.Client
) -> None:
    pages = all_pages("vorel", vorel, LEADS, limit=100)
    ids = [lead["id"] for page in pages for lead in page.json()["data"]]
    assert len(ids) == len(set(ids)) == len(sandbox.vorel.store)
    assert [page.json()["has_more"] for page in pages] == [True] * (len(pages) - 1) + [False]


def test_vorel_stale_leads_and_single_leads_conform(vorel: httpx.Client) -> None:
    (page, *_) = all_pages("vorel", vorel, LEADS, stale_for_days=7)
    lead = page.json()["data"][0]
    single = vorel.get(f"{LEADS}/{lead['id']}")
    assert_conforms("vorel", single)
    assert single.json() == lead
    missing = vorel.get(f"{LEADS}/00000000-0000-4000-8000-000000000000")
    assert missing.status_code == 404
    assert_conforms("vorel", missing)


@pytest.mark.parametrize(
    ("provider", "path", "params"),
    [
        ("mega", MEGA_LEADS, {"limit": "101"}),
        ("expert_ai_labs", LEADS, {"limit": "201"}),
        ("expert_ai_labs", EVENTS, {"start_at": "yesterday"}),
        ("vorel", LEADS, {"stale_for_days": "366"}),
    ],
)
def test_refusals_of_bad_requests_conform(
    request: pytest.FixtureRequest, provider: str, path: str, params: dict[str, str]
) -> None:
    client: httpx.Client = request.getfixturevalue(provider)
    answer = client.get(path, params=params)
    assert answer.status_code == 400
    assert_answer_conforms(provider, answer)
    with pytest.raises(AssertionError, match="does not conform"):
        assert_conforms(provider, answer)


@pytest.mark.parametrize(
    ("provider", "path"),
    [("mega", MEGA_LEADS), ("expert_ai_labs", LEADS), ("expert_ai_labs", EVENTS), ("vorel", LEADS)],
)
def test_refusals_of_unknown_keys_conform(
    request: pytest.FixtureRequest, provider: str, path: str
) -> None:
    client: httpx.Client = request.getfixturevalue(provider)
    answer = client.get(path, headers={"Authorization": "Bearer unknown"})
    assert answer.status_code == 401
    assert_conforms(provider, answer)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_refusals_of_keys_without_the_right_conform(provider: str) -> None:
    with Sandbox(World.empty()) as sandbox, client_of(sandbox, provider) as client:
        for server in (sandbox.mega, sandbox.expert_ai_labs, sandbox.vorel):
            server.scopes.clear()
        answer = client.get(LISTS[provider])
    assert answer.status_code == 403
    assert_conforms(provider, answer)


@pytest.mark.parametrize(
    ("provider", "allowed"), [("mega", 60), ("expert_ai_labs", 120), ("vorel", 200)]
)
def test_the_first_request_too_many_is_refused_as_documented(provider: str, allowed: int) -> None:
    with Sandbox(World.empty()) as sandbox, client_of(sandbox, provider) as client:
        sandbox.expert_ai_labs.limits = ExpertAiLabsLimits(clock=lambda: 1.0)
        answers = [client.get(LISTS[provider]) for _ in range(allowed + 1)]
    for answer in answers:
        assert_conforms(provider, answer)
    assert [answer.status_code for answer in answers] == [200] * allowed + [429]
