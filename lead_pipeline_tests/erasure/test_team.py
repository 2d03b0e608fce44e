"""A person who is forgotten is in no object of a team's store, and in no home that has been used since."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.landing.compaction import compact_landing
from lead_pipeline.moving.to_store import move_to_store
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import lead_id
from lead_pipeline.settings import Settings
from lead_pipeline.storage.erasure_key import make_key
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.team.objects import open_store
from lead_pipeline_tests.erasure.homes import (
    LATER,
    PERSON,
    ErasureHome,
    holding,
    live,
    rows_of,
    tables_without,
)
from lead_pipeline_tests.erasure.test_forget import TELLING, is_of_person
from lead_pipeline_tests.erasure.test_kills import complete_with
from lead_pipeline_tests.landing.children import Nursery, Order
from lead_pipeline_tests.pulling import days, settings_in
from lead_pipeline_tests.team.homes import Team
from lead_pipeline_tests.team.object_store import S3Server

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
    seams_of(first).landing.refresh()
    summary = first.landing_path / "vorel" / "_crawls.summary"
    summary.write_text(lead_id(PERSON))
    seams_of(second).landing.refresh()
    assert holding(fetched(team, tmp_path / "before"), *TELLING) != []

    receipt = ErasureHome(second).forget(lead_id(PERSON))

    assert receipt.proof.outcome == "clean"
    assert holding(second.home, *TELLING) == []
    assert holding(fetched(team, tmp_path / "after"), *TELLING) == []
    # The other home, as its next use leaves it.
    seams_of(first).landing.refresh()
    assert holding(first.landing_path, *TELLING) == []
    left = [row for row in rows_of(first) if "20260107T00" not in repr(row)]
    assert left == [row for row in rows if not is_of_person(row)]
    assert any("bucket" in place for place in receipt.not_searched)
    assert any("other workers" in place for place in receipt.not_searched)


def put_together(settings: Settings) -> None:
    """What a worker does that compacts."""
    seams_of(settings).landing.refresh()
    compact_landing(settings, LATER, lambda message: None)


def forget_or_resume(settings: Settings) -> None:
    """What a worker does that forgets, or completes what another one has left."""
    seams_of(settings).landing.refresh()
    complete_with(ErasureHome(settings), lead_id(PERSON))


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("chore", "steps"), [(forget_or_resume, 8), (put_together, 8)])
def test_killed_in_one_home_it_is_completed_from_another(
    lived: ErasureHome,
    team: Team,
    s3_server: S3Server,
    tmp_path: Path,
    chore: Callable[[Settings], None],
    steps: int,
) -> None:
    if chore is put_together:
        shutil.rmtree(lived.settings.home)
        live(lived.settings.home, compacted=False)
    everywhere = {name: v for name, v in os.environ.items() if name.startswith("AWS_")}

    def run(nursery: Nursery, home: Path, other: Team, step: int | None) -> int:
        settings = {"shared": other.shared, "database": other.database, "erasure_key": KEY}
        order = Order(
            str(home),
            {},
            days(1),
            dies_before=step,
            team=settings,
            calls=f"{__name__}:{chore.__name__}",
            variables=everywhere,
        )
        return nursery.run(order)

    expected = None
    with Nursery() as nursery:
        for number, step in enumerate([None, *random.Random(1).sample(range(1, 90), steps)]):  # noqa: S311
            other = Team(tmp_path / f"{number}", s3_server.new_prefix(), team.database)
            first, second = (
                worker(other, tmp_path / f"{number} a"),
                worker(other, tmp_path / f"{number} b"),
            )
            shutil.copytree(lived.settings.home, first.home)
            move_to_store(
                settings_in(first.home, database=team.database),
                other.shared,
                [],
                lambda message: None,
            )
            load_landing(first)
            assert run(nursery, first.home, other, step) in (0, -signal.SIGKILL)
            assert run(nursery, second.home, other, None) == 0
            load_landing(second)
            found = rows_of(second), tables_without(second)
            expected = expected or found
            assert found == expected
            store = fetched(other, tmp_path / f"{number} all")
            if chore is forget_or_resume:
                assert holding(store, *TELLING) == []
            assert {p.name for p in (store / "landing").rglob("*.parquet")} == {
                p.name for p in second.landing_path.rglob("*.parquet")
            }
            for folder in (first.home, second.home, store):
                shutil.rmtree(folder)


def test_a_team_makes_no_key_in_the_home_of_one_worker(team: Team) -> None:
    with pytest.raises(ConfigurationError, match="set it for all of them"):
        make_key(team.home("here"))
    assert not team.home("here").erasure_key_path.exists()
