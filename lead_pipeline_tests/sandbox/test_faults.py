"""Every fault, as a client meets it, and that a fault on records loses no good one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from lead_pipeline.sandbox import FOREVER, Fault, Sandbox, World, tenants
from lead_pipeline.sandbox.examples import (
    expert_ai_labs_lead,
    lead_id,
    mega_lead,
    vorel_lead,
)
from lead_pipeline.sandbox.fault_kinds import KINDS
from lead_pipeline.sandbox.server import ApiServer
from lead_pipeline_tests.sandbox.clients import LISTS, client_of

PROVIDERS = ["mega", "expert_ai_labs", "vorel"]
LEADS_IN_STORE = 25


class Api:
    """One API with 25 leads, asked ten at a time in its usual order."""

    def __init__(self, sandbox: Sandbox, provider: str, client: httpx.Client) -> None:
        self.provider = provider
        self.client = client
        self.key = "leads" if provider == "mega" else "data"
        self.server: ApiServer[Any] = getattr(sandbox, provider)

    def fail(self, kind: str, **details: Any) -> None:
        self.server.faults.add(Fault(kind, **details))

    def ask(self, cursor: str | None = None) -> httpx.Response:
        params = {"limit": "10"} | ({} if cursor is None else {"cursor": cursor})
        return self.client.get(LISTS[self.provider], params=params)

    def crawl(self, pages: int = 20) -> list[dict[str, Any]]:
        """The pages until the end, or so many of them."""
        found = [self.ask().json()]
        while found[-1]["next_cursor"] is not None and len(found) < pages:
            found.append(self.ask(found[-1]["next_cursor"]).json())
        return found

    def ids(self, page: dict[str, Any]) -> list[str]:
        return [record["id"] for record in page[self.key]]


@pytest.fixture(params=PROVIDERS)
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    yield from served(request.param)


@pytest.fixture
def mega() -> Iterator[Api]:
    yield from served("mega")


def served(provider: str) -> Iterator[Api]:
    with Sandbox(World.empty()) as sandbox, client_of(sandbox, provider) as client:
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        for number in range(LEADS_IN_STORE):
            at = begin + timedelta(hours=number)
            sandbox.mega.store.put(mega_lead(number, at))
            sandbox.expert_ai_labs.store.put(expert_ai_labs_lead(number, at))
            sandbox.vorel.store.put(vorel_lead(number, at))
        yield Api(sandbox, provider, client)


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_status_comes_in_the_providers_envelope(api: Api, status: int) -> None:
    api.fail("status", status=status)
    answer = api.ask()
    assert answer.status_code == status
    assert "message" in answer.json()["error"]
    assert api.ask().status_code == 200


def test_a_bad_gateway_speaks_html(api: Api) -> None:
    api.fail("status", status=502)
    answer = api.ask()
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")


def test_a_fault_hits_the_requests_it_was_planned_for(api: Api) -> None:
    api.ask()
    api.fail("status", at=2, times=2)
    assert [api.ask().status_code for _ in range(5)] == [200, 500, 500, 200, 200]


def test_a_fault_can_be_bound_to_a_path(api: Api) -> None:
    api.fail("status", path_contains="no such path")
    assert api.ask().status_code == 200


def test_faults_can_follow_each_other_and_be_cleared(api: Api) -> None:
    api.fail("status", at=1, status=500)
    api.fail("status", at=2, status=503, times=FOREVER)
    assert [api.ask().status_code for _ in range(3)] == [500, 503, 503]
    api.server.faults.clear()
    assert api.ask().status_code == 200


def test_too_many_requests_can_tell_seconds(api: Api) -> None:
    api.fail("too_many_requests", retry_after=7)
    answer = api.ask()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_too_many_requests_can_tell_a_date(api: Api) -> None:
    api.fail("too_many_requests_with_date", retry_after=30)
    answer = api.ask()
    until = parsedate_to_datetime(answer.headers["retry-after"])
    assert answer.status_code == 429
    # By the server's own clock.
    assert (until - parsedate_to_datetime(answer.headers["date"])).total_seconds() == 30


def test_too_many_requests_can_tell_nothing(api: Api) -> None:
    api.fail("too_many_requests_without_retry_after")
    answer = api.ask()
    assert answer.status_code == 429
    assert "retry-after" not in answer.headers


def test_too_many_requests_can_state_anything(api: Api) -> None:
    api.fail("too_many_requests_with_headers", headers={"Retry-After": "1e18"})
    answer = api.ask()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1e18")


def test_a_connection_can_be_reset_before_any_answer(api: Api) -> None:
    api.fail("reset_before_answer")
    with pytest.raises(httpx.ReadError):
        api.ask()
    assert api.server.requests[-1].status is None
    assert api.ask().status_code == 200


def test_a_connection_can_be_reset_in_the_body(api: Api) -> None:
    api.fail("reset_in_body")
    # A reset may overtake the bytes before it, or arrive after them.
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        api.ask()
    assert api.ask().status_code == 200


def test_a_connection_can_be_closed_in_the_body(api: Api) -> None:
    api.fail("closed_in_body")
    with pytest.raises(httpx.RemoteProtocolError):
        api.ask()


def test_json_can_be_cut_off_with_a_matching_length(api: Api) -> None:
    api.fail("truncated_json")
    answer = api.ask()
    assert int(answer.headers["content-length"]) == len(answer.content)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_page_can_be_html(api: Api) -> None:
    api.fail("html_page")
    answer = api.ask()
    assert answer.status_code == 200
    assert answer.text.startswith("<!DOCTYPE html>")


def test_json_can_come_as_plain_text(api: Api) -> None:
    api.fail("wrong_content_type")
    answer = api.ask()
    assert answer.headers["content-type"] == "text/plain"
    assert len(api.ids(answer.json())) == 10


def test_a_body_can_drip(mega: Api) -> None:
    mega.fail("slow_body", delay=0.02, chunk=1000)
    begin = time.perf_counter()
    answer = mega.ask()
    assert time.perf_counter() - begin >= 0.02 * (len(answer.content) // 1000)
    assert len(mega.ids(answer.json())) == 10


def test_a_dripping_body_does_not_hold_up_the_end(mega: Api) -> None:
    mega.fail("slow_body", delay=3600)
    with pytest.raises(httpx.ReadTimeout):
        mega.client.get(LISTS["mega"], timeout=0.2)


def test_a_page_can_come_twice_in_place_of_the_next(api: Api) -> None:
    whole = api.crawl()
    api.fail("duplicate_page", at=2)
    pages = api.crawl()
    assert api.ids(pages[1]) == api.ids(pages[0])
    assert pages[1]["next_cursor"] == whole[1]["next_cursor"]
    assert api.ids(pages[2]) == api.ids(whole[2])


def test_records_can_come_twice_without_any_being_lost(api: Api) -> None:
    api.fail("repeated_records", at=2)
    ids = [one for page in api.crawl() for one in api.ids(page)]
    assert (len(ids), len(set(ids))) == (35, 25)


def test_a_cursor_can_be_refused(api: Api) -> None:
    api.fail("refused_cursor", at=2)
    cursor = api.ask().json()["next_cursor"]
    assert api.ask(cursor).status_code == 400
    assert api.ask(cursor).status_code == 200


def test_a_cursor_can_lead_to_itself(api: Api) -> None:
    api.fail("looping_cursor", at=2, times=FOREVER)
    cursors = [page["next_cursor"] for page in api.crawl(4)]
    assert len(set(cursors)) == 1


def test_cursors_can_lead_to_each_other(api: Api) -> None:
    api.fail("alternating_cursor", at=3)
    first, second, third, *_ = [page["next_cursor"] for page in api.crawl(4)]
    assert first == third != second


def test_empty_pages_can_go_on_with_cursors_never_seen(api: Api) -> None:
    api.fail("empty_pages", at=2, times=FOREVER)
    pages = api.crawl(6)
    assert [len(api.ids(page)) for page in pages] == [10, 0, 0, 0, 0, 0]
    assert len({page["next_cursor"] for page in pages}) == 6
    assert all(page.get("has_more", True) for page in pages)


# How each kind of bad record looks to a client.
BAD_RECORDS: dict[str, Callable[[Any], bool]] = {
    "null_record": lambda bad: bad is None,
    "missing_id": lambda bad: "id" not in bad and "created_at" in bad,
    "malformed_updated_at": lambda bad: bad["updated_at"] == "not a time",
    "wrong_type": lambda bad: {"unexpected": True} in bad.values(),
    "huge_record": lambda bad: len(bad["notes"]) == 5_000_000,
}


@pytest.mark.parametrize("kind", list(BAD_RECORDS))
def test_a_bad_record_is_one_more_and_every_good_one_is_there(api: Api, kind: str) -> None:
    api.fail(kind, at=2)
    pages = api.crawl()
    records = [record for page in pages for record in page[api.key]]
    good = {lead_id(number) for number in range(LEADS_IN_STORE)}
    assert [len(page[api.key]) for page in pages] == [10, 11, 5]
    assert good <= {record["id"] for record in records if record and "id" in record}
    (bad,) = [record for record in records if not record or record.get("id") not in good]
    assert BAD_RECORDS[kind](bad)


def test_the_field_the_value_and_the_place_of_a_bad_record_can_be_chosen(mega: Api) -> None:
    mega.fail("wrong_type", field="contact_email", value=7, position=0)
    assert mega.ask().json()["leads"][0]["contact_email"] == 7


@pytest.mark.parametrize(
    ("provider", "field", "own"),
    [
        ("mega", "customer_id", tenants.MEGA_CUSTOMER_ID),
        ("expert_ai_labs", "organization_id", tenants.EXPERT_AI_LABS_ORGANIZATION_ID),
    ],
)
def test_a_record_of_another_tenant_can_slip_in(provider: str, field: str, own: str) -> None:
    for api in served(provider):
        api.fail("foreign_tenant")
        records = api.ask().json()[api.key]
        assert [record[field] == own for record in records].count(False) == 1


def test_vorel_has_no_tenant_in_its_records() -> None:
    for api in served("vorel"):
        with pytest.raises(ValueError, match="tenant"):
            api.fail("foreign_tenant")


def test_an_unknown_fault_names_those_that_exist(mega: Api) -> None:
    with pytest.raises(ValueError, match="reset_in_body"):
        mega.fail("earthquake")


def test_requests_that_the_limits_refuse_do_not_use_up_a_fault(mega: Api) -> None:
    for _ in range(60):
        mega.ask()
    mega.fail("status", status=503)
    assert mega.ask().status_code == 429
    mega.server.limits.windows[0].requests = 61  # type: ignore[attr-defined]
    assert mega.ask().status_code == 503


def test_limit_headers_stay_on_damaged_answers(mega: Api) -> None:
    mega.fail("status", status=503)
    assert mega.ask().headers["ratelimit-remaining"] == "59"


def test_every_kind_leaves_other_answers_alone(api: Api) -> None:
    """A fault on pages that meets an error, or an empty list, passes it on or replaces it."""
    for kind in KINDS:
        if kind == "foreign_tenant" and api.provider == "vorel":
            continue
        api.fail(kind, delay=0.0, path_contains="nothing")
    for _ in KINDS:
        try:
            answer = api.client.get("/api/v1/leads/nothing")
        except httpx.TransportError:
            continue
        assert answer.status_code in (200, 400, 404, 429, 500)
