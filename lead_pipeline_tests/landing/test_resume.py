"""A crawl that is killed at any instant resumes from its checkpoint: nothing lost, nothing twice."""

from __future__ import annotations

import errno
import itertools
import random
import signal
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from lead_pipeline.errors import CrawlError, RetryableError
from lead_pipeline.landing.commits import CommitRecord, Window, save
from lead_pipeline.landing.crawl import FlushPolicy
from lead_pipeline.landing.files import FlushedFiles, write_flush
from lead_pipeline.landing.journal import Journal, JournalPage
from lead_pipeline.landing.progress import Progress
from lead_pipeline.landing.pull import PullOptions, pull_stream
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import ApiServer, Fault, Request, Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline.windows import UpdatedWindow
from lead_pipeline_tests.landing.children import Nursery, order_of
from lead_pipeline_tests.normalized.landings import files_below, query
from lead_pipeline_tests.pulling import (
    EACH_PAGE,
    MAKE_LEAD,
    PAGE_SIZES,
    QUICK,
    QUICK_RETRY,
    SLUGS,
    at,
    commits,
    days,
    landed,
    landed_ids,
    pull,
    server_of,
    settings_in,
)

SEED = 20260115
EVERYTHING = days(1, 31)
KILLS = {"mega": 20, "expert_ai_labs": 15, "vorel": 15}
"""Fifty in all."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


def fill(sandbox: Sandbox, provider: str, pages: int) -> ApiServer[Any]:
    """Leads for this many pages, the last of them one lead long; every third changed later."""
    server = server_of(sandbox, provider)
    server.store.put_all(
        MAKE_LEAD[provider](
            number, at(1, 0, number // 60 % 60, number % 60), at(1 + number % 3 * 5, 12)
        )
        for number in range((pages - 1) * PAGE_SIZES[provider] + 1)
    )
    return server


def pages_asked(server: ApiServer[Any]) -> int:
    return sum(request.path.endswith("/leads") for request in server.requests)


def is_complete(settings: Settings, account: Account) -> bool:
    return any(commit.complete for commit in commits(settings, account.name))


def content(settings: Settings, account: str) -> list[dict[str, Any]]:
    """What has landed, without when and by which crawl."""
    own = {"fetched_at", "served_at", "crawl_id"}
    return [
        {name: value for name, value in row.items() if name not in own}
        for row in landed(settings, account)
    ]


def tables(settings: Settings) -> list[list[dict[str, Any]]]:
    """The normalized tables, without when leads were seen, or watched, and by which crawl."""
    load_landing(settings)
    seen = "first_seen_at, last_seen_at"
    return [
        query(settings, f"select * exclude ({left_out}) from normalized.{name} order by all")  # noqa: S608
        for name, left_out in (
            ("leads", f"{seen}, watched_from"),
            ("lead_versions", f"{seen}, fetched_at, crawl_id"),
            ("lead_stage_history", "stage_number"),
        )
    ]


def stop_after(
    settings: Settings,
    account: Account,
    server: ApiServer[Any],
    pages: int,
    window: UpdatedWindow = EVERYTHING,
) -> None:
    """A crawl that gets this many pages and then has to give up."""
    server.requests.clear()
    answered = 0

    def down(request: Request) -> None:
        nonlocal answered
        answered += request.path.endswith("/leads")
        if answered > pages:
            raise ConnectionAbortedError

    server.before_request.append(down)
    with pytest.raises(RetryableError):
        pull(settings, account, window)
    server.before_request.remove(down)
    server.requests.clear()


# Killed --------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("provider", SLUGS)
def test_killed_at_random_moments_a_crawl_ends_with_the_same_tables_and_asks_at_most_a_page_more(
    sandbox: Sandbox,
    accounts: Mapping[str, Account],
    nursery: Nursery,
    tmp_path: Path,
    provider: str,
) -> None:
    account = accounts[provider]
    server = fill(sandbox, provider, pages=12)
    undisturbed = settings_in(tmp_path / "undisturbed")
    assert nursery.run(order_of(undisturbed.home, account, EVERYTHING, flush_pages=3)) == 0
    expected, pages = tables(undisturbed), pages_asked(server)
    server.before_request.append(lambda request: time.sleep(0.02))
    moments = random.Random(f"{SEED} {provider}")  # noqa: S311
    kills = 0
    for number in itertools.count():
        settings = settings_in(tmp_path / f"killed {number}")
        order = order_of(settings.home, account, EVERYTHING, flush_pages=3)
        server.requests.clear()
        kills_before, status = kills, -signal.SIGKILL
        while status == -signal.SIGKILL:
            child = nursery.start(order)
            if kills < KILLS[provider]:
                child.kill_after(moments.uniform(0, 0.3))
            status = child.wait()
            if status == -signal.SIGKILL and is_complete(settings, account):
                # The kill came between the crawl's end and the process's.
                status = 0
            kills += status == -signal.SIGKILL
        assert status == 0
        assert pages_asked(server) <= pages + kills - kills_before
        assert tables(settings) == expected
        if kills == KILLS[provider]:
            break


@pytest.mark.parametrize("provider", ["mega", "vorel"])
def test_killed_before_each_durable_step_in_turn_a_crawl_lands_the_same(
    sandbox: Sandbox,
    accounts: Mapping[str, Account],
    nursery: Nursery,
    tmp_path: Path,
    provider: str,
) -> None:
    account, window = accounts[provider], days(5, 9)
    server = fill(sandbox, provider, pages=3)
    undisturbed = settings_in(tmp_path / "undisturbed")
    assert nursery.run(order_of(undisturbed.home, account, window, flush_pages=2)) == 0
    expected, pages = content(undisturbed, provider), pages_asked(server)
    for step in itertools.count(1):
        settings = settings_in(tmp_path / f"killed before step {step}")
        server.requests.clear()
        order = order_of(settings.home, account, window, flush_pages=2, dies_before=step)
        lived = nursery.run(order) == 0
        assert nursery.run(order_of(settings.home, account, window, flush_pages=2)) == 0
        if lived:
            break
        newest = commits(settings, provider)[-1]
        landed_by_it = [
            row for row in landed(settings, provider) if row["crawl_id"] == newest.crawl_id
        ]
        assert len(landed_by_it) == len(expected)
        assert {row["record_id"] for row in landed_by_it} == {row["record_id"] for row in expected}
        # Killed after the end was saved, the next call is a crawl of its own.
        crawls = len(commits(settings, provider))
        assert pages_asked(server) <= crawls * pages + 1
        assert orphans(settings, provider) == []
    assert step > 5


def orphans(settings: Settings, account: str) -> list[str]:
    """Files that are not needed any more: not listed by a commit record, or of a journal."""
    known = {
        file.path
        for commit in commits(settings, account)
        for file in (*commit.files, *commit.seen_files, *commit.rejected_files)
    }
    own = {f"{account}/_quota.json"}
    return [
        path
        for path in files_below(settings.landing_path)
        if path not in known | own and "/_crawls/" not in path
    ]


# Going on ------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", SLUGS)
def test_a_crawl_that_gave_up_asks_only_for_the_pages_that_are_left(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account], provider: str
) -> None:
    server = fill(sandbox, provider, pages=6)
    stop_after(settings, accounts[provider], server, pages=4)
    pull(settings, accounts[provider], EVERYTHING)
    assert pages_asked(server) == 2


def test_a_crawl_gone_on_with_lands_every_record_once(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "mega", pages=6)
    stop_after(settings, accounts["mega"], server, pages=4)
    pull(settings, accounts["mega"], EVERYTHING)
    assert landed_ids(settings, "mega") == sorted(record["id"] for record in server.store)


def test_a_crawl_gone_on_with_says_from_where(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "mega", pages=6)
    stop_after(settings, accounts["mega"], server, pages=4)
    told: list[str] = []

    def listener(progress: Progress) -> None:
        told.append(progress.message)

    commit = pull_stream(
        settings, accounts["mega"], "leads", EVERYTHING, listener=listener, options=QUICK
    )
    assert (told[0], commit.resumed) == ("mega/leads: resumed after page 4", 1)


def test_a_crawl_gone_on_with_claims_no_more_than_its_first_start(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "vorel", pages=3)
    stop_after(settings, accounts["vorel"], server, pages=1)
    [before] = commits(settings, "vorel")
    after = pull(settings, accounts["vorel"], EVERYTHING)
    assert (after.crawl_id, after.started_at) == (before.crawl_id, before.started_at)


def test_a_complete_crawl_is_not_gone_on_with(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "mega", pages=2)
    pull(settings, accounts["mega"], EVERYTHING)
    server.requests.clear()
    pull(settings, accounts["mega"], EVERYTHING)
    assert pages_asked(server) == 2


def test_another_window_does_not_go_on_with_it(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "vorel", pages=4)
    stop_after(settings, accounts["vorel"], server, pages=3)
    pull(settings, accounts["vorel"], days(2, 31))
    assert pages_asked(server) == 4


def test_a_full_crawl_does_not_go_on_with_one_that_was_not(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "vorel", pages=4)
    stop_after(settings, accounts["vorel"], server, pages=3)
    pull(settings, accounts["vorel"], EVERYTHING, full=True)
    assert pages_asked(server) == 4


def test_a_crawl_of_another_window_in_between_does_not_lose_the_place(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "vorel", pages=4)
    stop_after(settings, accounts["vorel"], server, pages=3)
    pull(settings, accounts["vorel"], days(2, 31))
    server.requests.clear()
    pull(settings, accounts["vorel"], EVERYTHING)
    assert pages_asked(server) == 1


@pytest.fixture
def interrupted_before_midnight(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> ApiServer[Any]:
    """A crawl of a window that had not ended when the crawl began, as an intraday run leaves it.

    It stopped after three pages, of which the journal holds the last.
    """
    server = fill(sandbox, "vorel", pages=4)
    stop_after(settings, accounts["vorel"], server, pages=2)
    [commit] = commits(settings, "vorel")
    commit.started_at = EVERYTHING.end - timedelta(hours=2)
    save(settings.landing_path, commit)
    body = fetch_page(server, accounts["vorel"], commit.cursor)
    Journal(settings.landing_path, commit).append(
        JournalPage(commit.pages + 1, commit.cursor, at(31, 22), body)
    )
    server.requests.clear()
    return server


def fetch_page(server: ApiServer[Any], account: Account, cursor: str | None) -> bytes:
    answer = httpx.get(
        f"{server.url}/api/v1/leads",
        params={"limit": "100", "cursor": str(cursor)},
        auth=PROVIDERS["vorel"].authentication(account),
        trust_env=False,
    )
    return answer.raise_for_status().content


def test_a_crawl_that_began_before_its_window_had_ended_is_made_again_once_it_has(
    interrupted_before_midnight: ApiServer[Any], settings: Settings, accounts: Mapping[str, Account]
) -> None:
    pull(settings, accounts["vorel"], EVERYTHING)
    assert pages_asked(interrupted_before_midnight) == 4
    old, new = commits(settings, "vorel")
    assert (old.state, new.state) == ("restarted", "complete")
    assert new.proven_until == EVERYTHING.end


@pytest.mark.usefixtures("interrupted_before_midnight")
def test_what_it_saw_before_is_landed_all_the_same(
    settings: Settings, accounts: Mapping[str, Account]
) -> None:
    pull(settings, accounts["vorel"], EVERYTHING)
    old = commits(settings, "vorel")[0]
    assert (old.pages, old.records) == (3, 300)


def test_pages_behind_a_gap_in_the_journal_are_asked_for_again(settings: Settings) -> None:
    commit = CommitRecord(
        crawl_id="1",
        account="vorel",
        provider="vorel",
        stream="leads",
        window=Window(None, at(2)),
        started_at=at(2),
    )
    journal = Journal(settings.landing_path, commit)
    for number in (1, 2, 4):
        journal.append(JournalPage(number, None, at(2), b"{}"))
    assert [page.number for page in journal.pages_after(0)] == [1, 2]


# A cursor that is no longer taken ------------------------------------------------------------


def test_a_saved_cursor_that_is_refused_restarts_the_crawl_and_says_so(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "vorel", pages=4)
    stop_after(settings, accounts["vorel"], server, pages=2)
    [saved] = commits(settings, "vorel")
    server.store.delete(saved.cursor)
    told: list[str] = []
    pull_stream(
        settings,
        accounts["vorel"],
        "leads",
        EVERYTHING,
        listener=lambda progress: told.append(progress.message),
        options=QUICK,
    )
    assert any("The crawl starts again from the first page." in message for message in told)


def test_a_restarted_crawl_loses_nothing(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "vorel", pages=4)
    stop_after(settings, accounts["vorel"], server, pages=2)
    everything = {record["id"] for record in server.store}
    [saved] = commits(settings, "vorel")
    server.store.delete(saved.cursor)
    pull(settings, accounts["vorel"], EVERYTHING)
    assert set(landed_ids(settings, "vorel")) == everything


def test_a_restarted_crawl_is_told_apart_from_the_one_that_it_replaces(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "vorel", pages=4)
    stop_after(settings, accounts["vorel"], server, pages=2)
    [saved] = commits(settings, "vorel")
    server.store.delete(saved.cursor)
    pull(settings, accounts["vorel"], EVERYTHING)
    assert [(commit.state, commit.complete) for commit in commits(settings, "vorel")] == [
        ("restarted", False),
        ("complete", True),
    ]


# What a kill leaves behind -------------------------------------------------------------------


def test_files_of_a_flush_that_was_never_committed_are_not_landed(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    server = fill(sandbox, "mega", pages=3)
    stop_after(settings, accounts["mega"], server, pages=2)
    [commit] = commits(settings, "mega")
    committed = settings.landing_path / commit.files[0].path
    orphan = committed.with_name(f"{commit.crawl_id}-000003-000003.parquet")
    orphan.write_bytes(committed.read_bytes())
    pull(settings, accounts["mega"], EVERYTHING, options=EACH_PAGE)
    assert landed_ids(settings, "mega") == sorted(record["id"] for record in server.store)


def test_pages_in_the_journal_are_landed_by_whoever_goes_on(
    sandbox: Sandbox, accounts: Mapping[str, Account], nursery: Nursery, settings: Settings
) -> None:
    server = fill(sandbox, "mega", pages=5)
    # The steps before: the commit record, and one page of the journal each.
    assert nursery.run(order_of(settings.home, accounts["mega"], EVERYTHING, dies_before=5)) < 0
    asked = pages_asked(server)
    options = PullOptions(retry=QUICK_RETRY, flush=FlushPolicy(pages=100))
    pull(settings, accounts["mega"], EVERYTHING, options=options)
    assert (asked, pages_asked(server)) == (4, 6)


@pytest.mark.long
def test_a_disk_that_is_full_while_the_place_is_saved_lists_no_file_twice(
    sandbox: Sandbox,
    settings: Settings,
    accounts: Mapping[str, Account],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(sandbox, "mega", pages=3)
    saves = itertools.count()

    def save_or_fail(landing: Path, commit: CommitRecord) -> None:
        if next(saves) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(landing, commit)

    monkeypatch.setattr("lead_pipeline.landing.crawl.save", save_or_fail)
    with pytest.raises(CrawlError, match="No space left"):
        pull(settings, accounts["mega"], EVERYTHING, options=EACH_PAGE)
    [commit] = commits(settings, "mega")
    assert len({file.path for file in commit.files}) == len(commit.files)


def test_files_that_could_not_be_written_beside_the_crawl_are_written_in_the_end(
    sandbox: Sandbox,
    settings: Settings,
    accounts: Mapping[str, Account],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = fill(sandbox, "mega", pages=5)
    writes = itertools.count()

    def write_or_fail(landing: Path, commit: CommitRecord, pages: Any) -> FlushedFiles:
        if next(writes) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_flush(landing, commit, pages)

    monkeypatch.setattr("lead_pipeline.landing.crawl.write_flush", write_or_fail)
    with pytest.raises(CrawlError, match="No space left"):
        pull(settings, accounts["mega"], EVERYTHING, options=EACH_PAGE)
    [commit] = commits(settings, "mega")
    assert commit.pages == pages_asked(server)
    assert commit.records == len(landed(settings, "mega")) == 100 * commit.pages
    pull(settings, accounts["mega"], EVERYTHING, options=EACH_PAGE)
    [commit] = commits(settings, "mega")
    assert len({file.path for file in commit.files}) == len(commit.files)
    assert len(landed(settings, "mega")) == 401
    assert pages_asked(server) == 5


@pytest.mark.parametrize("provider", SLUGS)
def test_before_a_wait_all_that_came_is_landed_and_the_place_is_saved(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account], provider: str
) -> None:
    server = fill(sandbox, provider, pages=5)
    server.faults.add(Fault("too_many_requests", at=4, path_contains="/leads", retry_after=1))
    saved: list[int] = []

    def look(progress: Progress) -> None:
        if "waits" in progress.message:
            saved.append(commits(settings, provider)[0].pages)

    pull_stream(
        settings,
        accounts[provider],
        PROVIDERS[provider].records_stream.name,
        EVERYTHING,
        listener=look,
        options=EACH_PAGE,
    )
    assert saved == [3]
