"""All scenarios, in the order in which they are measured and told."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.scenario import Scenario
from benchmarks.scenarios import loading, memory, nights, pulling, quotas, starting

SCENARIOS: Sequence[Scenario] = (
    pulling.PULL,
    pulling.PULL_AND_LOAD,
    loading.LOAD,
    loading.REBUILD,
    nights.NIGHT,
    memory.MEMORY,
    starting.START,
    quotas.QUOTA,
    nights.GROWTH,
)


def named(name: str) -> Scenario:
    """The scenario of that name; raises `KeyError`."""
    return {scenario.name: scenario for scenario in SCENARIOS}[name]
