"""Comparisons: fair orders, medians, and failures that are named and stop nobody else."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.comparison import (
    Competitor,
    Run,
    Spread,
    compare,
    failures,
    ratio,
    rotated,
    spread,
)
from benchmarks.measured import Taken, measure

NAMES = ("ours", "theirs", "floor")


def competitors() -> list[Competitor]:
    return [Competitor(name, ["true"]) for name in NAMES]


def run_of(competitor: str, round_number: int, wall: float, error: str = "") -> Run:
    return Run("pull", "", round_number, 1, competitor, wall, wall, 100.0, {}, error)


def test_each_competitor_has_each_place_equally_often() -> None:
    places = Counter(
        (competitor.name, place)
        for round_number in range(6)
        for place, competitor in enumerate(rotated(competitors(), round_number))
    )

    assert set(places.values()) == {2}
    assert len(places) == 9


def test_each_run_has_a_new_and_empty_folder() -> None:
    seen: list[Path] = []

    def take(competitor: Competitor, folder: Path) -> Taken:
        assert not list(folder.iterdir())
        (folder / competitor.name).touch()
        seen.append(folder)
        return Taken(1.0, 1.0, 1.0)

    compare("pull", "", competitors(), 2, lambda run: None, measured=take)

    assert len(set(seen)) == 6


def test_who_fails_is_named_and_the_others_go_on() -> None:
    kept: list[Run] = []

    def take(competitor: Competitor, folder: Path) -> Taken:
        return Taken(1.0, 1.0, 1.0, {}, "exit status 1: no" if competitor.name == "theirs" else "")

    runs = compare("pull", "", competitors(), 3, kept.append, measured=take)

    assert failures(runs) == {"theirs": "exit status 1: no"}
    assert Counter(run.competitor for run in runs) == dict.fromkeys(NAMES, 3)
    assert kept == runs
    assert spread(runs, "theirs", "wall") is None


def test_who_brings_other_rows_than_asked_for_has_failed() -> None:
    asked = [Competitor("ours", ["true"], rows=10)]

    runs = compare(
        "pull", "", asked, 1, lambda run: None, measured=lambda *_: Taken(1, 1, 1, {"rows": 9})
    )

    assert failures(runs) == {"ours": "9 rows instead of 10"}


def test_median_stands_between_the_least_and_the_most() -> None:
    runs = [run_of("ours", number, wall) for number, wall in enumerate([5.0, 1.0, 2.0, 9.0, 3.0])]

    assert spread(runs, "ours", "wall") == Spread(3.0, 1.0, 9.0)


def test_ratio_is_taken_round_by_round() -> None:
    """The second round was slow for both, which a ratio of medians would not show."""
    runs = [run_of("ours", 1, 2.0), run_of("floor", 1, 1.0)]
    runs += [run_of("ours", 2, 20.0), run_of("floor", 2, 10.0)]

    assert ratio(runs, "ours", "floor") == Spread(2.0, 2.0, 2.0)


def test_round_in_which_one_of_both_failed_gives_no_ratio() -> None:
    runs = [run_of("ours", 1, 2.0), run_of("floor", 1, 1.0)]
    runs += [run_of("ours", 2, 20.0), run_of("floor", 2, 0.1, error="killed")]

    assert ratio(runs, "ours", "floor") == Spread(2.0, 2.0, 2.0)


def test_figures_that_a_program_tells_are_compared_too() -> None:
    runs = [Run("pull", "", 1, 1, "ours", 1, 1, 1, {"load": 0.25})]

    assert spread(runs, "ours", "load") == Spread(0.25, 0.25, 0.25)


def test_process_is_measured_from_outside() -> None:
    program = (
        "import json; held = bytearray(64 << 20); sum(range(10**6)); print(json.dumps({'rows': 7}))"
    )

    taken = measure([sys.executable, "-c", program])

    assert (taken.told, taken.error) == ({"rows": 7}, "")
    assert taken.wall > 0
    assert taken.cpu > 0
    assert 64 < taken.peak_mb < 200


def test_memory_of_whoever_measures_is_not_counted() -> None:
    held = bytearray(256 << 20)

    taken = measure(["true"])

    assert taken.peak_mb < len(held) / 2**20 / 4


@pytest.mark.parametrize(
    ("command", "longest", "error"),
    [
        ([sys.executable, "-c", "1/0"], 60, "exit status 1: ZeroDivisionError: division by zero"),
        (["no-such-program"], 60, "exit status 127: no-such-program"),
        (["sleep", "60"], 0.2, "killed after 0 s"),
    ],
)
def test_failure_says_how_it_ended(command: list[str], longest: float, error: str) -> None:
    assert measure(command, longest=longest).error.startswith(error)
