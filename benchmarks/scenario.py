"""What a scenario is: a question, how it is measured, and what the answer should be."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison import Competitor, Run, Spread, compare, ratio, spread
from benchmarks.machine import ROOT
from benchmarks.wire import CUSTOMER_ID, TOKEN

PYTHON = sys.executable


class NotMeasured(Exception):
    """What a scenario needs before it can begin has failed."""


@dataclass(frozen=True)
class Bench:
    """One measurement of a scenario: its size, and where its runs go."""

    scenario: str
    leads: int
    rounds: int
    keep: Callable[[Run], None]
    folder: Path
    """For what is prepared before anything is measured."""
    is_quick: bool = False
    """Only to try the code."""

    def compare(self, competitors: Sequence[Competitor], variant: str = "") -> list[Run]:
        """Measure them side by side."""
        return compare(self.scenario, variant, competitors, self.rounds, self.keep)

    def size(self, of_full: float) -> int:
        """As many as `leads` is of 200,000, of so many at full size."""
        return max(1, round(of_full * self.leads / FULL))


FULL = 200_000
"""Leads of an account at full size."""


@dataclass(frozen=True)
class Target:
    """What a figure should be at most, or at least."""

    what: str
    figure: Callable[[Sequence[Run]], Spread | None]
    at_most: float | None = None
    at_least: float | None = None
    unit: str = ""

    @property
    def bound(self) -> str:
        """The bound in words."""
        sign, number = ("≤", self.at_most) if self.at_most is not None else ("≥", self.at_least)
        return f"{sign} {number:,g}{self.unit}"

    def is_met_by(self, found: Spread) -> bool:
        """Whether the median is within the bound."""
        if self.at_most is not None:
            return found.median <= self.at_most
        return self.at_least is not None and found.median >= self.at_least


@dataclass(frozen=True)
class Scenario:
    """One question, with the code that measures the answer."""

    name: str
    title: str
    text: str
    """What is done, for the page."""
    run: Callable[[Bench], None]
    base: str = ""
    """The competitor that ratios are of."""
    targets: Sequence[Target] = ()
    leads: int = FULL
    quick_leads: int = 2_000
    rounds: int = 5
    minutes: float = 5.0
    """How long it takes at full size on two cores, about."""
    by_default: bool = True
    told: Sequence[str] = ()
    """Figures that programs tell of themselves and that are shown beside what is measured."""
    tells_all: bool = False
    """What is measured from outside is of no interest."""
    chart: Callable[[Sequence[Run]], Any] | None = None
    """A picture of the runs, an Altair chart."""


def ratio_of(
    competitor: str, base: str, quantity: str = "wall", variant: str = ""
) -> Callable[[Sequence[Run]], Spread | None]:
    """`competitor` / `base`, of the runs of that variant."""

    def figure(runs: Sequence[Run]) -> Spread | None:
        return ratio([run for run in runs if run.variant == variant], competitor, base, quantity)

    return figure


def median_of(
    competitor: str, quantity: str = "wall", variant: str = ""
) -> Callable[[Sequence[Run]], Spread | None]:
    """The figure itself."""

    def figure(runs: Sequence[Run]) -> Spread | None:
        return spread([run for run in runs if run.variant == variant], competitor, quantity)

    return figure


def ours(*arguments: str, origin: str = "") -> tuple[list[str], dict[str, str]]:
    """The command and variables of our own programs, whose home is the run's folder."""
    return [PYTHON, "-m", "benchmarks.programs.ours", *arguments], variables(origin)


def variables(origin: str = "") -> dict[str, str]:
    """The environment of one account of MEGA below the run's folder."""
    found = {
        "PYTHONPATH": str(ROOT),
        "LEAD_PIPELINE_HOME": "{folder}/home",
        "LEAD_PIPELINE_START_DATE": "2026-01-01",
        "DAGSTER_HOME": "",
    }
    if origin:
        found |= {
            "MEGA_BASE_URL": origin,
            "MEGA_TOKEN": TOKEN,
            "MEGA_CUSTOMER_ID": CUSTOMER_ID,
        }
    return found
