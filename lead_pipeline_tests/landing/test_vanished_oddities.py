"""Whatever happens while vanished leads are looked for, nobody is said to have vanished who has not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.sandbox.examples import lead_id, mega_lead
from lead_pipeline.sandbox.faults import FOREVER, Fault
from lead_pipeline.sandbox.messages import Record, Request, Response, iso
from lead_pipeline.windows import ONE_DAY
from lead_pipeline_tests.landing.children import Nursery, order_of
from lead_pipeline_tests.landing.vanishing import Business, business, spread
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.pulling import commits

LEADS = 600


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Business]:
    """Six hundred leads, all landed the night before; each day at four, twelve and twenty."""
    # An API that counts whole days shows it only in the middle of one.
    evening = datetime.now(UTC).replace(hour=20, minute=0, second=0)
    with business(tmp_path / "home", spread(LEADS, evening)) as found:
        yield found


# Leads that live on --------------------------------------------------------------------------


@dataclass(frozen=True)
class Happening:
    """What happens before the request of this number of a night, counted from 1."""

    before_request: int
    kind: str
    lead: int


_happenings = st.lists(
    st.builds(
        Happening,
        st.integers(1, 30),
        st.sampled_from(("create", "change", "vanish", "import")),
        st.integers(0, LEADS - 1),
    ),
    max_size=25,
)


@examples(5)
@given(st.sets(st.integers(0, LEADS - 1), max_size=9), _happenings)
def test_all_that_vanished_before_a_night_and_only_what_vanished_is_found(
    before: set[int], happenings: list[Happening]
) -> None:
    with tempfile.TemporaryDirectory() as home, business(Path(home), spread(LEADS)) as shop:
        gone = set(shop.delete(before))
        imported = 0

        def happen(request: int) -> None:
            nonlocal imported
            for number, each in enumerate(happenings):
                if each.before_request != request:
                    continue
                if each.kind == "create":
                    shop.create(LEADS + number)
                elif each.kind == "change":
                    shop.change(each.lead)
                elif each.kind == "import":
                    # As of long ago, but only now.
                    created = shop.times[each.lead] + timedelta(seconds=1)
                    shop.store.put(mega_lead(9_000 + number, created, datetime.now(UTC)))
                    imported += 1
                elif shop.store.get(lead_id(each.lead)) is not None:
                    gone.update(shop.delete([each.lead]))

        with shop.at_each_request(happen):
            shop.night()
        found = {lead.lead_id for search in shop.searches for lead in search.vanished}
        assert found <= gone
        # What was imported since the crawl may cancel out what vanished.
        if not imported:
            assert {lead_id(lead) for lead in before} <= found


def test_leads_that_vanish_during_the_search_are_found_with_those_before(shop: Business) -> None:
    gone = shop.delete([10, 300])

    def vanish(request: int) -> None:
        if request in (5, 9, 14):
            gone.extend(shop.delete([20 + request, 580 + request]))

    with shop.at_each_request(vanish):
        assert shop.found() == sorted(gone)


# APIs that count in ways of their own --------------------------------------------------------

Answer = Callable[[Request], Response]


def without_filter(request: Request, answer: Answer) -> Response:
    """`created_since` does nothing."""
    return answer(_asking(request, created_since=None))


def total_of_all(request: Request, answer: Answer) -> Response:
    """The total does not know of the filter."""
    total = answer(_asking(request, created_since=None)).json()["total"]
    return _saying(answer(request), total=total)


def without_total(request: Request, answer: Answer) -> Response:
    """No total at all."""
    envelope = answer(request).json()
    del envelope["total"]
    return Response(200, msgspec.json.encode(envelope))


def negative_total(request: Request, answer: Answer) -> Response:
    """As some say for "unknown"."""
    return _saying(answer(request), total=-1)


def total_in_words(request: Request, answer: Answer) -> Response:
    """A text in place of a number."""
    return _saying(answer(request), total="many")


def total_of_the_page(request: Request, answer: Answer) -> Response:
    """The total is what the page holds."""
    envelope = answer(request).json()
    return _saying(answer(request), total=len(envelope["leads"]))


def total_up_to_100(request: Request, answer: Answer) -> Response:
    """Counting stops at a hundred."""
    return _saying(answer(request), total=min(100, answer(request).json()["total"]))


def days_only(request: Request, answer: Answer) -> Response:
    """Of `created_since`, only the day counts."""
    day = request.query["created_since"][:10]
    return answer(_asking(request, created_since=f"{day}T00:00:00Z"))


def not_sortable(request: Request, answer: Answer) -> Response:
    """Always sorted by the last update."""
    return answer(_asking(request, sort_by="updated_at", sort_dir="asc"))


def refused(request: Request, answer: Answer) -> Response:
    """The filter is not allowed."""
    return Response(400, b'{"error": {"message": "no"}}')


def forbidden(request: Request, answer: Answer) -> Response:
    """The key may not do that."""
    return Response(403, b'{"error": {"message": "no"}}')


def broken(request: Request, answer: Answer) -> Response:
    """Nothing but errors."""
    return Response(500, b"oops")


ODD = (
    without_filter,
    total_of_all,
    without_total,
    negative_total,
    total_in_words,
    total_of_the_page,
    total_up_to_100,
    days_only,
    not_sortable,
    refused,
    forbidden,
    broken,
)


@pytest.mark.parametrize("odd", ODD)
def test_an_api_that_counts_otherwise_makes_nobody_missing_and_fails_no_crawl(
    shop: Business, odd: Callable[[Request, Answer], Response]
) -> None:
    shop.store.put(mega_lead(5, shop.times[5], shop.now - ONE_DAY, status="won"))
    shop.api.serving = lambda request, answer: (
        odd(request, answer) if "created_since" in request.query else answer(request)
    )
    assert shop.night().complete
    [search] = shop.searches
    assert search.vanished == []
    assert not search.full_crawl_follows


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (without_filter, "it lists leads that were created before the moment asked for"),
        (total_of_all, "its total is not the number of leads that it lists"),
        (without_total, "it does not say how many leads there are"),
        (total_of_the_page, "its total is that of a page"),
        (days_only, "it lists leads that were created before the moment asked for"),
    ],
)
def test_it_says_in_what_the_api_counts_otherwise(
    shop: Business, odd: Callable[[Request, Answer], Response], reason: str
) -> None:
    shop.delete([5])
    shop.api.serving = lambda request, answer: (
        odd(request, answer) if "created_since" in request.query else answer(request)
    )
    search = shop.search()
    assert search.outcome == "not_evaluated"
    assert search.reason == f"the API does not count as its documents say: {reason}"


def exclusive(request: Request, answer: Answer) -> Response:
    """`created_since` does not include the moment itself."""
    since = datetime.fromisoformat(request.query["created_since"]) + timedelta(milliseconds=1)
    return answer(_asking(request, created_since=iso(since)))


@pytest.mark.parametrize("seconds", [86_400, 1])
def test_whether_a_moment_belongs_to_since_makes_no_difference(
    tmp_path: Path, seconds: int
) -> None:
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(days=700)
    times = [first + timedelta(seconds=seconds * number) for number in range(LEADS)]
    with business(tmp_path, times) as shop:
        gone = shop.delete([0, 1, 299, 300, 599])
        shop.api.serving = lambda request, answer: (
            exclusive(request, answer) if "created_since" in request.query else answer(request)
        )
        assert shop.found() == gone


def test_a_list_that_leaves_somebody_out_once_makes_nobody_missing(shop: Business) -> None:
    gone = shop.delete([100])
    left_out: set[str] = set()

    def flaky(request: Request, answer: Answer) -> Response:
        response = answer(request)
        leads = response.json()["leads"]
        if "created_since" not in request.query or len(leads) < 50 or left_out:
            return response
        left_out.add(leads[3]["id"])
        return _saying(response, leads=leads[:3] + leads[4:])

    shop.api.serving = flaky
    assert shop.found() == gone
    assert left_out


def test_a_lead_under_another_time_of_creation_has_not_vanished(shop: Business) -> None:
    lead = shop.store.get(lead_id(100))
    assert lead is not None
    shop.store.put({**lead, "created_at": iso(shop.times[400] + timedelta(seconds=1))})
    assert shop.found() == []


def test_leads_that_never_landed_are_expected_by_the_next_night(shop: Business) -> None:
    """They have no usable time of update, so that no crawl can file them."""
    put_unusable(shop, [50, 350])
    first = shop.search()
    assert (first.outcome, first.vanished, len(first.unheld)) == ("agreed", [], 2)
    gone = shop.delete([51])
    spent = len(shop.server.requests)
    assert shop.found() == gone
    assert len(shop.server.requests) - spent < 40


def put_unusable(shop: Business, beside: list[int]) -> None:
    """A lead created a second after each of these, served in lists by creation alone."""
    unusable: list[Record] = [
        mega_lead(8_000 + number, shop.times[number] + timedelta(seconds=1)) for number in beside
    ]
    shop.store.put_all(unusable)
    ids = {lead["id"] for lead in unusable}

    def serve(request: Request, answer: Answer) -> Response:
        response = answer(request)
        leads = response.json()["leads"]
        spoilt = [{**x, "updated_at": "never"} if x["id"] in ids else x for x in leads]
        return _saying(response, leads=spoilt)

    shop.api.serving = serve


def test_days_that_have_not_landed_are_left_out(tmp_path: Path) -> None:
    """Leads of the days between the first crawl and last night are not held: none is missed."""
    with business(tmp_path, spread(LEADS)) as shop:
        _land_earlier(shop, days=6)
        shop.store.put_all(
            mega_lead(LEADS + hour, shop.now - timedelta(days=5, hours=hour)) for hour in range(30)
        )
        gone = shop.delete([100, 400])
        assert shop.found() == gone
        assert shop.searches[-1].unheld == []


def _land_earlier(shop: Business, days: int) -> None:
    """As if the first crawl had been so many days before."""
    [record] = commits(shop.settings, "mega")
    ago = timedelta(days=days)
    earlier = msgspec.structs.replace(
        record,
        window=msgspec.structs.replace(record.window, end=record.window.end - ago),
        started_at=record.started_at - ago,
        served_from=record.started_at - ago,
        finished_at=record.started_at - ago,
    )
    path = shop.settings.landing_path / "mega" / "_crawls" / f"{record.crawl_id}.json"
    path.write_bytes(msgspec.json.encode(earlier))


# Quotas, refusals, kills ---------------------------------------------------------------------


def test_a_429_in_the_middle_delays_the_search(shop: Business) -> None:
    gone = shop.delete([10, 300])
    shop.server.faults.add(Fault("too_many_requests", at=6, times=2, retry_after=1))
    assert shop.found() == gone


def test_errors_in_the_middle_end_the_search_and_not_the_run(shop: Business) -> None:
    shop.delete([10, 300])
    shop.server.faults.add(Fault("status", at=6, times=FOREVER, status=503))
    assert shop.night().complete
    [search] = shop.searches
    assert (search.outcome, search.vanished) == ("unfinished", [])
    assert search.reason.startswith("0 vanished leads were found; then: mega/leads")


@pytest.mark.long
def test_a_search_that_was_killed_begins_again_with_the_next_run(shop: Business) -> None:
    gone = shop.delete([10, 300])
    with Nursery() as nursery:

        def kill(request: int) -> None:
            if request == 8:
                child.kill_after(0)

        with shop.at_each_request(kill):
            child = nursery.start(order_of(shop.settings.home, shop.account, shop.window))
            assert child.wait() < 0
    crawls = commits(shop.settings, "mega")
    assert [crawl.complete for crawl in crawls] == [True, True]
    assert shop.searches == []
    assert shop.found() == gone


def _asking(request: Request, **parameters: str | None) -> Request:
    query = {**request.query, **parameters}
    return replace(request, query={k: v for k, v in query.items() if v is not None})


def _saying(response: Response, **fields: Any) -> Response:
    return replace(response, body=msgspec.json.encode({**response.json(), **fields}))
