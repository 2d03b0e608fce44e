"""Each figure of each mart, in worlds of which all changes are known, however they were polled.

`make bench` runs the same with hundreds of worlds, and writes docs/truth.md.
"""

from __future__ import annotations

import pytest

from lead_pipeline_tests.sharing import made_once
from lead_pipeline_tests.truth.matrix import build, compare_all
from lead_pipeline_tests.truth.polling import PATTERNS, PolledWorld, polled
from lead_pipeline_tests.truth.tally import Tally, described
from lead_pipeline_tests.truth.world import World

WORLDS = 15
HOURLY_WORLDS = 3
"""One per kind of provider: most crawls are theirs."""


def worlds() -> list[PolledWorld]:
    return [
        polled(World.invent(seed), pattern)
        for seed in range(WORLDS)
        for pattern in PATTERNS
        if pattern != "hourly" or seed < HOURLY_WORLDS
    ]


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory) -> Tally:
    folder = made_once(tmp_path_factory, "truth", lambda folder: build(folder, worlds()))
    return compare_all(folder / "bi" / ".candidate" / "leads.duckdb", worlds())


def test_bounds_contain_the_truth_and_figures_without_bounds_are_it(tally: Tally) -> None:
    assert not tally.contradictions, described(tally.contradictions[:20])


def test_every_figure_of_which_the_truth_is_known_is_there(tally: Tally) -> None:
    assert not tally.missing_figures


@pytest.mark.parametrize("pattern", PATTERNS)
def test_something_is_said_of_every_figure_in_some_world(tally: Tally, pattern: str) -> None:
    """Bounds from nothing to everything would contain any truth."""
    silent = {
        (place.mart, place.figure)
        for place, figures in tally.places.items()
        if place.pattern == pattern and place.kind == "expert_ai_labs" and not figures.headlines
    }
    assert silent == set()
