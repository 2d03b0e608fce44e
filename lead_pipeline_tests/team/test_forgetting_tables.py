"""A person who is forgotten is in no object of the store: tables and builds of before included."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from lead_pipeline.bi.gate import PublishRules
from lead_pipeline.erasure.erase import Order, begin, erase_elsewhere, erase_landing
from lead_pipeline.erasure.persons import find_persons
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import lead_id
from lead_pipeline.settings import Settings
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.team.objects import open_store
from lead_pipeline_tests.erasure.homes import CONTACT, FORMER, NAME, PERSON, holding, night
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.sample_builds import Bi
from lead_pipeline_tests.team.homes import Team

TELLING = (lead_id(PERSON), *CONTACT.values(), FORMER, NAME)
RULES = PublishRules(allow_row_count_drop=True)


@pytest.fixture(autouse=True)
def nothing_of_a_team_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test says of its homes counts for that test alone."""
    monkeypatch.setattr("lead_pipeline.storage.warehouse._of_files", {})
    monkeypatch.setattr("lead_pipeline.storage.publication._of_files", {})
    monkeypatch.setattr("lead_pipeline.storage.locks._of_homes", {})


def worker(team: Team, name: str) -> Settings:
    """A home of the team, opened."""
    key = SecretStr("the same key for all workers, never told")
    settings = team.home(name).model_copy(update={"erasure_key": key})
    seams_of(settings).landing.refresh()
    return settings


def load_and_publish(settings: Settings, run_id: str) -> None:
    """The tables as landing says, before readers."""
    load_landing(settings)
    bi = Bi(settings.home)
    bi.build_loaded(run_id=run_id)
    bi.publish(run_id, RULES)


def copy_of_store(url: str, folder: Path) -> Path:
    """All objects, as files."""
    store = open_store(url)
    for found in store.list():
        store.download(found.name, folder / found.name)
    return folder


@pytest.mark.long
def test_no_object_holds_whoever_is_forgotten(team: Team, tmp_path: Path) -> None:
    one = worker(team, "one")
    landing = Landing(one)
    for number in range(3):
        night(landing, number)
        load_and_publish(one, f"night {number}")
    before = holding(copy_of_store(team.shared, tmp_path / "before"), *TELLING)
    assert len([name for name in before if name.startswith("warehouse/")]) == 2
    assert len([name for name in before if name.startswith("bi/builds/")]) == 3
    assert [name for name in before if name.startswith("landing/")]

    two = worker(team, "two")
    persons = find_persons(two, [lead_id(PERSON)], account=None, with_linked=False)
    pending = erase_landing(two, begin(two, persons, Order()), lambda message: None)
    load_and_publish(two, "after")
    erase_elsewhere(two, pending, persons.texts, lambda message: None)

    assert holding(copy_of_store(team.shared, tmp_path / "after"), *TELLING) == []
    assert holding(two.home, *TELLING) == []
    # The other worker's copies follow once it asks what readers and tables are now.
    again = worker(team, "one")
    seams_of(again).publication.refresh(with_retained=True)
    load_landing(again)
    assert holding(again.home, *TELLING) == []
