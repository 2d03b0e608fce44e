"""`lead_daily_history` goes on from the last published file and ends where a new start would."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.bi import dbt_project
from lead_pipeline.bi.candidate import mark_tested, prepare_candidate
from lead_pipeline.bi.daily_history import seed_daily_history
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.building import rows_of, run_dbt
from lead_pipeline_tests.marts.reference import Reference
from lead_pipeline_tests.marts.world import World
from lead_pipeline_tests.sample_builds import MASK, as_an_earlier_version_masked_it

DAYS = "marts.lead_daily_history"
DIGESTS = "meta.lead_history_digests"
SELECTED = "+lead_history_digests"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("daily_history")


def prepare(world: World, folder: Path, name: str) -> Path:
    """A candidate as the pipeline makes it, before dbt."""
    candidate = folder / name / "leads.duckdb"
    prepare_candidate(world.write_warehouse(folder / "warehouse.duckdb"), candidate)
    return candidate


def build(candidate: Path, last: Path | None = None) -> bool:
    """Build the days in `candidate`, from what `last` holds; whether it could be used."""
    is_seeded = last is not None and seed_daily_history(
        last, candidate, dbt_project.load_manifest()
    )
    run_dbt(candidate.parent / "target", candidate, "run", "--select", SELECTED)
    return is_seeded


def by_key(rows: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    return {(row["lead_key"], row["date_day"]): row for row in rows}


def change(days: int) -> Callable[[World], None]:
    return lambda world: world.live_on(days)


def stay_quiet(days: int) -> Callable[[World], None]:
    return lambda world: world.stay_quiet(days)


NIGHTS = (change(0), change(1), change(5), stay_quiet(6), change(1), change(-3))
"""What happens before each build: at last, time is turned back."""


@pytest.fixture(scope="module")
def nights(folder: Path) -> list[tuple[World, Path]]:
    """Builds of some nights, each on the one before, each what a second computation says."""
    world = World.invent(leads=150, days=40, seed=7)
    builds: list[Path] = []
    for night, happen in enumerate(NIGHTS):
        happen(world)
        candidate = prepare(world, folder, f"night{night}")
        is_seeded = build(candidate, builds[-1] if builds else None)
        assert is_seeded == bool(builds)
        found = by_key(rows_of(candidate, DAYS))
        expected = Reference(world.frames(), world.crawls).lead_daily_history()
        assert found == by_key(expected), f"night {night}"
        builds.append(candidate)
    return [(world, path) for path in builds]


def test_quiet_nights_add_their_days_to_accounts_that_are_complete(
    nights: list[tuple[World, Path]],
) -> None:
    """In the six days before `after` nothing changed: each history has the digest it had."""
    before, after = (rows_of(nights[night][1], DAYS) for night in (2, 3))
    digests = [sorted(rows_of(nights[night][1], DIGESTS), key=str) for night in (2, 3)]
    assert digests[0] == digests[1]

    def last_days(rows: list[dict[str, Any]]) -> dict[str, date]:
        return {row["account"]: row["date_day"] for row in sorted(rows, key=itemgetter("date_day"))}

    grown = {
        account: (last - last_days(before)[account]).days
        for account, last in last_days(after).items()
    }
    assert {account: grown[account] for account in ("mega", "mega_quiet", "vorel")} == {
        "mega": 6,
        "mega_quiet": 6,
        "vorel": 0,
    }


def test_nights_in_a_row_give_the_same_rows_as_one_computation_of_everything(
    nights: list[tuple[World, Path]], folder: Path
) -> None:
    world, last = nights[-1]
    anew = prepare(world, folder, "anew")
    assert not build(anew)
    assert sorted(rows_of(last, DAYS), key=str) == sorted(rows_of(anew, DAYS), key=str)
    assert sorted(rows_of(last, DIGESTS), key=str) == sorted(rows_of(anew, DIGESTS), key=str)


def test_rows_of_leads_whose_history_did_not_change_are_kept(
    nights: list[tuple[World, Path]], folder: Path
) -> None:
    world, last = nights[-1]
    before = {row["lead_key"]: row["history_digest"] for row in rows_of(last, DIGESTS)}
    marked = folder / "marked.duckdb"
    marked.write_bytes(last.read_bytes())
    with closing(connect_utc(marked)) as connection:
        connection.execute("update marts.lead_daily_history set evidence = 'kept'")
    world.live_on(1)
    candidate = prepare(world, folder, "after_mark")
    assert build(candidate, marked)
    after = {row["lead_key"]: row["history_digest"] for row in rows_of(candidate, DIGESTS)}
    unchanged = {key for key, digest in after.items() if before.get(key) == digest}
    assert len(unchanged) > len(after) / 2
    kept = {row["lead_key"] for row in rows_of(candidate, DAYS) if row["evidence"] == "kept"}
    assert kept == unchanged


@pytest.mark.parametrize(
    "damage",
    [
        f"alter table {DAYS} add column more integer",
        f"alter table {DAYS} alter column stage_number type integer",
        f"drop table {DIGESTS}",
    ],
)
def test_published_days_of_another_shape_are_not_used(
    damage: str, nights: list[tuple[World, Path]], tmp_path: Path
) -> None:
    world, last = nights[-1]
    other = tmp_path / "published.duckdb"
    other.write_bytes(last.read_bytes())
    with closing(connect_utc(other)) as connection:
        connection.execute(damage)
    candidate = prepare(world, tmp_path, "candidate")
    assert not seed_daily_history(other, candidate, dbt_project.load_manifest())


def test_days_that_an_earlier_version_masked_are_not_used(
    nights: list[tuple[World, Path]], tmp_path: Path
) -> None:
    world, last = nights[-1]
    masked, candidate = tmp_path / "published.duckdb", tmp_path / "candidate.duckdb"
    masked.write_bytes(last.read_bytes())
    with closing(connect_utc(masked)) as connection:
        connection.execute(
            "insert into meta.masking values ('leads', 'email', 'hash_email', ?)", [MASK.key_id]
        )
    mark_tested(masked, run_id="run", tests_passed=1)
    warehouse = world.write_warehouse(tmp_path / "warehouse.duckdb")
    manifest = dbt_project.load_manifest()
    prepare_candidate(warehouse, candidate, MASK)
    assert seed_daily_history(masked, candidate, manifest)
    as_an_earlier_version_masked_it(masked)
    prepare_candidate(warehouse, candidate, MASK)
    assert not seed_daily_history(masked, candidate, manifest)


def test_published_file_that_cannot_be_read_is_not_used(tmp_path: Path) -> None:
    other = tmp_path / "published.duckdb"
    assert not seed_daily_history(other, tmp_path / "none.duckdb", dbt_project.load_manifest())
    other.write_bytes(b"not a database")
    assert not seed_daily_history(other, tmp_path / "none.duckdb", dbt_project.load_manifest())


def test_seeded_tables_are_declared_as_the_published_ones(
    nights: list[tuple[World, Path]],
) -> None:
    declared = "select sql from duckdb_tables() where table_name = 'lead_daily_history'"
    texts = set()
    for _, path in nights:
        with closing(connect_utc(path, read_only=True)) as connection:
            texts.add(str(connection.execute(declared).fetchone()))
    assert len(texts) == 1
    assert "NOT NULL" in texts.pop()
