"""Measuring scenarios one after the other; each that ends has new results.

Belongs here: what is done around a scenario. Does not belong here: the command line (`__main__.py`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.machine import this_machine
from benchmarks.results import Head, writing
from benchmarks.scenario import Bench, NotMeasured, Scenario
from lead_pipeline.commands.console import say

QUICK_ROUNDS = 2


def measure_all(
    scenarios: Sequence[Scenario],
    results: Path,
    *,
    leads: int | None = None,
    rounds: int | None = None,
    quick: bool = False,
) -> dict[str, str]:
    """Measure one after the other; those that could not begin, and why."""
    failed = {}
    for scenario in scenarios:
        try:
            _measure(
                scenario,
                results,
                leads or (scenario.quick_leads if quick else scenario.leads),
                rounds or (QUICK_ROUNDS if quick else scenario.rounds),
                quick,
            )
        except NotMeasured as error:
            say(f"{scenario.title}: {error}")
            failed[scenario.name] = str(error)
    return failed


def _measure(scenario: Scenario, results: Path, leads: int, rounds: int, quick: bool) -> None:
    say(
        f"{scenario.title}: {leads:,} leads, {rounds} rounds, about {scenario.minutes:g} min in full."
    )
    began = time.monotonic()
    head = Head(scenario.name, rounds, leads, this_machine(), quick)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, writing(results, head) as writer:
        bench = Bench(scenario.name, leads, rounds, writer.keep, Path(folder), quick)
        scenario.run(bench)
    say(f"{scenario.title}: {(time.monotonic() - began) / 60:.1f} min.")
    report.show(scenario, results)
