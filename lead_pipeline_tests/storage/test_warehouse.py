"""The tables between those who load and read them: the contract of every kind of warehouse.

One file in its place, which two processes of a home take turns at; and a team's generations, of which
two machines have copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from lead_pipeline.storage.warehouse import (
    FileWarehouse,
    Warehouse,
    open_warehouse,
    read_warehouse,
    replace_warehouse,
    use_warehouse,
    warehouse_at,
)

LIMIT = "100MB"


@dataclass(frozen=True)
class Machine:
    """Where tables are loaded and read."""

    path: Path

    @property
    def warehouse(self) -> Warehouse:
        """The tables, as this machine sees them."""
        return warehouse_at(self.path)

    def load(self, rows: int) -> None:
        """Bring the tables up to so many rows, as a load does: what is there already stays."""
        with self.warehouse.changing():
            self.write(rows)

    def write(self, rows: int) -> None:
        """The same in the file, which is checked out."""
        with open_warehouse(self.path, LIMIT) as connection:
            connection.execute("create table if not exists loaded (n integer)")
            connection.execute(
                "insert into loaded select range from range($rows) "
                "where range not in (select n from loaded)",
                {"rows": rows},
            )

    def fail_in_a_transaction(self) -> None:
        """Change the file, which is checked out, and do not come to an end."""
        with open_warehouse(self.path, LIMIT) as connection:
            connection.execute("begin")
            connection.execute("insert into loaded values (99)")
            raise ZeroDivisionError

    def rows(self) -> int:
        """How many rows whoever reads now finds."""
        with read_warehouse(self.path) as connection:
            (found,) = connection.execute("select count(*) from loaded").fetchone() or (0,)
            return int(found)


@pytest.fixture(autouse=True)
def no_warehouses_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test says of its files counts for that test alone."""
    monkeypatch.setattr("lead_pipeline.storage.warehouse._of_files", {})


@pytest.fixture(params=["folder", "team"])
def machines(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Machine, Machine]:
    """Two who share tables; in a folder both see the same file."""
    here = tmp_path / "here" / "warehouse.duckdb"
    if request.param == "folder":
        return Machine(here), Machine(here)
    from lead_pipeline.storage.team.objects import open_store
    from lead_pipeline.storage.team.warehouse import TeamWarehouse

    store = open_store(request.getfixturevalue("shared"))
    there = tmp_path / "there" / "warehouse.duckdb"
    for path in (here, there):
        use_warehouse(path, TeamWarehouse(path, store))
    return Machine(here), Machine(there)


def test_before_the_first_load_there_are_no_tables_and_no_file(
    machines: tuple[Machine, Machine],
) -> None:
    here, there = machines
    here.warehouse.check_out()

    assert not here.warehouse.exists()
    assert not there.warehouse.exists()
    assert not here.path.exists()


def test_what_one_has_loaded_all_read(machines: tuple[Machine, Machine]) -> None:
    here, there = machines
    here.load(3)

    assert there.warehouse.exists()
    assert there.rows() == 3


def test_loads_in_turn_build_upon_each_other(machines: tuple[Machine, Machine]) -> None:
    here, there = machines
    for number, machine in enumerate((here, there, there, here), start=1):
        machine.load(number)

    assert here.rows() == there.rows() == 4


def test_tables_that_are_rebuilt_replace_the_others(machines: tuple[Machine, Machine]) -> None:
    here, there = machines
    here.load(5)
    scratch = Machine(there.path.with_name("scratch.duckdb"))
    with there.warehouse.changing(rebuild=True):
        scratch.write(2)
        replace_warehouse(scratch.path, there.path)

    assert here.rows() == there.rows() == 2


def test_who_reads_only_changes_nothing(machines: tuple[Machine, Machine]) -> None:
    here, there = machines
    here.load(1)
    before = here.path.read_bytes()
    there.rows()
    with there.warehouse.changing():
        pass
    here.warehouse.check_out()

    assert here.path.read_bytes() == before


def test_an_error_inside_leaves_what_was_committed_before(
    machines: tuple[Machine, Machine],
) -> None:
    here, there = machines
    here.load(1)
    with pytest.raises(ZeroDivisionError), here.warehouse.changing():
        here.fail_in_a_transaction()

    assert here.rows() == there.rows() == 1


@pytest.mark.parametrize("who", [0, 1])
def test_discarded_tables_are_gone_for_all_and_can_be_rebuilt(
    machines: tuple[Machine, Machine], who: int
) -> None:
    here, there = machines
    here.load(5)
    there.rows()
    machines[who].warehouse.discard()

    assert not here.warehouse.exists()
    assert not there.warehouse.exists()
    there.load(2)
    assert here.rows() == 2


def test_earlier_states_can_be_removed_and_the_tables_stay(
    machines: tuple[Machine, Machine],
) -> None:
    here, there = machines
    here.load(1)
    here.load(2)
    there.warehouse.discard_earlier()

    assert there.warehouse.discard_earlier() == []
    assert here.rows() == there.rows() == 2


def test_a_file_is_its_own_warehouse_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    assert isinstance(warehouse_at(tmp_path / "warehouse.duckdb"), FileWarehouse)
