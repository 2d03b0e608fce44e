"""Generations of a team's tables: two loaders at once, loads that are killed, what is left behind."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from lead_pipeline.errors import LoadError
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import wal_of
from lead_pipeline.storage.files import digest_of
from lead_pipeline.storage.team.objects import ObjectStore, Version, open_store
from lead_pipeline.storage.team.warehouse import POINTER, Generation, TeamWarehouse
from lead_pipeline.storage.warehouse import Superseded, use_warehouse
from lead_pipeline_tests.normalized.landings import Landing, table
from lead_pipeline_tests.pulling import MAKE_LEAD, at, settings_in
from lead_pipeline_tests.team import loading
from lead_pipeline_tests.team.object_store import Passage, S3Server
from lead_pipeline_tests.team.request_kills import killed_at_request


@pytest.fixture(autouse=True)
def no_warehouses_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test says of its files counts for that test alone."""
    monkeypatch.setattr("lead_pipeline.storage.warehouse._of_files", {})


def pointer(store: ObjectStore) -> Generation:
    """What the store says are the newest tables."""
    return msgspec.json.decode(store.get(POINTER).content, type=Generation)


def generations(store: ObjectStore) -> list[str]:
    """The objects that hold tables, named by a pointer or not."""
    return [found.name for found in store.list("warehouse") if found.name != POINTER]


def test_the_newest_generation_and_the_one_before_are_kept(shared: str, tmp_path: Path) -> None:
    for rows in range(1, 5):
        loading.load(tmp_path / "home", shared, rows)
    store = open_store(shared)
    newest = pointer(store)

    assert generations(store) == [
        f"warehouse/{newest.before}.duckdb",
        f"warehouse/{newest.generation}.duckdb",
    ]
    found = store.get(newest.object_name).content
    assert len(found) == newest.bytes
    assert digest_of(tmp_path / "home" / "warehouse.duckdb") == newest.sha256


def test_what_has_not_changed_is_not_uploaded_again(shared: str, tmp_path: Path) -> None:
    loading.load(tmp_path / "home", shared, 3)
    before = pointer(open_store(shared))
    loading.load(tmp_path / "another", shared, 3)

    assert pointer(open_store(shared)) == before


def test_a_copy_that_is_the_newest_generation_is_not_downloaded_again(
    s3_server: S3Server, shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Passage(s3_server).open() as passage:
        monkeypatch.setenv("AWS_ENDPOINT_URL", passage.variables["AWS_ENDPOINT_URL"])
        loading.load(tmp_path / "home", shared, 3)
        passage.requests.clear()
        assert loading.rows(tmp_path / "home", shared) == 3
        assert loading.rows(tmp_path / "another", shared) == 3
        assert loading.rows(tmp_path / "another", shared) == 3

    downloads = [found for found in passage.requests if found.path.endswith(".duckdb")]
    assert len(downloads) == 1


def test_a_copy_that_somebody_has_written_to_is_not_believed(shared: str, tmp_path: Path) -> None:
    loading.load(tmp_path / "home", shared, 3)
    # As a version of the pipeline that knows of no team would.
    loading.write(tmp_path / "home" / "warehouse.duckdb", 99)

    assert loading.rows(tmp_path / "home", shared) == 3


def test_a_log_that_a_killed_load_has_left_is_applied_to_nothing(
    shared: str, tmp_path: Path
) -> None:
    loading.load(tmp_path / "home", shared, 3)
    wal_of(tmp_path / "home" / "warehouse.duckdb").write_bytes(b"half a transaction")

    assert loading.rows(tmp_path / "home", shared) == 3
    loading.load(tmp_path / "home", shared, 4)
    assert loading.rows(tmp_path / "another", shared) == 4


def fail_after(path: Path) -> None:
    """Write, close the file, and fail all the same."""
    loading.write(path, 99)
    raise ZeroDivisionError


def test_an_error_inside_leaves_no_generation_behind(shared: str, tmp_path: Path) -> None:
    loading.load(tmp_path / "home", shared, 3)
    before = generations(open_store(shared))
    path = loading.file_of(tmp_path / "home", shared)
    with pytest.raises(ZeroDivisionError), TeamWarehouse(path, open_store(shared)).changing():
        fail_after(path)

    assert generations(open_store(shared)) == before
    assert loading.rows(tmp_path / "home", shared) == 3


def write_while_another_loads(path: Path, other: Path, url: str) -> None:
    """What a loader does in whose time another one commits."""
    loading.write(path, 50)
    loading.load(other, url, 2)


def test_of_two_loads_at_once_the_second_commits_nothing(shared: str, tmp_path: Path) -> None:
    loading.load(tmp_path / "one", shared, 1)
    slow = loading.file_of(tmp_path / "one", shared)
    with pytest.raises(Superseded), TeamWarehouse(slow, open_store(shared)).changing():
        write_while_another_loads(slow, tmp_path / "two", shared)

    assert loading.rows(tmp_path / "one", shared) == 2
    assert len(generations(open_store(shared))) == 2


def test_of_two_first_loads_at_once_one_wins(shared: str, tmp_path: Path) -> None:
    slow = loading.file_of(tmp_path / "one", shared)
    with pytest.raises(Superseded), TeamWarehouse(slow, open_store(shared)).changing():
        write_while_another_loads(slow, tmp_path / "two", shared)

    assert loading.rows(tmp_path / "one", shared) == 2


class Interrupted(ObjectStore):
    """A store whose first upload waits until another loader has committed."""

    def __init__(self, store: ObjectStore, other: Settings) -> None:
        super().__init__(store.url, store._connection)
        self._other: Settings | None = other

    def put_file(self, name: str, path: Path) -> Version:
        """Upload, after the other one."""
        other, self._other = self._other, None
        if other is not None:
            load_landing(other)
        return super().put_file(name, path)


def test_a_loader_that_loses_loads_again_and_ends_with_the_same_tables(
    shared: str, tmp_path: Path
) -> None:
    lead = MAKE_LEAD["mega"]
    homes = [settings_in(tmp_path / name) for name in ("one", "two", "alone")]
    for settings in homes:
        landing = Landing(settings)
        landing.leads("mega", *(lead(n, at(n)) for n in range(1, 6)))
    one, two, alone = homes
    store = open_store(shared)
    use_warehouse(two.warehouse_path, TeamWarehouse(two.warehouse_path, store))
    use_warehouse(one.warehouse_path, TeamWarehouse(one.warehouse_path, Interrupted(store, two)))
    told: list[str] = []
    load_landing(one, tell=told.append)
    load_landing(alone)

    assert any("Another load has committed" in sentence for sentence in told)
    for name in ("lead_versions", "leads", "lead_stage_history"):
        assert table(one, name) == table(two, name) == table(alone, name)
    assert table(one, "leads")


def test_a_generation_that_is_gone_is_told_with_the_way_out(shared: str, tmp_path: Path) -> None:
    loading.load(tmp_path / "home", shared, 3)
    store = open_store(shared)
    store.delete(pointer(store).object_name)

    with pytest.raises(LoadError, match=r"is gone.*lead-pipeline rebuild"):
        loading.rows(tmp_path / "another", shared)
    path = loading.file_of(tmp_path / "another", shared)
    with TeamWarehouse(path, store).changing(rebuild=True):
        loading.write(path, 3)
    assert loading.rows(tmp_path / "home", shared) == 3


def test_a_pointer_that_cannot_be_read_is_told(shared: str, tmp_path: Path) -> None:
    open_store(shared).put(POINTER, b"{")

    with pytest.raises(LoadError, match=r"warehouse/current.json is not what was written there"):
        loading.rows(tmp_path / "home", shared)


def test_discarding_leaves_no_object_that_holds_tables(shared: str, tmp_path: Path) -> None:
    for rows in (1, 2):
        loading.load(tmp_path / "home", shared, rows)
    path = loading.file_of(tmp_path / "another", shared)
    TeamWarehouse(path, open_store(shared)).discard()

    assert list(open_store(shared).list()) == []


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(False, id="before", marks=[pytest.mark.long]),
        pytest.param(True, id="after"),
    ],
)
def test_a_load_that_is_killed_at_a_request_leaves_nothing_for_a_hand(
    s3_server: S3Server, shared: str, tmp_path: Path, *, after: bool
) -> None:
    loading.load(tmp_path / "killed", shared, 2)
    loading.load(tmp_path / "killed", shared, 3)
    number = 0
    while killed_at(number := number + 1, s3_server, shared, tmp_path / "killed", after=after):
        rows = 3 + number
        assert loading.rows(tmp_path / "reader", shared) in (rows - 1, rows)
        loading.load(tmp_path / ("killed" if number % 2 else "another"), shared, rows)
        store = open_store(shared)
        assert loading.rows(tmp_path / "killed", shared) == rows
        assert loading.rows(tmp_path / "reader", shared) == rows
        newest = pointer(store)
        assert set(generations(store)) <= {
            newest.object_name,
            f"warehouse/{newest.before}.duckdb",
        }

    assert number > 3, "a load changes the store by more requests"


def killed_at(number: int, server: S3Server, url: str, home: Path, *, after: bool) -> bool:
    """Kill a load at its request of that number that changes the store."""
    arguments = [str(home), url, str(3 + number)]
    return killed_at_request(number, server, loading.__name__, arguments, after=after)


def test_the_pointer_can_be_read_by_people(shared: str, tmp_path: Path) -> None:
    loading.load(tmp_path / "home", shared, 1)
    said = json.loads(open_store(shared).get(POINTER).content)

    assert set(said) == {"generation", "sha256", "bytes", "committed_at", "before"}
