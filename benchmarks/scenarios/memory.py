"""Whether the memory of a crawl grows with the list."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.comparison import Competitor, Run, Spread, spread
from benchmarks.scenario import Bench, Scenario, Target, ours
from benchmarks.wire import served

SIZES = (10_000, 100_000, 1_000_000)


def _name(leads: int) -> str:
    return f"{leads:,} leads"


def _memory(bench: Bench) -> None:
    with ExitStack() as stack:
        competitors = []
        for full in SIZES:
            leads = bench.size(full)
            command, environment = ours("pull", origin=stack.enter_context(served(leads)))
            competitors.append(Competitor(_name(full), command, environment, leads))
        bench.compare(competitors)


def _growth(runs: Sequence[Run]) -> Spread | None:
    """MB that the largest crawl takes beyond the smallest; of the least and the most, the widest apart."""
    smallest, largest = (spread(runs, _name(size), "peak_mb") for size in (SIZES[0], SIZES[-1]))
    if smallest is None or largest is None:
        return None
    return Spread(
        largest.median - smallest.median,
        largest.least - smallest.most,
        largest.most - smallest.least,
    )


MEMORY = Scenario(
    "memory",
    "Memory of a crawl",
    "The whole list, from an empty home to landed files, of three lengths.",
    _memory,
    base=_name(SIZES[0]),
    targets=[
        Target("peak at 1,000,000 leads beyond that at 10,000", _growth, at_most=80, unit=" MB")
    ],
    rounds=3,
    minutes=6,
)
