"""Landing moves whole or not at all: into a store and back, killed or not, and never over another one."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.errors import ConfigurationError, LoadError
from lead_pipeline.moving.to_folder import STAGING, move_to_folder
from lead_pipeline.moving.to_store import move_to_store
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.shared_home import MARK
from lead_pipeline.storage.team.joining import IDENTITY, identity_of
from lead_pipeline.storage.team.objects import ObjectStore, open_store
from lead_pipeline_tests.commands import Ran, environment, lead_pipeline_here
from lead_pipeline_tests.landing.children import Nursery, order_of
from lead_pipeline_tests.landing.test_resume import tables
from lead_pipeline_tests.pulling import EACH_PAGE, at, days, pull, put_leads, settings_in
from lead_pipeline_tests.team.homes import Team

ACCOUNTS = ["mega", "vorel"]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


@pytest.fixture
def landed(sandbox: Sandbox, accounts: Mapping[str, Account], settings: Settings) -> Settings:
    """A folder in which two accounts have landed."""
    for slug in ACCOUNTS:
        put_leads(sandbox, slug, 130, at(1, 3))
        pull(settings, accounts[slug], days(1, 1), options=EACH_PAGE)
    note = settings.erasures_path / "20260101T000000000000Z-abcdef.json"
    note.parent.mkdir()
    note.write_text("a receipt")
    return settings


@pytest.fixture
def store(team: Team) -> ObjectStore:
    return open_store(team.shared)


def of_home(home: Path) -> dict[str, bytes]:
    """What is moved of a home, by name."""
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for folder in ("landing", "erasures")
        for path in (home / folder).rglob("*")
        if path.is_file() and path.name != "_crawls.summary"
    }


def of_store(store: ObjectStore) -> dict[str, bytes]:
    """The same of a store."""
    return {
        found.name: store.get(found.name).content
        for folder in ("landing", "erasures")
        for found in store.list(folder)
    }


def nothing(message: str) -> None:
    """Hear what is told."""


def with_database(settings: Settings, team: Team) -> Settings:
    """The folder's settings, as whoever moves it has them."""
    return settings_in(settings.home, database=team.database)


# There and back --------------------------------------------------------------------------------


def test_a_folder_moves_into_a_store_and_back_with_every_byte_and_the_same_tables(
    landed: Settings, team: Team, store: ObjectStore, tmp_path: Path
) -> None:
    before, expected = of_home(landed.home), tables(landed)
    moved = move_to_store(with_database(landed, team), team.shared, ACCOUNTS, nothing)
    assert (moved.accounts, moved.files) == (2, len(before))
    assert of_store(store) == before
    # The old home is a copy now, and any other home sees the same.
    copy = settings_in(landed.home, shared=team.shared, database=team.database)
    seams_of(copy).landing.refresh()
    assert of_home(copy.home) == before
    assert tables(team.home("elsewhere")) == expected
    back = tmp_path / "back"
    move_to_folder(team.home("elsewhere"), back, ACCOUNTS, nothing)
    assert of_home(back) == of_store(store) == before
    assert not (back / STAGING).exists()


def test_after_moving_neither_side_is_written_to_by_those_who_do_not_know(
    landed: Settings, team: Team, accounts: Mapping[str, Account], tmp_path: Path
) -> None:
    move_to_store(with_database(landed, team), team.shared, ACCOUNTS, nothing)
    with pytest.raises(ConfigurationError, match="LEAD_PIPELINE_SHARED does not name that"):
        pull(landed, accounts["mega"], days(2, 2))
    worker = team.home("worker")
    seams_of(worker).landing.refresh()
    move_to_folder(worker, tmp_path / "back", ACCOUNTS, nothing)
    with pytest.raises(ConfigurationError, match="was moved away, to a folder"):
        pull(worker, accounts["mega"], days(2, 2))
    with pytest.raises(ConfigurationError, match="was moved away, to a folder"):
        seams_of(team.home("another"))


def test_the_home_that_was_moved_fetches_nothing_of_what_it_has(
    landed: Settings, team: Team
) -> None:
    move_to_store(with_database(landed, team), team.shared, ACCOUNTS, nothing)
    files = [path for path in landed.landing_path.rglob("*") if path.is_file()]
    inodes = {path: path.stat().st_ino for path in files}
    seams_of(settings_in(landed.home, shared=team.shared, database=team.database)).landing.refresh()
    assert {path: path.stat().st_ino for path in files} == inodes


# Killed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.long)])
def test_killed_before_a_step_a_move_into_a_store_goes_on(
    landed: Settings,
    team: Team,
    nursery: Nursery,
    accounts: Mapping[str, Account],
    tmp_path: Path,
    every: int,
) -> None:
    before = of_home(landed.home)
    for step in itertools.count(1, every):
        home = copy_of(landed, tmp_path / f"killed before {step}")
        store = open_store(f"{team.shared}-{step}")
        status = ordered(nursery, home, store.url, team, accounts, dies_before=step)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        identity = identity_of(store)
        assert of_home(home) == before
        assert identity is None or identity.state == "moving" or of_store(store) == before
        assert (home / MARK).exists() <= (identity is not None and identity.state == "ready")
        assert ordered(nursery, home, store.url, team, accounts) == 0
        assert of_store(store) == of_home(home) == before
        assert (home / MARK).exists()
    assert step > len(before)


def test_killed_before_a_step_a_move_into_a_folder_goes_on(
    landed: Settings, team: Team, nursery: Nursery, accounts: Mapping[str, Account], tmp_path: Path
) -> None:
    before = of_home(landed.home)
    for step in itertools.chain(range(1, 200, 14), [10_000]):
        shared = f"{team.shared}-{step}"
        home = copy_of(landed, tmp_path / f"moved {step}")
        move_to_store(settings_in(home, database=team.database), shared, ACCOUNTS, nothing)
        target = tmp_path / f"killed before {step}"
        here = {"shared": shared, "database": team.database}
        status = ordered(nursery, home, str(target), team, accounts, here, dies_before=step)
        if status == 0:
            assert of_home(target) == before
            break
        assert status == -signal.SIGKILL
        assert of_home(target) in ({}, before) or not (target / "landing").exists()
        assert ordered(nursery, home, str(target), team, accounts, here) == 0
        assert of_home(target) == before
        assert not (target / STAGING).exists()
    assert step > 19


def copy_of(settings: Settings, home: Path) -> Path:
    shutil.copytree(settings.home, home)
    return home


def ordered(
    nursery: Nursery,
    home: Path,
    target: str,
    team: Team,
    accounts: Mapping[str, Account],
    settings: dict[str, str] | None = None,
    **fields: Any,
) -> int:
    """The exit status of a process that moves the home there."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    order = order_of(
        home,
        accounts["mega"],
        days(1, 1),
        team=settings or {"database": team.database},
        variables=variables,
        moves_to=target,
        **fields,
    )
    return nursery.run(order)


# Refused ---------------------------------------------------------------------------------------


def test_nothing_is_put_over_another_landing(
    landed: Settings,
    team: Team,
    store: ObjectStore,
    accounts: Mapping[str, Account],
    tmp_path: Path,
) -> None:
    worker = team.home("worker")
    pull(worker, accounts["vorel"], days(1, 1))
    before = of_store(store)
    with pytest.raises(ConfigurationError, match="holds a landing already"):
        move_to_store(with_database(landed, team), team.shared, ACCOUNTS, nothing)
    own = of_home(landed.home)
    with pytest.raises(ConfigurationError, match="holds a landing already"):
        move_to_folder(worker, landed.home, ACCOUNTS, nothing)
    assert (of_store(store), of_home(landed.home)) == (before, own)


def test_a_store_that_another_home_is_being_moved_to_is_refused(
    landed: Settings, team: Team, store: ObjectStore, tmp_path: Path
) -> None:
    store.put(IDENTITY, b'{"id": "of another home", "state": "moving"}')
    with pytest.raises(ConfigurationError, match="being moved there from another home"):
        move_to_store(with_database(landed, team), team.shared, ACCOUNTS, nothing)
    with pytest.raises(ConfigurationError, match="is being moved to"):
        seams_of(team.home("worker"))


def test_damage_is_not_moved(landed: Settings, team: Team, store: ObjectStore) -> None:
    path = next(landed.landing_path.rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(LoadError, match="not what its crawl has written"):
        move_to_store(with_database(landed, team), team.shared, ACCOUNTS, nothing)
    assert of_store(store) == {}
    assert not (landed.home / MARK).exists()


def test_an_object_that_is_not_what_was_put_stops_the_move(
    landed: Settings, team: Team, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = ObjectStore.put

    def bad(self: ObjectStore, name: str, content: bytes) -> Any:
        return put(self, name, b"other" if name.endswith(".parquet") else content)

    monkeypatch.setattr(ObjectStore, "put", bad)
    with pytest.raises(LoadError, match="Nothing was switched"):
        move_to_store(with_database(landed, team), team.shared, ACCOUNTS, nothing)
    monkeypatch.setattr(ObjectStore, "put", put)
    move_to_store(with_database(landed, team), team.shared, ACCOUNTS, nothing)
    assert of_store(store) == of_home(landed.home)


def test_a_home_with_a_landing_of_its_own_is_told_to_move(landed: Settings, team: Team) -> None:
    settings = settings_in(landed.home, shared=team.shared, database=team.database)
    with pytest.raises(ConfigurationError, match=f"lead-pipeline move --to {team.shared}"):
        seams_of(settings)


# The command -----------------------------------------------------------------------------------


def test_the_command_says_what_was_moved_and_what_to_set(
    landed: Settings, team: Team, tmp_path: Path
) -> None:
    landed.erasure_key_path.write_text("a key\n")
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    variables = environment(landed.home, variables)

    def move(to: str | Path, **more: str) -> Ran:
        return lead_pipeline_here(tmp_path, {**variables, **more}, "move", "--to", str(to))

    without = move(team.shared)
    assert (without.status, "LEAD_PIPELINE_DATABASE is not set" in without.last_line) == (1, True)
    database = {"LEAD_PIPELINE_DATABASE": team.database}
    there = move(team.shared, **database)
    assert there.status == 0, there.errors
    assert f"LEAD_PIPELINE_SHARED={team.shared}" in there.output
    assert "LEAD_PIPELINE_ERASURE_KEY" in there.output
    assert "a key" not in there.output
    again = move(team.shared, **database)
    assert (again.status, "already" in again.output) == (0, True)
    shared = {**database, "LEAD_PIPELINE_SHARED": team.shared}
    back = move(tmp_path / "back", **shared)
    assert back.status == 0, back.errors
    assert f"LEAD_PIPELINE_HOME={tmp_path / 'back'}" in back.output
    once_more = move(tmp_path / "other", **shared)
    assert once_more.status == 1
    assert "was moved away before" in once_more.last_line
