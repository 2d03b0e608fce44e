"""The catalog beside the file: all of its files or none, and those of the build that readers have."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lead_pipeline.storage.catalogs import (
    CATALOG_FILES,
    catalog_folder,
    hide_catalog,
    keep_catalog,
    prune_catalogs,
    show_catalog,
    shown_catalog,
)
from lead_pipeline.storage.permissions import Readers, let_in


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "bi" / "leads.duckdb"
    path.parent.mkdir()
    return path


def keep(published: Path, build: str, readers: Readers | None = None) -> None:
    files = {name: f"{name} of {build}".encode() for name in CATALOG_FILES}
    keep_catalog(published, build, files, readers)


def builds_seen(published: Path) -> set[str]:
    """Of which builds the files are that readers find."""
    folder = shown_catalog(published)
    if not folder.exists():
        return set()
    assert sorted(path.name for path in folder.iterdir()) == sorted(CATALOG_FILES)
    return {path.read_text().rpartition(" ")[2] for path in folder.iterdir()}


def test_readers_see_the_catalog_that_is_shown_and_no_other(published: Path) -> None:
    keep(published, "one")
    assert builds_seen(published) == set()
    show_catalog(published, "one")
    keep(published, "two")
    assert builds_seen(published) == {"one"}
    show_catalog(published, "two")
    assert builds_seen(published) == {"two"}
    show_catalog(published, "one")
    assert builds_seen(published) == {"one"}


def test_build_without_a_catalog_shows_none(published: Path) -> None:
    keep(published, "one")
    show_catalog(published, "one")
    show_catalog(published, "two")
    assert builds_seen(published) == set()
    hide_catalog(published)


def test_who_reads_a_file_of_the_old_one_reads_it_to_its_end(published: Path) -> None:
    keep(published, "one")
    show_catalog(published, "one")
    with (shown_catalog(published) / "manifest.json").open() as file:
        keep(published, "two")
        show_catalog(published, "two")
        prune_catalogs(published, {"two"})
        assert file.read() == "manifest.json of one"
    assert [path.name for path in published.with_name(".catalogs").iterdir()] == ["two"]


def test_home_can_be_moved(published: Path, tmp_path: Path) -> None:
    keep(published, "one")
    show_catalog(published, "one")
    moved = published.parent.rename(tmp_path / "elsewhere")
    assert builds_seen(moved / published.name) == {"one"}


def test_file_system_without_links_gets_a_copy(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, target: Path, target_is_directory: bool = False) -> None:
        raise OSError("Operation not supported")

    monkeypatch.setattr(Path, "symlink_to", refused)
    for build in ("one", "two", "one"):
        keep(published, build)
        show_catalog(published, build)
        assert builds_seen(published) == {build}
    hide_catalog(published)
    assert builds_seen(published) == set()


def test_what_a_killed_process_left_is_no_catalog_and_is_in_nobodys_way(published: Path) -> None:
    half = catalog_folder(published, "one").with_name(".one.new")
    half.mkdir(parents=True)
    (half / "manifest.json").write_text("half of it")
    (published.parent / ".catalog.new").symlink_to(".catalogs/gone")
    show_catalog(published, "one")
    assert builds_seen(published) == set()
    keep(published, "one")
    show_catalog(published, "one")
    assert builds_seen(published) == {"one"}
    prune_catalogs(published, {"one"})
    assert [path.name for path in published.with_name(".catalogs").iterdir()] == ["one"]


def test_only_this_user_and_the_group_of_readers_may_read_it(published: Path) -> None:
    keep(published, "private")
    folder = catalog_folder(published, "private")
    assert [mode(path) for path in (folder.parent, folder, *folder.iterdir())] == [
        *(0o700, 0o700),
        *(0o600 for _ in CATALOG_FILES),
    ]
    readers = Readers(os.getgid(), "readers")
    keep(published, "shown", readers)
    folder = catalog_folder(published, "shown")
    assert [mode(path) for path in (folder.parent, folder, *folder.iterdir())] == [
        *(0o750, 0o750),
        *(0o640 for _ in CATALOG_FILES),
    ]
    # A group that is named later gets those that are there.
    let_in(published.parent.parent, readers)
    assert {mode(path) for path in catalog_folder(published, "private").iterdir()} == {0o640}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
