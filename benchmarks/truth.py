"""How often the tables' figures are true, and how wide their bounds are, in worlds that are known.

    python -m benchmarks truth

Prints a table per pattern of polls, and writes docs/truth.md and its pictures.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks import truth_page
from lead_pipeline.commands.console import say, show_table
from lead_pipeline_tests.truth.matrix import build, compare_all
from lead_pipeline_tests.truth.polling import PATTERNS, polled
from lead_pipeline_tests.truth.tally import Figures, Tally, described
from lead_pipeline_tests.truth.world import World

WORLDS = 210
"""Of each kind of provider a third."""
WORLDS_PER_BUILD = 30
FIRST = 1_000
"""Other worlds than those of the tests."""


def main() -> None:
    """Run the matrix, print it, write the page."""
    started = time.perf_counter()
    tally = Tally()
    for first in range(FIRST, FIRST + WORLDS, WORLDS_PER_BUILD):
        with tempfile.TemporaryDirectory() as folder:
            tally.add(_of_worlds(Path(folder), first))
        say(f"{first + WORLDS_PER_BUILD - FIRST} of {WORLDS} worlds …")
    for pattern in PATTERNS:
        show_table(
            f"Figures with bounds, MEGA and Vorel, {pattern}",
            ["mart", "figure", "rows", "told", "true", "width", "of the figure"],
            [_row(mart, figure, found) for mart, figure, found in _bounded(tally, pattern)],
        )
    if tally.contradictions:
        say(described(tally.contradictions[:40]))
    say(f"{len(tally.contradictions)} contradictions; {time.perf_counter() - started:.0f} s.")
    truth_page.write(tally, WORLDS)


def _of_worlds(folder: Path, first: int) -> Tally:
    worlds = [
        polled(World.invent(seed), pattern)
        for seed in range(first, first + WORLDS_PER_BUILD)
        for pattern in PATTERNS
    ]
    return compare_all(build(folder, worlds), worlds)


def _bounded(tally: Tally, pattern: str) -> list[tuple[str, str, Figures]]:
    names = dict.fromkeys((place.mart, place.figure) for place in tally.places)
    found = [
        (mart, figure, tally.by_pattern(mart, figure, truth_page.POLLED)[pattern])
        for mart, figure in names
    ]
    return [(mart, figure, figures) for mart, figure, figures in found if figures.widths]


def _row(mart: str, figure: str, found: Figures) -> list[object]:
    told = found.headlines / found.rows if found.rows else None
    shares = [truth_page.percent(share) for share in (told, found.coverage, found.relative_width)]
    return [mart, figure, found.rows, *shares[:2], truth_page.short(found.width), shares[2]]
