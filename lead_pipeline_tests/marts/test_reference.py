"""Every mart against a second computation, to the last row, on a world made to break them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.candidate import prepare_candidate
from lead_pipeline_tests.marts.building import rows_of, run_dbt
from lead_pipeline_tests.marts.reference import MARTS, Reference
from lead_pipeline_tests.marts.world import World


@pytest.fixture(scope="module")
def world() -> World:
    return World.invent(leads=500, days=60, seed=20260101)


@pytest.fixture(scope="module")
def reference(world: World) -> Reference:
    return Reference(world.frames())


@pytest.fixture(scope="module")
def candidate(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of the world in which all data tests and unit tests have passed."""
    folder = tmp_path_factory.mktemp("marts")
    path = folder / "leads.duckdb"
    prepare_candidate(world.write_warehouse(folder / "warehouse.duckdb"), path)
    run_dbt(folder / "target", path, "build")
    return path


@pytest.mark.parametrize("mart", sorted(MARTS))
def test_mart_is_what_a_second_computation_says(
    mart: str, candidate: Path, reference: Reference
) -> None:
    compute, key = MARTS[mart]
    expected = {tuple(row[part] for part in key): row for row in compute(reference)}
    found = {tuple(row[part] for part in key): row for row in rows_of(candidate, f"marts.{mart}")}
    assert found.keys() == expected.keys()
    assert len(found) > 5, "a world too small to prove anything"
    for identity, row in found.items():
        differences = {
            column: (value, expected[identity].get(column))
            for column, value in row.items()
            if not same(value, expected[identity].get(column))
        }
        assert differences == {}, identity


def same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and expected is not None:
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return bool(found == expected)
