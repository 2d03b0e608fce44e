"""A team's landing: the same records as a folder's, wherever workers run, die and come back.

Workers have homes of their own, a real S3 server and a real PostgreSQL between them. Those that are
killed are processes, killed by SIGKILL between two of their durable steps.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from lead_pipeline.errors import ConfigurationError, Fenced, StoreUnavailable
from lead_pipeline.landing.commits import CommitRecord, commit_records, load, path_of, save
from lead_pipeline.landing.compaction import compact_landing
from lead_pipeline.landing.pull import PullOptions
from lead_pipeline.landing.repair import repair_account
from lead_pipeline.landing.scrub import scrub_landing
from lead_pipeline.landing.turns import account_turn
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import ApiServer, Request, Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.team.joining import IDENTITY
from lead_pipeline.storage.team.objects import ObjectStore, open_store
from lead_pipeline_tests.landing.children import Nursery, Order, order_of
from lead_pipeline_tests.landing.test_resume import (
    EVERYTHING,
    content,
    fill,
    pages_asked,
    tables,
)
from lead_pipeline_tests.normalized.landings import files_below
from lead_pipeline_tests.pulling import (
    EACH_PAGE,
    QUICK,
    SLUGS,
    at,
    commits,
    days,
    landed,
    landed_ids,
    pull,
    pull_all,
    put_leads,
    settings_in,
)
from lead_pipeline_tests.team.homes import Team
from lead_pipeline_tests.team.object_store import Passage, S3Server

SEED = 20260115
KILLS = 100
STEPS_TRIED = 4
"""Of those before which a worker is killed, in the normal run; all of them in the long one."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


@pytest.fixture
def store(team: Team) -> ObjectStore:
    return open_store(team.shared)


def worker(team: Team, name: str, account: Account, **fields: Any) -> Order:
    """What a worker with a home of that name is to pull."""
    shared = {"shared": team.shared, "database": team.database}
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return order_of(
        team.folder / name, account, EVERYTHING, team=shared, variables=variables, **fields
    )


def another_team(team: Team, name: str, server: S3Server) -> Team:
    """One with an empty store, and the same database."""
    return Team(team.folder / name, server.new_prefix(), team.database)


def objects(store: ObjectStore) -> dict[str, bytes]:
    """What lies in the store below landing, by name."""
    return {found.name: store.get(found.name).content for found in store.list("landing")}


def unneeded(store: ObjectStore, settings: Settings, account: str) -> list[str]:
    """Objects that no commit record lists, and pages of journals."""
    known = {
        f"landing/{file.path}" for record in commits(settings, account) for file in record.all_files
    }
    return [
        name
        for name in objects(store)
        if name not in known and "/_crawls/" not in name and not name.endswith("/_quota.json")
    ]


# The same as in a folder -----------------------------------------------------------------------


def test_the_same_nights_give_the_same_tables_from_a_folder_and_from_a_team(
    sandbox: Sandbox, accounts: Mapping[str, Account], team: Team, settings: Settings
) -> None:
    here, there = team.home("here"), team.home("there")
    for night, worker_of_team in ((1, here), (2, there)):
        for slug in SLUGS:
            put_leads(sandbox, slug, 30, at(night, 3), first=night * 20)
            for place in (settings, worker_of_team):
                pull_all(place, accounts[slug], days(night, night))
    expected = tables(settings)
    assert [len(rows) for rows in expected] == [150, 180, 150]
    assert tables(here) == expected


def test_a_home_that_was_removed_is_there_again_with_the_next_turn(
    sandbox: Sandbox, accounts: Mapping[str, Account], team: Team
) -> None:
    put_leads(sandbox, "mega", 130, at(1, 3))
    here = team.home("here")
    pull(here, accounts["mega"], days(1, 1))
    before = content(here, "mega")
    shutil.rmtree(here.home)
    with account_turn(here, "mega", "looking"):
        assert content(here, "mega") == before
    assert len(before) == 130


# Killed ----------------------------------------------------------------------------------------


def kill_before(
    step: int,
    team: Team,
    account: Account,
    nursery: Nursery,
    server: ApiServer[Any],
    expected: tuple[list[dict[str, Any]], int],
) -> bool:
    """Kill a worker before that step and let another one go on; whether the first one lived."""
    rows, pages = expected
    server.requests.clear()
    lived = nursery.run(worker(team, "here", account, flush_pages=2, dies_before=step)) == 0
    ended_before = any(record.complete for record in (team_records(team, "looks", account)))
    assert nursery.run(worker(team, "there", account, flush_pages=2)) == 0
    there, store = team.home("there"), open_store(team.shared)
    records = [record for record in commits(there, account.name) if record.complete]
    newest = records[-1].crawl_id
    by_newest = [row for row in landed_rows(there, account.name) if row["crawl_id"] == newest]
    assert len(by_newest) == len(rows)
    assert {row["record_id"] for row in by_newest} == {row["record_id"] for row in rows}
    # Killed after the end was saved, the next call is a crawl of its own.
    assert pages_asked(server) <= pages * (2 if ended_before else 1) + 1
    assert unneeded(store, there, account.name) == []
    assert set(files_below(there.landing_path)) == {
        name.removeprefix("landing/") for name in objects(store)
    }
    return lived


def team_records(team: Team, name: str, account: Account) -> list[Any]:
    looking = team.home(name)
    seams_of(looking).landing.refresh()
    return list(commit_records(looking.landing_path, account.name))


def landed_rows(settings: Settings, account: str) -> list[dict[str, Any]]:
    return landed(settings, account)


def undisturbed(
    sandbox: Sandbox, account: Account, nursery: Nursery, home: Path
) -> tuple[list[dict[str, Any]], int, ApiServer[Any]]:
    server = fill(sandbox, "mega", pages=3)
    alone = settings_in(home)
    assert nursery.run(order_of(alone.home, account, EVERYTHING, flush_pages=2)) == 0
    return content(alone, "mega"), pages_asked(server), server


def test_killed_before_a_step_here_a_crawl_ends_with_the_same_records_elsewhere(
    sandbox: Sandbox,
    accounts: Mapping[str, Account],
    nursery: Nursery,
    team: Team,
    s3_server: S3Server,
    home: Path,
) -> None:
    rows, pages, server = undisturbed(sandbox, accounts["mega"], nursery, home)
    steps = random.Random(SEED).sample(range(1, 31), STEPS_TRIED)  # noqa: S311
    for step in steps:
        other = another_team(team, f"step {step}", s3_server)
        kill_before(step, other, accounts["mega"], nursery, server, (rows, pages))


@pytest.mark.long
def test_killed_before_each_step_in_turn_a_crawl_ends_with_the_same_records_elsewhere(
    sandbox: Sandbox,
    accounts: Mapping[str, Account],
    nursery: Nursery,
    team: Team,
    s3_server: S3Server,
    home: Path,
) -> None:
    rows, pages, server = undisturbed(sandbox, accounts["mega"], nursery, home)
    for step in itertools.count(1):
        other = another_team(team, f"step {step}", s3_server)
        if kill_before(step, other, accounts["mega"], nursery, server, (rows, pages)):
            break
    assert step > 25


@pytest.mark.long
def test_killed_a_hundred_times_on_two_homes_that_get_lost_a_crawl_asks_for_at_most_a_page_more_each(
    sandbox: Sandbox,
    accounts: Mapping[str, Account],
    nursery: Nursery,
    team: Team,
    s3_server: S3Server,
    home: Path,
) -> None:
    account = accounts["mega"]
    server = fill(sandbox, "mega", pages=12)
    alone = settings_in(home)
    assert nursery.run(order_of(alone.home, account, EVERYTHING, flush_pages=3)) == 0
    expected, pages = tables(alone), pages_asked(server)
    server.before_request.append(lambda request: time.sleep(0.02))
    moments = random.Random(SEED)  # noqa: S311
    kills = 0
    while kills < KILLS:
        other = another_team(team, f"killed {kills}", s3_server)
        server.requests.clear()
        kills_before, status = kills, -signal.SIGKILL
        while status == -signal.SIGKILL:
            name = moments.choice(["here", "there"])
            if moments.random() < 0.2:
                shutil.rmtree(other.folder / name, ignore_errors=True)
            child = nursery.start(worker(other, name, account, flush_pages=3))
            if kills < KILLS:
                child.kill_after(moments.uniform(0, 0.6))
            status = child.wait()
            if status == -signal.SIGKILL and any(
                record.complete for record in team_records(other, "looks", account)
            ):
                # The kill came between the crawl's end and the process's.
                status = 0
            kills += status == -signal.SIGKILL
        assert status == 0
        assert pages_asked(server) <= pages + kills - kills_before
        assert tables(other.home("looks")) == expected


# Two at once -----------------------------------------------------------------------------------


def lose_locks(database: str) -> None:
    """Let the server end all other connections, as when the network to it is lost."""
    import psycopg2

    connection = psycopg2.connect(database)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    connection.close()


@dataclass
class Race:
    """A worker that stops before a page, loses its locks, and goes on while another one is at it."""

    server: ApiServer[Any]
    stops_before: int
    goes_on_before: int
    """The page that the other one asks for then; counted with those of the first."""
    waits_for_its_end: bool
    """Whether the other one asks for nothing until the first one has ended."""
    is_stopped: Event = field(default_factory=Event)
    may_go_on: Event = field(default_factory=Event)
    has_ended: Event = field(default_factory=Event)
    pages: int = 0

    def before(self, request: Request) -> None:
        """Called by the server before each answer."""
        if not request.path.endswith("/leads"):
            return
        self.pages += 1
        if self.pages == self.stops_before:
            self.is_stopped.set()
            assert self.may_go_on.wait(30)
        elif self.pages == self.goes_on_before:
            self.may_go_on.set()
            assert not self.waits_for_its_end or self.has_ended.wait(30)

    def run_first(self, settings: Settings, account: Account, options: PullOptions) -> CommitRecord:
        """Pull, and say when that has ended."""
        try:
            return pull(settings, account, EVERYTHING, options=options)
        finally:
            self.has_ended.set()


@pytest.mark.parametrize("options", [EACH_PAGE, QUICK], ids=["flushes each page", "flushes once"])
@pytest.mark.parametrize("waits", [True, False], ids=["one by one", "at once"])
@pytest.mark.parametrize(("stops_before", "goes_on_before"), [(1, 2), (3, 4), (3, 6)])
def test_of_two_live_workers_on_one_crawl_the_one_that_took_over_ends_it_and_the_other_is_fenced(
    sandbox: Sandbox,
    accounts: Mapping[str, Account],
    team: Team,
    stops_before: int,
    goes_on_before: int,
    waits: bool,
    options: PullOptions,
) -> None:
    first, second = team.home("first"), team.home("second")
    server = fill(sandbox, "mega", pages=7)
    race = Race(server, stops_before, goes_on_before, waits)
    server.before_request.append(race.before)
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(race.run_first, first, accounts["mega"], options)
        assert race.is_stopped.wait(30)
        lose_locks(team.database)
        record = pull(second, accounts["mega"], EVERYTHING, options=options)
        with pytest.raises(Fenced, match="another worker has taken over"):
            ended.result(30)
    assert record.complete
    assert landed_ids(second, "mega") == sorted(lead["id"] for lead in server.store)
    # What the first one has left is removed by the next turn, and was never loaded.
    pull(second, accounts["mega"], days(30, 30))
    assert unneeded(open_store(team.shared), second, "mega") == []
    assert landed_ids(second, "mega") == sorted(lead["id"] for lead in server.store)


def test_rows_of_a_worker_that_died_after_it_was_fenced_are_removed_by_the_next_turn(
    sandbox: Sandbox, accounts: Mapping[str, Account], team: Team, store: ObjectStore
) -> None:
    here = team.home("here")
    fill(sandbox, "mega", pages=1)
    record = pull(here, accounts["mega"], EVERYTHING)
    [name] = [f"landing/{file.path}" for file in record.files][:1]
    stray = re.sub("-u.{8}", "-u00000000", name)
    store.put(stray, store.get(name).content)
    pull(team.home("there"), accounts["mega"], days(30, 30))
    assert stray not in objects(store)
    assert name in objects(store)


def test_of_two_who_take_over_at_once_only_one_may_write(
    sandbox: Sandbox, accounts: Mapping[str, Account], team: Team
) -> None:
    first, second = team.home("first"), team.home("second")
    fill(sandbox, "mega", pages=1)
    made = pull(first, accounts["mega"], EVERYTHING)
    for place in (first, second):
        seams_of(place).landing.begin_turn("mega")
    copies = [load(path_of(place.landing_path, "mega", made.crawl_id)) for place in (first, second)]
    save(first.landing_path, copies[0])
    with pytest.raises(Fenced):
        save(second.landing_path, copies[1])
    seams_of(second).landing.begin_turn("mega")
    save(second.landing_path, copies[1])
    with pytest.raises(Fenced):
        save(first.landing_path, copies[0])


def test_a_refresh_beside_a_crawl_disturbs_nothing(
    sandbox: Sandbox, accounts: Mapping[str, Account], team: Team
) -> None:
    here = team.home("here")
    server = fill(sandbox, "mega", pages=6)
    refreshes = 0

    def refresh(request: Request) -> None:
        nonlocal refreshes
        seams_of(here).landing.refresh()
        refreshes += 1

    server.before_request.append(refresh)
    with ThreadPoolExecutor(2) as threads:
        done = Event()

        def go_on() -> int:
            count = 0
            while not done.is_set():
                seams_of(here).landing.refresh()
                count += 1
            return count

        beside = threads.submit(go_on)
        pull(here, accounts["mega"], EVERYTHING, options=EACH_PAGE)
        done.set()
        assert beside.result(30) > 1
    assert refreshes >= 6
    assert landed_ids(here, "mega") == sorted(lead["id"] for lead in server.store)


# The store -------------------------------------------------------------------------------------


def test_answers_of_the_store_that_get_lost_change_nothing(
    sandbox: Sandbox,
    accounts: Mapping[str, Account],
    team: Team,
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = fill(sandbox, "mega", pages=3)
    with Passage(s3_server).open() as passage:
        for name, value in passage.variables.items():
            monkeypatch.setenv(name, value)
        passage.loses_answer_of = lambda request: (
            request.method == "PUT"
            and passage.requests.count(request) == 1
            and request not in passage.lost
        )
        record = pull(team.home("here"), accounts["mega"], EVERYTHING, options=EACH_PAGE)
        assert len(passage.lost) > 10
    assert record.complete
    assert pages_asked(server) == 3
    assert landed_ids(team.home("here"), "mega") == sorted(lead["id"] for lead in server.store)


def test_a_store_that_is_down_stops_a_crawl_which_goes_on_later(
    sandbox: Sandbox,
    accounts: Mapping[str, Account],
    team: Team,
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lead_pipeline.storage.team import objects as module

    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    server = fill(sandbox, "mega", pages=4)
    with Passage(s3_server).open() as passage:
        for name, value in passage.variables.items():
            monkeypatch.setenv(name, value)
        passage.refuses = lambda request: pages_asked(server) >= 3
        with pytest.raises(StoreUnavailable, match="503"):
            pull(team.home("here"), accounts["mega"], EVERYTHING)
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    pull(team.home("there"), accounts["mega"], EVERYTHING)
    assert pages_asked(server) == 5
    assert landed_ids(team.home("there"), "mega") == sorted(lead["id"] for lead in server.store)


def test_an_emptied_store_is_not_taken_for_landing(
    sandbox: Sandbox, accounts: Mapping[str, Account], team: Team, store: ObjectStore
) -> None:
    fill(sandbox, "mega", pages=1)
    here = team.home("here")
    pull(here, accounts["mega"], EVERYTHING)
    before = content(here, "mega")
    everything = {found.name: store.get(found.name).content for found in store.list()}
    store.delete(*everything)
    with pytest.raises(ConfigurationError, match="is empty, so nothing is taken from it"):
        seams_of(here).landing.refresh()
    assert content(here, "mega") == before
    store.put(IDENTITY, b'{"id": "another"}')
    with pytest.raises(ConfigurationError, match="another one than it was"):
        seams_of(here).landing.refresh()
    assert content(here, "mega") == before


# Upkeep ----------------------------------------------------------------------------------------


def test_files_put_together_by_one_worker_are_what_all_have(
    sandbox: Sandbox, accounts: Mapping[str, Account], team: Team, store: ObjectStore
) -> None:
    here, there = team.home("here"), team.home("there")
    for day in range(1, 10):
        put_leads(sandbox, "mega", 1, at(1, day), first=day)
        pull(here, accounts["mega"], days(1, day))
    before = tables(there)
    compacted = compact_landing(here, at(31) + timedelta(days=30))
    assert compacted["mega"].before >= 8
    assert tables(there) == before
    with account_turn(there, "mega", "looking"):
        assert set(files_below(there.landing_path)) == {
            name.removeprefix("landing/") for name in objects(store)
        }
    assert unneeded_compacted(store, there) == []


def unneeded_compacted(store: ObjectStore, settings: Settings) -> list[str]:
    """Objects of rows that lie in another file now."""
    records = commits(settings, "mega")
    replaced = {
        f"landing/{file.path}"
        for record in records
        for compaction in record.compactions
        for file in compaction.replaces
    }
    return sorted(replaced & objects(store).keys())


def test_a_damaged_copy_is_fetched_again_and_a_damaged_object_is_found(
    sandbox: Sandbox, accounts: Mapping[str, Account], team: Team, store: ObjectStore
) -> None:
    here, there = team.home("here"), team.home("there")
    fill(sandbox, "mega", pages=1)
    record = pull(here, accounts["mega"], EVERYTHING)
    now = at(31) + timedelta(days=1)
    path = here.landing_path / record.files[0].path
    whole = path.read_bytes()
    with path.open("r+b") as damaged:
        damaged.write(b"damage")
    assert scrub_landing(here, now, every_file=True).problems == []
    assert path.read_bytes() == whole
    store.put(f"landing/{record.files[0].path}", b"damage" + whole[6:])
    [problem] = scrub_landing(there, now, every_file=True).problems
    assert problem.path == record.files[0].path
    repair_account(there, "mega", [problem], print)
    names = objects(store)
    assert f"landing/{record.files[0].path}" not in names
    assert f"landing/mega/_damaged/{record.files[0].path.removeprefix('mega/')}" in names
    assert load(path_of(there.landing_path, "mega", record.crawl_id)).state == "repaired"


def test_a_file_of_a_home_is_fetched_again_only_when_it_has_changed(
    sandbox: Sandbox,
    accounts: Mapping[str, Account],
    team: Team,
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(sandbox, "mega", pages=2)
    pull(team.home("here"), accounts["mega"], EVERYTHING)
    with Passage(s3_server).open() as passage:
        for name, value in passage.variables.items():
            monkeypatch.setenv(name, value)
        there = team.home("there")
        seams_of(there).landing.refresh()
        fetched = [r for r in passage.requests if r.method == "GET" and "list-type" not in r.path]
        passage.requests.clear()
        seams_of(there).landing.refresh()
        again = [r for r in passage.requests if r.method == "GET" and "list-type" not in r.path]
    assert len(fetched) > 3
    assert [r.path.rpartition("/")[2] for r in again] == [IDENTITY]
