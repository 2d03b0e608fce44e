"""A person who is forgotten is in no object of a team's store, and in no home that has been used since."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.moving.to_store import move_to_store
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import lead_id
from lead_pipeline.settings import Settings
from lead_pipeline.storage.erasure_key import make_key
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.team.objects import open_store
from lead_pipeline_tests.erasure.homes import PERSON, ErasureHome, holding, rows_of
from lead_pipeline_tests.erasure.test_forget import TELLING, is_of_person
from lead_pipeline_tests.pulling import settings_in
from lead_pipeline_tests.team.homes import Team

KEY = "k" * 64


def worker(team: Team, home: Path) -> Settings:
    """A worker with the key that all have."""
    return settings_in(home, shared=team.shared, database=team.database, erasure_key=KEY)


def fetched(team: Team, folder: Path) -> Path:
    """Everything that the store has, as files."""
    store = open_store(team.shared)
    for found in store.list():
        store.download(found.name, folder / found.name)
    return folder


def test_a_forgotten_person_is_in_no_object_and_in_no_home(
    lived: ErasureHome, team: Team, tmp_path: Path
) -> None:
    rows = rows_of(lived.settings)
    moving = settings_in(lived.settings.home, database=team.database)
    move_to_store(moving, team.shared, [], lambda message: None)
    first = worker(team, lived.settings.home)
    second = worker(team, tmp_path / "second")
    load_landing(first)
    summary = first.landing_path / "vorel" / "_crawls.summary"
    summary.write_text(lead_id(PERSON))
    seams_of(second).landing.refresh()
    assert holding(fetched(team, tmp_path / "before"), *TELLING) != []

    receipt = ErasureHome(second).forget(lead_id(PERSON))

    assert receipt.proof.outcome == "clean"
    assert holding(second.home, *TELLING) == []
    assert holding(fetched(team, tmp_path / "after"), *TELLING) == []
    # The other home, as its next use leaves it.
    load_landing(first)
    assert holding(first.landing_path, *TELLING) == []
    left = [row for row in rows_of(first) if "20260107T00" not in repr(row)]
    assert left == [row for row in rows if not is_of_person(row)]
    assert any("bucket" in place for place in receipt.not_searched)
    assert any("other workers" in place for place in receipt.not_searched)


def test_a_team_makes_no_key_in_the_home_of_one_worker(team: Team) -> None:
    with pytest.raises(ConfigurationError, match="set it for all of them"):
        make_key(team.home("here"))
    assert not team.home("here").erasure_key_path.exists()
