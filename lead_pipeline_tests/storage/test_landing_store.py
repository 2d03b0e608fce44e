"""What every store of landing promises, whatever it is kept in.

Each promise is looked at from where another worker looks: the same folder for one machine, a second
home for a team.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import Settings
from lead_pipeline.storage.files import temporary_of
from lead_pipeline.storage.landing_store import LandingStore
from lead_pipeline.storage.seams import landing_at, seams_of
from lead_pipeline_tests.pulling import settings_in
from lead_pipeline_tests.team.homes import Team

ACCOUNT = "mega"


@dataclass(frozen=True)
class Place:
    """A worker's view of landing."""

    settings: Settings

    @property
    def store(self) -> LandingStore:
        return seams_of(self.settings).landing

    def path(self, name: str) -> Path:
        return self.settings.landing_path / ACCOUNT / name

    def files(self) -> dict[str, bytes]:
        """What landing has now, as this worker sees it."""
        self.store.begin_turn(ACCOUNT)
        folder = self.settings.landing_path / ACCOUNT
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    def put(self, name: str, content: bytes) -> None:
        """Write rows, as whoever lands them does."""
        target = self.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_of(target)
        temporary.write_bytes(content)
        self.store.put_rows(temporary, target)


@dataclass(frozen=True)
class Both:
    """The same landing, from two places."""

    here: Place
    there: Place


@pytest.fixture(params=["folder", "team"])
def both(request: pytest.FixtureRequest, home: Path) -> Iterator[Both]:
    if request.param == "folder":
        place = Place(settings_in(home))
        yield Both(place, place)
        return
    team: Team = request.getfixturevalue("team")
    yield Both(Place(team.home("here")), Place(team.home("there")))


def test_what_was_written_is_there_for_all(both: Both) -> None:
    here = both.here
    here.store.begin_turn(ACCOUNT)
    here.store.save_record(here.path("_crawls/one.json"), b"{}")
    here.store.append_page(here.path("_journal/one/000001.page"), b"page")
    here.store.write(here.path("_quota.json"), b"quota")
    here.put("leads/date=2026-01-01/one-000001-000001.parquet", b"rows")
    expected = {
        "_crawls/one.json": b"{}",
        "_journal/one/000001.page": b"page",
        "_quota.json": b"quota",
        "leads/date=2026-01-01/one-000001-000001.parquet": b"rows",
    }
    assert both.there.files() == expected
    assert here.files() == expected


def test_a_record_takes_the_place_of_its_last_state(both: Both) -> None:
    record = both.here.path("_crawls/one.json")
    both.here.store.begin_turn(ACCOUNT)
    for state in (b"first", b"second", b"third"):
        both.here.store.save_record(record, state)
    assert both.there.files() == {"_crawls/one.json": b"third"}
    both.there.store.save_record(both.there.path("_crawls/one.json"), b"fourth")
    assert both.here.files() == {"_crawls/one.json": b"fourth"}


def test_what_was_removed_is_gone_for_all(both: Both) -> None:
    here = both.here
    for number in range(1, 4):
        here.store.append_page(here.path(f"_journal/one/{number:06d}.page"), b"page")
    here.put("leads/date=2026-01-01/a.parquet", b"a")
    here.put("leads/date=2026-01-01/b.parquet", b"b")
    assert len(both.there.files()) == 5
    here.store.remove(here.path("leads/date=2026-01-01/a.parquet"), here.path("leads/nothing"))
    here.store.remove()
    here.store.remove_folder(here.path("_journal/one"))
    here.store.remove_folder(here.path("_journal/none"))
    assert both.there.files() == {"leads/date=2026-01-01/b.parquet": b"b"}
    assert here.files() == {"leads/date=2026-01-01/b.parquet": b"b"}
    assert not here.path("_journal/one").exists()


def test_what_was_moved_is_under_its_new_name_only(both: Both) -> None:
    both.here.put("leads/date=2026-01-01/a.parquet", b"damaged")
    target = both.here.path("_damaged/leads/date=2026-01-01/a.parquet")
    both.here.store.move(both.here.path("leads/date=2026-01-01/a.parquet"), target)
    assert both.there.files() == {"_damaged/leads/date=2026-01-01/a.parquet": b"damaged"}


def test_small_files_are_those_of_whoever_wrote_last(both: Both) -> None:
    both.here.store.write(both.here.path("_quota.json"), b"one")
    both.there.store.write(both.there.path("_quota.json"), b"two")
    both.here.store.write(both.here.path("_quota.json"), b"three")
    assert both.there.files() == both.here.files() == {"_quota.json": b"three"}


def test_caches_and_unfinished_files_are_nobody_elses(both: Both) -> None:
    both.here.put("leads/date=2026-01-01/a.parquet", b"a")
    both.here.path("_crawls.summary").write_bytes(b"derived")
    both.here.path(".b.parquet.1-2.tmp").write_bytes(b"unfinished")
    assert "_crawls.summary" in both.here.files()
    if both.here.store.is_shared:
        assert set(both.there.files()) == {"leads/date=2026-01-01/a.parquet"}


def test_names_of_rows_are_found_again_by_what_they_were_made_of(both: Both) -> None:
    name = both.here.store.own_name("crawl-leads-1-000001-000100.parquet")
    assert name.startswith("crawl-leads-1-000001-000100")
    assert name.endswith(".parquet")


def test_a_path_leads_to_the_store_of_its_home(both: Both) -> None:
    store = both.here.store
    assert landing_at(both.here.settings.landing_path).is_shared == store.is_shared


def test_a_home_may_be_removed_at_any_time(team: Team) -> None:
    here, there = Place(team.home("here")), Place(team.home("there"))
    here.store.begin_turn(ACCOUNT)
    here.store.save_record(here.path("_crawls/one.json"), b"first")
    here.put("leads/date=2026-01-01/a.parquet", b"a")
    shutil.rmtree(here.settings.home)
    here.store.save_record(here.path("_crawls/one.json"), b"second")
    shutil.rmtree(here.settings.home)
    expected = {"_crawls/one.json": b"second", "leads/date=2026-01-01/a.parquet": b"a"}
    assert here.files() == there.files() == expected


def test_a_copy_whose_store_is_not_set_is_not_written_to(team: Team) -> None:
    copy = Place(team.home("here"))
    copy.files()
    alone = settings_in(copy.settings.home)
    with pytest.raises(ConfigurationError, match="is a copy of s3://"):
        seams_of(alone)
    # As in a process that has opened nothing.
    other = copy.settings.home.rename(copy.settings.home.with_name("moved")) / "landing"
    with pytest.raises(ConfigurationError, match="LEAD_PIPELINE_SHARED"):
        landing_at(other)
