"""Access tokens that expire: got once, renewed in time, and never shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import httpx
import pytest

from lead_pipeline.errors import AccessRefused, RetryableError
from lead_pipeline.providers import authentication
from lead_pipeline.providers.authentication import ExpiringToken
from lead_pipeline.sandbox.faults import Fault
from lead_pipeline.settings import Settings
from lead_pipeline_tests.fourth_provider.imitation import CLIENT, SEARCH, TOKEN, DealsImitation
from lead_pipeline_tests.pulling import QUICK, at, days, landed_ids, pull

pytestmark = pytest.mark.usefixtures("deals_installed")


@pytest.fixture
def api() -> Iterator[DealsImitation]:
    with DealsImitation.start() as running:
        yield running


def paths(api: DealsImitation) -> list[tuple[str, int | None]]:
    """The requests so far: (path, status)."""
    return [(request.path, request.status) for request in api.server.requests]


def test_one_token_serves_all_pages_of_a_crawl(api: DealsImitation, settings: Settings) -> None:
    api.put_many(450, at(2))
    pull(settings, api.account, days(2))
    assert paths(api) == [(TOKEN, 200), *[(SEARCH, 200)] * 3]


def test_token_about_to_expire_is_renewed_before_it_is_refused(
    api: DealsImitation, settings: Settings
) -> None:
    api.put_many(450, at(2))
    api.api.token_seconds = authentication.RENEW_SECONDS
    pull(settings, api.account, days(2))
    assert {status for _, status in paths(api)} == {200}
    assert [path for path, _ in paths(api)] == [TOKEN, SEARCH] * 3


def test_token_revoked_in_the_middle_of_a_crawl_is_replaced(
    api: DealsImitation, settings: Settings
) -> None:
    api.put_many(450, at(2))

    def revoke(request: object) -> None:
        if len(api.server.requests) == 2:
            api.api.tokens.clear()

    api.server.before_request.append(revoke)
    commit = pull(settings, api.account, days(2))
    assert paths(api)[2:5] == [(SEARCH, 401), (TOKEN, 200), (SEARCH, 200)]
    assert (commit.complete, len(landed_ids(settings, "deals"))) == (True, 450)


def test_credentials_that_get_no_token_are_refused_without_being_shown(
    api: DealsImitation, settings: Settings
) -> None:
    wrong = dataclasses.replace(api.account, credentials={**CLIENT, "client_secret": "hush-hush"})
    with pytest.raises(AccessRefused) as failure:
        pull(settings, wrong, days(2))
    assert "/oauth/token gave no access token (401)" in str(failure.value)
    assert "hush-hush" not in str(failure.value)
    assert paths(api) == [(TOKEN, 401)]


def test_token_request_that_fails_for_a_moment_is_made_again(
    api: DealsImitation, settings: Settings
) -> None:
    api.put(1, at(2))
    api.server.faults.add(Fault("status", status=503, path_contains=TOKEN))
    assert pull(settings, api.account, days(2)).complete


def test_token_request_that_keeps_failing_can_be_retried_later(
    api: DealsImitation, settings: Settings
) -> None:
    api.server.faults.add(Fault("status", status=500, times=100, path_contains=TOKEN))
    with pytest.raises(RetryableError, match="500 from the token request"):
        pull(settings, api.account, days(2))
    assert len(paths(api)) == QUICK.retry.attempts


def test_answer_without_a_token_is_no_success(api: DealsImitation, settings: Settings) -> None:
    api.server.faults.add(Fault("html_page", times=100, path_contains=TOKEN))
    with pytest.raises(RetryableError, match="an answer to the token request that is none"):
        pull(settings, api.account, days(2))


def test_token_whose_lifetime_is_not_told_is_kept_until_it_is_refused() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"access_token": "t"})

    auth = ExpiringToken("https://acme.example/token", {"grant_type": "client_credentials"})
    with httpx.Client(transport=httpx.MockTransport(answer), auth=auth) as client:
        for _ in range(2):
            client.get("https://acme.example/deals")
    assert asked == ["/token", "/deals", "/deals"]
