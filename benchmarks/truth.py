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
HOURLY_EVERY = 5
"""Most crawls are hourly ones, so only each fifth world has them; kinds of providers still take turns."""
WORLDS_PER_BUILD = 35
FIRST = 1_000
"""Other worlds than those of the tests."""


def main() -> None:
    """Run the matrix, print it, write the page."""
    started = time.perf_counter()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for first in range(FIRST, FIRST + WORLDS, WORLDS_PER_BUILD):
            tally.add(_of_worlds(Path(folder) / str(first), first))
            say(f"{first + WORLDS_PER_BUILD - FIRST} of {WORLDS} worlds …")
    for pattern in PATTERNS:
        show_table(
            f"Figures with bounds, {pattern}",
            ["mart", "figure", "rows", "told", "true", "width", "of the figure"],
            [_row(mart, figure, found) for mart, figure, found in _bounded(tally, pattern)],
        )
    if tally.contradictions:
        say(described(tally.contradictions[:40]))
    say(f"{len(tally.contradictions)} contradictions; {time.perf_counter() - started:.0f} s.")
    truth_page.write(tally, WORLDS, -(-WORLDS // HOURLY_EVERY))


def _of_worlds(folder: Path, first: int) -> Tally:
    worlds = [
        polled(World.invent(seed), pattern)
        for seed in range(first, first + WORLDS_PER_BUILD)
        for pattern in PATTERNS
        if pattern != "hourly" or seed % HOURLY_EVERY == 0
    ]
    return compare_all(build(folder, worlds), worlds)


def _bounded(tally: Tally, pattern: str) -> list[tuple[str, str, Figures]]:
    names = dict.fromkeys((place.mart, place.figure) for place in tally.places)
    found = [(mart, figure, tally.by_pattern(mart, figure).get(pattern)) for mart, figure in names]
    return [(*names, figures) for *names, figures in found if figures and figures.widths]  # type: ignore[misc]


def _row(mart: str, figure: str, found: Figures) -> list[object]:
    told = found.headlines / found.rows if found.rows else None
    return [
        mart,
        figure,
        found.rows,
        _percent(told),
        _percent(found.coverage),
        truth_page.short(found.width),
        _percent(found.relative_width),
    ]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f} %"
