"""All scenarios, in the order in which they are measured and told."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.scenario import Scenario
from benchmarks.scenarios import pulling, starting

SCENARIOS: Sequence[Scenario] = (
    pulling.PULL,
    pulling.PULL_AND_LOAD,
    starting.START,
)


def named(name: str) -> Scenario:
    """The scenario of that name; raises `KeyError`."""
    return {scenario.name: scenario for scenario in SCENARIOS}[name]
