"""When a figure is true, and what a null says: the rule that all marts are held to."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lead_pipeline_tests.truth.comparison import compare

MOMENT = datetime(2026, 1, 5, tzinfo=UTC)


def bounded(figure: str, estimate: Any, lower: Any, upper: Any) -> dict[str, Any]:
    return {figure: estimate, f"{figure}_lower": lower, f"{figure}_upper": upper}


def verdict(row: dict[str, Any], figure: str, truth: Any, population: int | None = None) -> str:
    return compare(row, figure, truth, population=population).verdict


@pytest.mark.parametrize(("told", "found"), [(3, "contained"), (4, "contradiction")])
def test_a_figure_without_bounds_is_the_truth(told: int, found: str) -> None:
    assert verdict({"leads": told}, "leads", 3) == found


@pytest.mark.parametrize(
    ("truth", "found"),
    [(1, "contradiction"), (2, "contained"), (5, "contained"), (6, "contradiction")],
)
def test_the_truth_lies_between_bounds_or_on_them(truth: int, found: str) -> None:
    assert verdict(bounded("leads_entered", 3, 2, 5), "leads_entered", truth) == found


@pytest.mark.parametrize(("truth", "found"), [(2, "contradiction"), (3, "contained")])
def test_with_one_bound_the_figure_is_the_other(truth: int, found: str) -> None:
    row = {"reached_won": 3, "reached_won_upper": 4}
    assert verdict(row, "reached_won", truth) == found


def test_a_figure_outside_of_its_own_bounds_is_wrong() -> None:
    assert verdict(bounded("p50_days", 6.0, 2.0, 5.0), "p50_days", 3.0) == "contradiction"


def test_a_length_may_be_null_only_where_its_bounds_are_wider_than_it() -> None:
    assert verdict(bounded("p50_days", None, 1.0, 5.0), "p50_days", 3.0) == "contained"
    assert verdict(bounded("p50_days", None, 4.0, 5.0), "p50_days", 4.5) == "contradiction"


def test_a_quantile_without_an_upper_bound_may_have_no_end() -> None:
    row = bounded("p90_days", None, 4.0, None)
    assert verdict(row, "p90_days", None, population=3) == "contained"
    assert verdict(row, "p90_days", 9.0, population=3) == "contained"
    assert verdict(row, "p90_days", 3.0, population=3) == "contradiction"


def test_of_nobody_a_quantile_says_nothing() -> None:
    nothing = bounded("p50_days", None, None, None)
    assert verdict(nothing, "p50_days", 3.0, population=0) == "not said"
    assert verdict(bounded("p50_days", None, 0.0, None), "p50_days", 3.0, 0) == "not said"
    assert verdict(nothing, "p50_days", 3.0, population=2) == "contradiction"
    told = bounded("p50_days", 1.0, 1.0, 1.0)
    assert verdict(told, "p50_days", 1.0, population=0) == "contradiction"


def test_a_null_without_bounds_is_no_answer() -> None:
    assert verdict({"leads_won": None}, "leads_won", 0) == "contradiction"


@pytest.mark.parametrize(("seconds", "found"), [(1, "contained"), (2, "contradiction")])
def test_moments_are_compared_to_the_second(seconds: int, found: str) -> None:
    row = {"watched_from": MOMENT}
    assert verdict(row, "watched_from", MOMENT + timedelta(seconds=seconds)) == found


def test_the_width_of_bounds_is_their_distance() -> None:
    assert compare(bounded("p50_days", 3.0, 2.0, 5.0), "p50_days", 3.0).width == 3
    assert compare(bounded("p50_days", 3.0, 2.0, None), "p50_days", 3.0).width == math.inf
    assert compare({"leads": 3}, "leads", 3).width is None
    assert math.isinf(compare(bounded("p50_days", 3.0, 2.0, None), "p50_days", None).truth)
