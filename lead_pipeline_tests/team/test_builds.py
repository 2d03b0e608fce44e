"""A team's builds and pointer: two publishers at once, kills, what stays for whom, what is damaged."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from lead_pipeline.errors import PublishError, StoreUnavailable
from lead_pipeline.storage.catalogs import CATALOG_FILES, keep_catalog, shown_catalog
from lead_pipeline.storage.publication import PAGES, publication_at, refreshed, retained_folder
from lead_pipeline.storage.team import publication as team_publication
from lead_pipeline.storage.team.builds import CURRENT, POINTER, Current, current_of, object_of
from lead_pipeline.storage.team.objects import ObjectStore, open_store
from lead_pipeline_tests.team import publishing
from lead_pipeline_tests.team.object_store import S3Server
from lead_pipeline_tests.team.publishing import make_build, publish, published_of, stamp_in
from lead_pipeline_tests.team.request_kills import killed_at_request


@pytest.fixture(autouse=True)
def no_publications_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test says of its files counts for that test alone."""
    monkeypatch.setattr("lead_pipeline.storage.publication._of_files", {})


def pointer(store: ObjectStore) -> Current:
    """What the store says that readers have."""
    found = current_of(store)
    assert found is not None
    return found[0]


def objects(store: ObjectStore) -> list[str]:
    """Builds and pages that lie in the store."""
    return [found.name.removeprefix("bi/builds/") for found in store.list("bi/builds")]


def objects_of(*builds: str) -> list[str]:
    """What lies in the store where it has these builds, in order of their names."""
    return [
        f"{build}.{suffix}" for build in builds for suffix in ("duckdb", "explore.html", "html")
    ]


def test_each_build_lies_under_its_own_name_with_its_pages(shared: str, tmp_path: Path) -> None:
    publish(tmp_path / "home", shared, "one", None)
    publish(tmp_path / "home", shared, "two", "one")
    store = open_store(shared)
    found = pointer(store)

    assert objects(store) == objects_of("one", "two")
    assert (found.build, found.object) == ("two", "bi/builds/two.duckdb")
    assert store.get(found.object).content == (tmp_path / "home/bi/leads.duckdb").read_bytes()
    assert store.get("bi/builds/two.html").content == b"<p>two</p>"
    assert store.get("bi/builds/two.explore.html").content == b"<p>two</p>"


def test_a_statement_attaches_what_readers_have(shared: str, tmp_path: Path) -> None:
    publish(tmp_path / "home", shared, "one", None)
    lines = open_store(shared).get(CURRENT).content.decode().splitlines()

    assert lines[-1] == f"attach '{shared}/bi/builds/one.duckdb' as leads (read_only);"
    assert all(line.startswith("--") for line in lines[:-1])


def test_another_machine_gets_the_pages_of_what_readers_have(shared: str, tmp_path: Path) -> None:
    publish(tmp_path / "home", shared, "one", None)
    there = published_of(tmp_path / "another", shared)
    there.parent.mkdir(parents=True)
    there.with_name("report.html").write_text("<p>of another build</p>")

    assert stamp_in(refreshed(there)) == "one"
    assert [(there.parent / page).read_text() for page in PAGES] == ["<p>one</p>"] * 2
    assert stat.S_IMODE(there.stat().st_mode) == 0o400


def publish_with_catalog(home: Path, url: str, build: str, before: str | None) -> None:
    publish(home, url, build, before)
    published = published_of(home, url)
    keep_catalog(published, build, {name: build.encode() for name in CATALOG_FILES}, None)
    publication_at(published).show_catalog(build)


def catalog_of(published: Path) -> set[str]:
    """Of which builds the files of the catalog say that they are."""
    folder = shown_catalog(published)
    return {path.read_text() for path in folder.iterdir()} if folder.exists() else set()


def test_another_machine_gets_the_catalog_of_what_readers_have(shared: str, tmp_path: Path) -> None:
    publish_with_catalog(tmp_path / "home", shared, "one", None)
    publish_with_catalog(tmp_path / "home", shared, "two", "one")
    there = published_of(tmp_path / "another", shared)

    assert stamp_in(refreshed(there)) == "two"
    assert catalog_of(there) == {"two"}
    # A rollback there, where the earlier build was never published.
    publication_at(there).refresh(with_retained=True)
    publication_at(there).go_back("one", "two", keep=True)
    publication_at(there).show_catalog("one")
    assert catalog_of(there) == {"one"}


def test_catalogs_of_a_store_go_with_their_builds(shared: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    publish_with_catalog(home, shared, "one", None)
    publish_with_catalog(home, shared, "two", "one")
    publication_at(published_of(home, shared)).remove("one", at_once=True)

    assert objects(open_store(shared)) == sorted(
        [*objects_of("two"), *(f"two.{name}" for name in CATALOG_FILES)]
    )


def test_build_without_a_catalog_shows_none_on_another_machine(shared: str, tmp_path: Path) -> None:
    publish_with_catalog(tmp_path / "home", shared, "one", None)
    there = published_of(tmp_path / "another", shared)
    refreshed(there)
    publish(tmp_path / "home", shared, "two", "one")

    assert stamp_in(refreshed(there)) == "two"
    assert catalog_of(there) == set()


def test_a_page_that_is_not_there_yet_is_not_shown_for_another_build(
    shared: str, tmp_path: Path
) -> None:
    publish(tmp_path / "home", shared, "one", None)
    open_store(shared).delete("bi/builds/one.html")
    there = published_of(tmp_path / "another", shared)
    there.parent.mkdir(parents=True)
    there.with_name("report.html").write_text("<p>of another build</p>")
    refreshed(there)

    assert not there.with_name("report.html").exists()


def test_of_two_publishers_at_once_the_second_changes_nothing(shared: str, tmp_path: Path) -> None:
    publish(tmp_path / "one", shared, "first", None)
    slow = published_of(tmp_path / "two", shared)
    publication_at(slow).refresh(with_retained=True)
    publish(tmp_path / "one", shared, "second", "first")
    finished = slow.with_name("finished.duckdb")
    make_build(finished, "late", 10)
    with pytest.raises(PublishError, match="Another process has changed what readers of"):
        publication_at(slow).publish(finished, "late", "first", keep=True)

    assert stamp_in(refreshed(slow)) == "second"
    assert stamp_in(refreshed(published_of(tmp_path / "one", shared))) == "second"
    # What the late one has uploaded goes with the next publication.
    publish(tmp_path / "two", shared, "third", "second")
    assert "late.duckdb" not in objects(open_store(shared))


def test_a_build_that_nobody_retains_stays_for_a_day_after_readers_had_it(
    shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for before, build in ((None, "one"), ("one", "two"), ("two", "three")):
        publish(tmp_path / "home", shared, build, before)
    publication = publication_at(published_of(tmp_path / "home", shared))
    publication.remove("one")
    publication.remove("two")
    store = open_store(shared)
    assert {"one.duckdb", "two.duckdb"} <= set(objects(store))
    assert list(retained_folder(tmp_path / "home/bi/leads.duckdb").glob("*.duckdb")) == []

    monkeypatch.setattr(team_publication, "ATTACHED", timedelta(0))
    publish(tmp_path / "home", shared, "four", "three")
    assert objects(store) == objects_of("four", "three")


@pytest.mark.parametrize("how", ["at once", "all that nobody retains"])
def test_what_nobody_may_have_any_longer_is_removed_at_once(
    shared: str, tmp_path: Path, how: str
) -> None:
    publish(tmp_path / "home", shared, "one", None)
    publish(tmp_path / "home", shared, "two", "one")
    publication = publication_at(published_of(tmp_path / "home", shared))
    publication.remove("one", at_once=how == "at once")
    if how != "at once":
        publication.remove_unretained()

    assert objects(open_store(shared)) == objects_of("two")
    assert [found.build for found in pointer(open_store(shared)).builds] == ["two"]


def test_what_readers_had_before_there_was_a_store_is_retained_in_it(
    shared: str, tmp_path: Path
) -> None:
    make_build(tmp_path / "home" / "bi" / "leads.duckdb", "earlier", 10)
    publish(tmp_path / "home", shared, "two", "earlier")
    there = published_of(tmp_path / "another", shared)
    publication_at(there).refresh(with_retained=True)

    assert stamp_in(there) == "two"
    assert [
        stamp_in(path) for path in retained_folder(there).iterdir() if path.suffix == ".duckdb"
    ] == ["earlier"]


def test_a_build_that_comes_damaged_is_not_shown(shared: str, tmp_path: Path) -> None:
    publish(tmp_path / "home", shared, "one", None)
    there = published_of(tmp_path / "another", shared)
    refreshed(there)
    publish(tmp_path / "home", shared, "two", "one")
    open_store(shared).put(object_of("two"), b"something else")

    with pytest.raises(StoreUnavailable, match="not what was written there"):
        refreshed(there)
    assert stamp_in(there) == "one"
    assert [path.name for path in there.parent.iterdir() if path.name.endswith(".tmp")] == []


def test_a_build_that_is_gone_is_told_with_the_way_out(shared: str, tmp_path: Path) -> None:
    publish(tmp_path / "home", shared, "one", None)
    open_store(shared).delete(object_of("one"))

    with pytest.raises(PublishError, match=r"builds/one\.duckdb, which its pointer names, is gone"):
        refreshed(published_of(tmp_path / "another", shared))


def test_a_pointer_that_cannot_be_read_is_told(shared: str, tmp_path: Path) -> None:
    open_store(shared).put(POINTER, b"[]")

    with pytest.raises(PublishError, match=r"bi/current\.json is not what was written there"):
        refreshed(published_of(tmp_path / "home", shared))


def test_a_build_that_the_store_does_not_have_cannot_be_given_back(
    shared: str, tmp_path: Path
) -> None:
    publish(tmp_path / "home", shared, "one", None)
    publication = publication_at(published_of(tmp_path / "home", shared))

    with pytest.raises(PublishError, match="does not have the build nine"):
        publication.go_back("nine", "one", keep=True)
    with pytest.raises(PublishError, match="does not have the build nine"):
        publication.hold("nine")


@pytest.mark.long
@pytest.mark.parametrize(
    "after", [pytest.param(False, id="before"), pytest.param(True, id="after")]
)
def test_a_publication_that_is_killed_at_a_request_leaves_nothing_for_a_hand(
    s3_server: S3Server, shared: str, tmp_path: Path, *, after: bool
) -> None:
    publish(tmp_path / "killed", shared, "build-00", None)
    number = 0
    current = "build-00"
    while killed_at(
        number := number + 1, s3_server, shared, tmp_path / "killed", current, after=after
    ):
        store = open_store(shared)
        reader = refreshed(published_of(tmp_path / "reader", shared))
        found = stamp_in(reader)
        assert found in (current, f"killed-{number:02d}")
        assert found == pointer(store).build
        current = f"build-{number:02d}"
        home = tmp_path / ("killed" if number % 2 else "another")
        publish(home, shared, current, found)
        assert stamp_in(refreshed(reader)) == current
        assert stamp_in(refreshed(published_of(tmp_path / "killed", shared))) == current
        assert f"builds/{current}.duckdb'" in store.get(CURRENT).content.decode()
        known = {found.build for found in pointer(store).builds}
        assert {name.partition(".")[0] for name in objects(store)} == known

    assert number > 4, "a publication changes the store by more requests"


def killed_at(
    number: int, server: S3Server, url: str, home: Path, before: str, *, after: bool
) -> bool:
    """Kill a publication at its request of that number that changes the store."""
    arguments = [str(home), url, f"killed-{number:02d}", before]
    return killed_at_request(number, server, publishing.__name__, arguments, after=after)
