"""A night finds the leads that have vanished from MEGA, by counts and without a full crawl."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lead_pipeline.errors import DoubtfulCrawl
from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.landing.coverage import coverage_of, proven_windows
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.verify import verify
from lead_pipeline.sandbox.examples import lead_id, mega_lead
from lead_pipeline.sandbox.messages import Request, Response
from lead_pipeline.windows import ONE_DAY, UpdatedWindow
from lead_pipeline_tests.landing.vanishing import Business, business, spread
from lead_pipeline_tests.normalized.landings import query
from lead_pipeline_tests.pulling import commits, pull

LEADS = 1_200


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Business]:
    """Twelve hundred leads, all landed the night before."""
    with business(tmp_path / "home", spread(LEADS)) as found:
        yield found


def missing(shop: Business) -> list[str]:
    """The leads that the tables show as missing, by id."""
    load_landing(shop.settings)
    rows = query(
        shop.settings,
        "select lead_id from normalized.leads where missing_since is not null order by lead_id",
    )
    return [row["lead_id"] for row in rows]


# What is promised ----------------------------------------------------------------------------


@pytest.mark.long
def test_ten_of_200_000_are_found_in_200_requests_while_leads_are_created_and_changed(
    tmp_path: Path,
) -> None:
    count = 200_000
    chance = random.Random(20)  # noqa: S311 - which leads vanish
    with business(tmp_path, spread(count)) as shop:
        vanished = shop.delete(chance.sample(range(count), 10))

        def go_on(request: int) -> None:
            if request % 3 == 0:
                shop.create(count + request)
            if request % 5 == 0:
                shop.change(chance.randrange(count))

        with shop.at_each_request(go_on):
            window_pages = shop.night().pages
        assert [lead.lead_id for lead in shop.searches[-1].vanished] == vanished
        assert len(shop.server.requests) - window_pages <= 200


@pytest.mark.long
def test_when_too_many_have_vanished_it_says_so_and_a_full_crawl_finds_them(
    tmp_path: Path,
) -> None:
    count = 30_000
    with business(tmp_path, spread(count)) as shop:
        vanished = shop.delete(range(0, count, 15))
        search = shop.search()
        assert (search.outcome, search.vanished) == ("too_many", [])
        reason = (
            "the API counts 2,000 fewer leads than the 30,000 that are held, more than the 200 "
            "requests of a search can find"
        )
        assert search.reason == reason
        assert any(f"{reason}; a full crawl follows" in message for message in shop.told)
        full = commits(shop.settings, "mega")[-1]
        assert (full.stream, full.full, full.complete) == ("leads", True, True)
        assert missing(shop) == vanished


# What a night concludes ----------------------------------------------------------------------


def test_leads_that_vanished_are_missing_since_the_night(shop: Business) -> None:
    began_at = datetime.now(UTC)
    vanished = shop.delete([0, 17, 600, 1_199])
    shop.night()
    assert missing(shop) == vanished
    times = query(shop.settings, "select missing_since from normalized.leads")
    moments = [row["missing_since"] for row in times if row["missing_since"] is not None]
    assert all(began_at <= moment <= datetime.now(UTC) for moment in moments)


def test_a_lead_that_is_served_again_is_no_longer_missing(shop: Business) -> None:
    shop.delete([3, 5])
    shop.night()
    shop.store.put(mega_lead(3, shop.times[3], datetime.now(UTC)))
    shop.night()
    assert missing(shop) == [lead_id(5)]


def test_a_lead_that_vanishes_a_second_time_is_missing_since_then(shop: Business) -> None:
    shop.delete([3])
    shop.night()
    shop.store.put(mega_lead(3, shop.times[3], datetime.now(UTC)))
    shop.night()
    again = datetime.now(UTC)
    shop.delete([3])
    assert shop.found() == [lead_id(3)]
    assert missing(shop) == [lead_id(3)]
    [row] = query(
        shop.settings, "select missing_since from normalized.leads where missing_since is not null"
    )
    assert row["missing_since"] >= again


def test_tables_are_the_same_however_the_searches_are_loaded(shop: Business) -> None:
    load_landing(shop.settings)
    shop.delete([3, 700])
    shop.night()
    load_landing(shop.settings)
    shop.delete([4])
    shop.night()
    assert missing(shop) == [lead_id(3), lead_id(4), lead_id(700)]
    assert all(comparison.is_equal for comparison in verify(shop.settings))


def test_what_has_vanished_is_not_found_again(shop: Business) -> None:
    shop.delete([3, 700])
    assert len(shop.found()) == 2
    search = shop.search()
    assert (search.outcome, search.vanished, search.held) == ("agreed", [], LEADS - 2)


def test_counts_that_agree_cost_a_request_per_compared_range(shop: Business) -> None:
    shop.night()
    record = commits(shop.settings, "mega")[-1]
    assert record.absences is not None
    assert record.absences.outcome == "agreed"
    # Eight ranges are compared at least; the other one shows that the API counts at all.
    assert record.requests <= 17


def test_a_search_proves_no_window(shop: Business) -> None:
    shop.delete([3])
    crawl = shop.night()
    load_landing(shop.settings)
    records = commits(shop.settings, "mega")
    crawls = [record for record in records if record.absences is None]
    assert coverage_of("mega", "mega", proven_windows(records)) == coverage_of(
        "mega", "mega", proven_windows(crawls)
    )
    [row] = query(
        shop.settings, "select complete_through from normalized.coverage where account = 'mega'"
    )
    assert row["complete_through"] == crawl.proven_until


def test_leads_with_one_time_of_creation_are_told_apart_by_their_list(tmp_path: Path) -> None:
    imported = [datetime.now(UTC).replace(microsecond=0) - timedelta(days=50)] * 350
    with business(tmp_path, imported) as shop:
        assert shop.delete([7, 349]) == shop.found()


@pytest.mark.parametrize("left", [0, 1])
def test_a_handful_of_leads_may_all_have_vanished(tmp_path: Path, left: int) -> None:
    with business(tmp_path, spread(5)) as shop:
        assert shop.delete(range(left, 5)) == shop.found()


# When it does not look -----------------------------------------------------------------------


def test_nothing_is_looked_for_where_the_crawl_has_met_every_lead(tmp_path: Path) -> None:
    with business(tmp_path, []) as shop:
        shop.create(1)
        shop.night()
        assert shop.searches == []
        assert len(shop.server.requests) == 1


def test_it_does_not_follow_a_full_crawl_which_meets_all(shop: Business) -> None:
    shop.delete([3])
    pull(shop.settings, shop.account, shop.window, full=True)
    assert shop.searches == []


def test_it_does_not_follow_a_backfill_of_old_days(shop: Business) -> None:
    shop.delete([3])
    end = shop.window.end - 9 * ONE_DAY
    pull(shop.settings, shop.account, UpdatedWindow(end - ONE_DAY, end))
    assert shop.searches == []


def test_it_does_not_follow_a_crawl_of_a_day_that_goes_on(shop: Business) -> None:
    shop.delete([3])
    pull(shop.settings, shop.account, UpdatedWindow(shop.window.end, shop.window.end + ONE_DAY))
    assert shop.searches == []


def test_no_requests_allowed_switches_it_off(shop: Business) -> None:
    shop.delete([3])
    shop.with_requests(0)
    pages = shop.night().pages
    assert shop.searches == []
    assert len(shop.server.requests) == pages


# What is not believed ------------------------------------------------------------------------


def test_no_more_requests_are_sent_than_are_allowed(shop: Business) -> None:
    shop.with_requests(12)
    shop.delete(range(0, LEADS, 100))
    search = shop.search()
    assert search.outcome == "too_many"
    record = next(c for c in commits(shop.settings, "mega") if c.absences)
    assert record.requests <= 12


def test_a_second_full_crawl_does_not_follow_in_the_same_week(shop: Business) -> None:
    shop.with_requests(12)
    shop.delete(range(0, 500, 100))
    assert shop.search().full_crawl_follows
    shop.delete(range(1, 500, 100))
    search = shop.search()
    assert (search.outcome, search.full_crawl_follows) == ("too_many", False)
    assert any("lead-pipeline run --full reads all of them" in message for message in shop.told)
    assert sum(record.full for record in commits(shop.settings, "mega")) == 1


@pytest.mark.parametrize("left", [0, 500])
def test_far_fewer_leads_make_nobody_missing(shop: Business, left: int) -> None:
    shop.delete(range(left, LEADS))
    search = shop.search()
    assert search.outcome == "doubtful"
    assert search.reason == (
        f"the API counts {LEADS - left:,} fewer leads than the 1,200 that are held, which is not "
        "believed; lead-pipeline run --full reads all of them"
    )
    assert missing(shop) == []


@pytest.mark.long
def test_a_full_crawl_that_follows_is_doubted_like_any_other(shop: Business) -> None:
    """Between the search and the full crawl, the list shrinks to nothing."""
    pull(shop.settings, shop.account, UpdatedWindow(shop.window.start, shop.window.end), full=True)
    for record in commits(shop.settings, "mega"):
        if record.full:
            started_at = record.started_at - 8 * ONE_DAY
            _rewrite(shop, replace_started(record, started_at))
    shop.with_requests(12)
    shop.delete(range(0, LEADS, 100))

    def shrink(request: Request, answer: Callable[[Request], Response]) -> Response:
        if "created_since" in request.query or "updated_since" in request.query:
            return answer(request)
        return _changed(answer(request), leads=[], total=0, next_cursor=None)

    shop.api.serving = shrink
    with pytest.raises(DoubtfulCrawl, match=r"0 records came, and the list of .* had 1,200"):
        shop.night()
    assert missing(shop) == []


def replace_started(record: CommitRecord, started_at: datetime) -> CommitRecord:
    """The record of a crawl that began at another time."""
    return msgspec.structs.replace(record, started_at=started_at)


def _rewrite(shop: Business, record: CommitRecord) -> None:
    path = shop.settings.landing_path / "mega" / "_crawls" / f"{record.crawl_id}.json"
    path.write_bytes(msgspec.json.encode(record))


def _changed(response: Response, **fields: Any) -> Response:
    """The answer with other values in its envelope."""
    return replace(response, body=msgspec.json.encode({**response.json(), **fields}))
