"""Every mart against a second computation, to the last row, on a world made to break them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lead_pipeline_tests.marts.building import BuiltWorld, rows_of
from lead_pipeline_tests.marts.reference import MARTS, Reference

LENGTHS = ("p50_", "p90_")
"""Estimates of lengths of time: `lead_pipeline_tests/truth` has what they are compared with."""


@pytest.fixture(scope="module")
def reference(built_world: BuiltWorld) -> Reference:
    return Reference(built_world.world.frames(), built_world.world.crawls)


@pytest.mark.parametrize("mart", sorted(MARTS))
def test_mart_is_what_a_second_computation_says(
    mart: str, built_world: BuiltWorld, reference: Reference
) -> None:
    compute, key = MARTS[mart]
    expected = {tuple(row[part] for part in key): row for row in compute(reference)}
    found = {
        tuple(row[part] for part in key): row
        for row in rows_of(built_world.candidate, f"marts.{mart}")
    }
    assert found.keys() == expected.keys()
    assert len(found) > 5, "a world too small to prove anything"
    for identity, row in found.items():
        differences = {
            column: (value, expected[identity].get(column))
            for column, value in row.items()
            if not column.startswith(LENGTHS) and not same(value, expected[identity].get(column))
        }
        assert differences == {}, identity


def same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and expected is not None:
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return bool(found == expected)
