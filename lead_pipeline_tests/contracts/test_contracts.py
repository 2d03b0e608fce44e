"""The contract check notices what it is there for."""

from __future__ import annotations

import httpx
import pytest

from lead_pipeline.sandbox.examples import mega_lead
from lead_pipeline_tests.contracts import (
    assert_answer_conforms,
    assert_conforms,
    assert_request_conforms,
)

URL = "http://127.0.0.1:1/api/agents/crm/leads"
KEY = {
    "Authorization": "Bearer mega_0",
    "x-customer-id": "00000000-0000-4000-8000-000000000000",
}
QUOTA = {"RateLimit-Limit": "60", "RateLimit-Remaining": "59", "RateLimit-Reset": "60"}
PAGE = {"leads": [mega_lead(1)], "total": 1, "limit": 100, "offset": 0, "next_cursor": None}


def request(
    params: dict[str, str] | None = None, headers: dict[str, str] | None = None, url: str = URL
) -> httpx.Request:
    return httpx.Request("GET", url, params=params, headers=KEY if headers is None else headers)


def answer(page: object, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(
        200, json=page, headers=QUOTA if headers is None else headers, request=request()
    )


def test_a_documented_exchange_conforms() -> None:
    assert_conforms("mega", answer(PAGE))
    assert_request_conforms("mega", request({"limit": "100", "sort_by": "updated_at"}))


@pytest.mark.parametrize(
    ("params", "headers"),
    [
        ({"limit": "101"}, KEY),
        ({"sort_by": "score"}, KEY),
        ({"updated_since": "yesterday"}, KEY),
        ({"updated_until": "2026-01-01T00:00:00Z"}, KEY),
        ({}, {"Authorization": "Bearer mega_0"}),
        ({}, {"x-customer-id": KEY["x-customer-id"]}),
        ({}, {**KEY, "x-customer-id": "7"}),
    ],
)
def test_an_undocumented_request_does_not(params: dict[str, str], headers: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="GET /api/agents/crm/leads"):
        assert_request_conforms("mega", request(params, headers))


def test_an_undocumented_path_does_not() -> None:
    with pytest.raises(AssertionError, match="pipelines"):
        assert_request_conforms("mega", request(url=URL.replace("leads", "pipelines")))


@pytest.mark.parametrize(
    ("page", "headers"),
    [
        ({**PAGE, "more": 1}, QUOTA),
        ({name: PAGE[name] for name in PAGE if name != "total"}, QUOTA),
        ({**PAGE, "leads": [mega_lead(1, score="high")]}, QUOTA),
        ({**PAGE, "leads": [mega_lead(1) | {"updated_at": "2026-01-01"}]}, QUOTA),
        ({**PAGE, "leads": [mega_lead(1, custom_fields={"a": [1]})]}, QUOTA),
        ({**PAGE, "leads": [mega_lead(1, utm_campaign="spring")]}, QUOTA),
        (PAGE, {}),
        (PAGE, {**QUOTA, "Content-Type": "text/html"}),
    ],
)
def test_an_undocumented_answer_does_not(page: object, headers: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="answer 200"):
        assert_answer_conforms("mega", answer(page, headers))
