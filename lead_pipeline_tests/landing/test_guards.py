"""Pages that lead nowhere are noticed, and pages that lead on are left alone."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.errors import PaginationStuck
from lead_pipeline.landing.guards import MAX_PAGES_WITHOUT_PROGRESS, PaginationGuard
from lead_pipeline.providers import transport
from lead_pipeline.providers.base import Account, Page
from lead_pipeline.sandbox import Request, Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import (
    EACH_PAGE,
    at,
    changed,
    days,
    landed_states,
    pull,
    pull_all,
    put_leads,
)


def page(content: str | None, next_cursor: str | None) -> Page:
    """A page with one record of that content, or none."""
    records = [] if content is None else [msgspec.Raw(f'"{content}"'.encode())]
    return Page(records, next_cursor)


def follow(guard: PaginationGuard, *pages: Page) -> None:
    """Check the pages, numbered from 1."""
    for number, one in enumerate(pages, start=1):
        guard.check(one, number)


def test_cursor_that_comes_again_at_once_is_stuck() -> None:
    with pytest.raises(PaginationStuck, match="page 2 leads back to a cursor"):
        follow(PaginationGuard(set()), page("one", "A"), page("two", "A"))


def test_cursor_that_comes_again_after_another_is_stuck() -> None:
    with pytest.raises(PaginationStuck, match="page 3 leads back to a cursor"):
        follow(PaginationGuard(set()), page("one", "A"), page("two", "B"), page("three", "A"))


def test_cursor_followed_before_a_kill_is_still_known() -> None:
    before = PaginationGuard(set())
    follow(before, page("one", "A"))

    with pytest.raises(PaginationStuck):
        follow(PaginationGuard(before.digests), page("two", "A"))


def test_message_does_not_show_the_cursor() -> None:
    with pytest.raises(PaginationStuck) as failure:
        follow(
            PaginationGuard(set()), page("one", "jane@example.com"), page("two", "jane@example.com")
        )

    assert "jane" not in str(failure.value)


def test_empty_pages_in_a_row_are_stuck() -> None:
    empty = [page(None, str(number)) for number in range(MAX_PAGES_WITHOUT_PROGRESS)]

    with pytest.raises(PaginationStuck, match="5 pages in a row up to page 5"):
        follow(PaginationGuard(set()), *empty)


def test_few_empty_pages_between_full_ones_are_not_stuck() -> None:
    pages = [page(str(n) if n % 5 == 0 else None, str(n)) for n in range(1, 50)]

    follow(PaginationGuard(set()), *pages)


def test_same_pages_again_and_again_under_new_cursors_are_stuck() -> None:
    pages = [page("AB"[number % 2], str(number)) for number in range(20)]

    with pytest.raises(PaginationStuck, match="brought no new record"):
        follow(PaginationGuard(set()), *pages)


@given(st.lists(st.text(min_size=1), unique=True, max_size=30))
def test_pages_with_cursors_and_records_of_their_own_are_never_stuck(cursors: list[str]) -> None:
    follow(
        PaginationGuard(set()),
        *(page(str(number), cursor) for number, cursor in enumerate(cursors)),
    )


def test_page_with_the_records_of_the_page_before_repeats_it() -> None:
    guard = PaginationGuard(set())
    follow(guard, page("one", "A"))

    assert guard.repeats_last(page("one", "B"))


def test_empty_page_repeats_nothing() -> None:
    guard = PaginationGuard(set())
    follow(guard, page(None, "A"))

    assert not guard.repeats_last(page(None, "B"))


def test_many_vanished_leads_in_a_row_are_no_pagination_that_is_stuck(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, "expert_ai_labs", 20, at(1))
    account = accounts["expert_ai_labs"]
    pull(settings, account, days(1))
    store = sandbox.expert_ai_labs.store
    for record in list(store):
        store.delete(record["id"])

    commit = pull(settings, account, days(1), "lead_details")

    assert (commit.complete, len(commit.missing_ids)) == (True, 20)


def test_page_over_the_size_bound_is_asked_for_again(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, "vorel", 150, at(2))
    with changed(transport, "MAX_BODY_BYTES", 10_000):

        def lift_the_bound(request: Request) -> None:
            if len(sandbox.vorel.requests) == 2:
                transport.MAX_BODY_BYTES = 10_000_000

        sandbox.vorel.before_request.append(lift_the_bound)
        commit = pull(settings, accounts["vorel"], days(2), options=EACH_PAGE)

    assert (commit.retries, len(landed_states(settings, "vorel"))) == (2, 150)


def test_pull_of_nothing_is_complete(settings: Settings, accounts: Mapping[str, Account]) -> None:
    for account in accounts.values():
        assert all(commit.complete for commit in pull_all(settings, account, days(2)))
