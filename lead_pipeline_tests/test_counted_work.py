"""Whether a change makes more work than it says: counted figures against stored ones."""

from __future__ import annotations

import pytest

from benchmarks.counted import STORED, count, grown, stored_figures


def test_no_counted_work_has_grown_by_a_tenth_without_a_word() -> None:
    more = grown(count(), stored_figures())
    assert not more, (
        f"{'; '.join(more)}. If that is meant, store the new figures in the same commit: "
        f"python -m benchmarks.counted --write ({STORED.name})."
    )


@pytest.mark.parametrize(("number", "is_told"), [(110, False), (111, True)])
def test_figure_that_grows_by_more_than_a_tenth_is_told(number: int, is_told: bool) -> None:
    assert bool(grown({"statements": number}, {"statements": 100})) is is_told


def test_figure_that_nobody_has_stored_is_told() -> None:
    assert grown({"statements": 1}, {}) == ["statements: 1, stored 0"]
