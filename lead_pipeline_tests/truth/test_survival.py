"""The estimate that the marts are compared with, against curves worked out by hand."""

from __future__ import annotations

import pytest

from lead_pipeline_tests.truth.survival import Length, median, surviving_quantile


def ended(days: float, entered: float | None = None) -> Length:
    return Length(entered, days, has_ended=True)


def going_on(days: float, entered: float | None = None) -> Length:
    return Length(entered, days, has_ended=False)


def test_without_censoring_the_half_is_the_smallest_length_that_half_do_not_exceed() -> None:
    lengths = [ended(1), ended(2), ended(3), ended(4)]
    assert surviving_quantile(lengths, 0.5) == 2
    assert surviving_quantile(lengths, 0.9) == 4


def test_what_goes_on_counts_until_it_was_last_known() -> None:
    # S(1) = 3/4; at 3 two are at risk: S(3) = 3/8.
    assert surviving_quantile([ended(1), going_on(2), ended(3), going_on(5)], 0.5) == 3


def test_a_curve_that_stays_above_has_no_quantile() -> None:
    assert surviving_quantile([ended(1), going_on(2), going_on(3)], 0.5) is None


def test_who_enters_late_is_at_risk_only_from_then_on() -> None:
    # At 1 one of two has ended, the third not being watched yet: S(1) = 1/2.
    assert surviving_quantile([ended(1), ended(4), ended(6, entered=3)], 0.5) == 1


def test_who_enters_at_an_age_is_not_at_risk_at_that_age() -> None:
    # S(2) = 1/2; with the late one in the risk set it would be 2/3.
    assert surviving_quantile([ended(2), going_on(3), ended(3, entered=2)], 0.5) == 2


@pytest.mark.parametrize(
    ("values", "middle"), [([3.0, 1.0, 2.0], 2), ([1.0, 4.0], 2.5), ([], None)]
)
def test_a_median_is_the_middle_or_the_mean_of_the_two_there(
    values: list[float], middle: float | None
) -> None:
    assert median(values) == middle
