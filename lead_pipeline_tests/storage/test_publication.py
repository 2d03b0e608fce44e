"""What readers have, and earlier builds: the contract of every kind of publication.

One home whose file is renamed over, and a team's builds and pointer, of which two machines have copies.
Builds are named here as they are in production, but hold a few bytes only: what they must be like is
tested elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from lead_pipeline.storage.publication import (
    FilePublication,
    Publication,
    hold_path,
    publication_at,
    refreshed,
    retained_folder,
    retained_path,
    use_publication,
)


@dataclass(frozen=True)
class Machine:
    """Where builds are published and read."""

    home: Path

    @property
    def published(self) -> Path:
        """The file that readers of this machine open."""
        return self.home / "bi" / "leads.duckdb"

    @property
    def publication(self) -> Publication:
        """What readers have, as this machine sees it."""
        return publication_at(self.published)

    def publish(self, build: str, before: str | None = None, *, keep: bool = True) -> None:
        """Give readers a build whose content is its name."""
        finished = self.home / "bi" / "finished.duckdb"
        finished.parent.mkdir(parents=True, exist_ok=True)
        finished.write_text(build)
        self.publication.refresh(with_retained=True)
        self.publication.publish(finished, build, before, keep=keep)
        assert not finished.exists()

    def read(self) -> str:
        """What a reader finds."""
        return refreshed(self.published).read_text()

    def retained(self) -> dict[str, str]:
        """The retained builds that readers could have again, with their content."""
        self.publication.refresh(with_retained=True)
        return {
            path.stem: path.read_text()
            for path in retained_folder(self.published).glob("*.duckdb")
            if not path.samefile(self.published) and path.read_text() != self.read()
        }


Pair = tuple[Machine, Machine]


@pytest.fixture(autouse=True)
def no_publications_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test says of its files counts for that test alone."""
    monkeypatch.setattr("lead_pipeline.storage.publication._of_files", {})


@pytest.fixture(params=["folder", "team"])
def machines(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    """Two who share publications; in a folder both see the same files."""
    here = Machine(tmp_path / "here")
    if request.param == "folder":
        return here, here
    from lead_pipeline.storage.team.objects import open_store
    from lead_pipeline.storage.team.publication import TeamPublication

    store = open_store(request.getfixturevalue("shared"))
    there = Machine(tmp_path / "there")
    for machine in (here, there):
        use_publication(machine.published, TeamPublication(machine.published, store))
    return here, there


def test_before_the_first_publication_readers_have_nothing(machines: Pair) -> None:
    here, there = machines
    here.publication.refresh(with_retained=True)

    assert not here.published.exists()
    assert not refreshed(there.published).exists()


def test_what_one_has_published_all_readers_have(machines: Pair) -> None:
    here, there = machines
    here.publish("one")

    assert here.read() == there.read() == "one"
    assert here.retained() == there.retained() == {}


def test_the_build_before_is_retained_where_it_is_to_be_kept(machines: Pair) -> None:
    here, there = machines
    here.publish("one")
    there.publish("two", "one")
    here.publish("three", "two", keep=False)

    assert here.read() == there.read() == "three"
    assert here.retained() == there.retained() == {"one": "one"}


def test_readers_can_have_a_retained_build_again_and_then_the_newer_one(machines: Pair) -> None:
    here, there = machines
    here.publish("one")
    here.publish("two", "one")
    there.publication.refresh(with_retained=True)
    there.publication.go_back("one", "two", keep=True)
    assert here.read() == there.read() == "one"
    assert here.retained() == {"two": "two"}

    here.publication.refresh(with_retained=True)
    here.publication.go_back("two", "one", keep=True)
    assert here.read() == there.read() == "two"


def test_a_removed_build_is_retained_by_nobody(machines: Pair) -> None:
    here, there = machines
    here.publish("one")
    here.publish("two", "one")
    assert there.retained() == {"one": "one"}
    here.publication.remove("one")

    assert here.retained() == there.retained() == {}
    assert here.read() == there.read() == "two"
    # As when a command is repeated that was killed.
    here.publication.remove("one")


def test_a_hold_is_seen_by_all_until_it_is_released(machines: Pair) -> None:
    here, there = machines
    here.publish("one")
    here.publish("two", "one")
    here.publication.hold("one")
    there.publication.refresh(with_retained=True)
    assert hold_path(there.published, "one").exists()

    there.publication.release("one")
    here.publication.refresh(with_retained=True)
    assert not hold_path(here.published, "one").exists()
    assert here.retained() == {"one": "one"}
    there.publication.release("one")


def test_what_readers_have_can_be_held_and_is_then_retained_though_nobody_keeps_it(
    machines: Pair,
) -> None:
    here, there = machines
    here.publish("one")
    here.publication.hold("one")
    there.publish("two", "one", keep=False)

    assert here.retained() == there.retained() == {"one": "one"}


def test_removing_ends_a_hold(machines: Pair) -> None:
    here, there = machines
    here.publish("one")
    here.publish("two", "one")
    here.publication.hold("one")
    there.publication.remove("one", at_once=True)
    here.publication.refresh(with_retained=True)

    assert not hold_path(here.published, "one").exists()
    assert not retained_path(here.published, "one").exists()


def test_builds_for_open_readers_only_can_be_removed_and_nothing_else_goes(
    machines: Pair,
) -> None:
    here, there = machines
    here.publish("one")
    here.publish("two", "one")
    here.publish("three", "two", keep=False)
    there.publication.remove_unretained()
    there.publication.remove_unretained()

    assert here.read() == there.read() == "three"
    assert here.retained() == there.retained() == {"one": "one"}


def test_who_has_the_file_open_keeps_what_it_was(machines: Pair) -> None:
    here, there = machines
    here.publish("one")
    there.read()
    with there.published.open() as reader:
        here.publish("two", "one")
        there.publication.refresh()
        assert reader.read() == "one"
    assert there.read() == "two"


def test_nothing_to_change_before_the_first_publication_is_no_error(machines: Pair) -> None:
    here, _ = machines
    here.publication.remove("one", at_once=True)
    here.publication.remove_unretained()
    here.publication.release("one")


def test_a_file_is_its_own_publication_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    assert isinstance(publication_at(tmp_path / "leads.duckdb"), FilePublication)
