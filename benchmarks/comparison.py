"""Competitors, measured in one run: rounds, with another order in each, and what came of them.

    competitors ──each a process, order rotated──▶ runs ──▶ medians, spread, ratios

Belongs here: how is compared. Does not belong here: what is compared (one module a scenario), files
and pages (`results.py`, `report.py`).
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from benchmarks.measured import Taken, measure

Quantity = Literal["wall", "cpu", "peak_mb"]


@dataclass(frozen=True)
class Competitor:
    """A program that does the work. `{folder}` in its command and variables is a new, empty folder."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    """How many rows it must say that it has brought; another number is a failure."""
    copy_of: Path | None = None
    """The folder is a copy of this one."""
    before: Callable[[int], None] | None = None
    """What is done before it is measured in a round, which is counted from 0."""


class Run(msgspec.Struct, frozen=True):
    """One competitor in one round."""

    scenario: str
    variant: str
    """Of a scenario that is run at several sizes: which."""
    round: int
    place: int
    """The how-manyth of its round it was."""
    competitor: str
    wall: float
    cpu: float
    peak_mb: float
    told: dict[str, Any] = {}
    error: str = ""


def rotated(competitors: Sequence[Competitor], round_number: int) -> list[Competitor]:
    """The order of a round: each competitor comes first, second, … equally often."""
    shift = round_number % len(competitors)
    return [*competitors[shift:], *competitors[:shift]]


def compare(
    scenario: str,
    variant: str,
    competitors: Sequence[Competitor],
    rounds: int,
    keep: Callable[[Run], None],
    *,
    measured: Callable[[Competitor, Path], Taken] | None = None,
) -> list[Run]:
    """Run all competitors `rounds` times; who fails is named, and the others go on.

    Each run is handed to `keep` as soon as it is there.
    """
    take = measured or _measured
    runs = []
    for round_number in range(rounds):
        for place, competitor in enumerate(rotated(competitors, round_number)):
            if competitor.before is not None:
                competitor.before(round_number)
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                taken = take(competitor, Path(folder))
            error = taken.error or _miscounted(competitor, taken)
            run = Run(
                scenario=scenario,
                variant=variant,
                round=round_number + 1,
                place=place + 1,
                competitor=competitor.name,
                wall=round(taken.wall, 4),
                cpu=round(taken.cpu, 4),
                peak_mb=round(taken.peak_mb, 1),
                told=taken.told,
                error=error,
            )
            _show(run, rounds)
            keep(run)
            runs.append(run)
    return runs


def _measured(competitor: Competitor, folder: Path) -> Taken:
    work = folder / "work"
    if competitor.copy_of is not None:
        shutil.copytree(competitor.copy_of, work)
    else:
        work.mkdir()

    def filled(text: str) -> str:
        return text.replace("{folder}", str(work))

    return measure(
        [filled(word) for word in competitor.command],
        {name: filled(value) for name, value in competitor.environment.items()},
        folder=work,
    )


def _miscounted(competitor: Competitor, taken: Taken) -> str:
    rows = taken.told.get("rows")
    if competitor.rows is None or rows == competitor.rows:
        return ""
    return f"{rows} rows instead of {competitor.rows:,}"


def _show(run: Run, rounds: int) -> None:
    what = run.error and f"FAILED: {run.error}"
    what = what or f"{run.wall:.2f} s, {run.cpu:.2f} s of processors, {run.peak_mb:,.0f} MB"
    variant = f", {run.variant}" if run.variant else ""
    print(
        f"{run.scenario}{variant}, round {run.round} of {rounds}: {run.competitor}: {what}",
        file=sys.stderr,
        flush=True,
    )


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, between the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread | None:
        """Of no figures there is none."""
        if not figures:
            return None
        return cls(statistics.median(figures), min(figures), max(figures))


def names_of(runs: Iterable[Run]) -> list[str]:
    """The competitors, in the order in which they are listed."""
    return list(dict.fromkeys(run.competitor for run in runs))


def spread(runs: Iterable[Run], competitor: str, quantity: str) -> Spread | None:
    """Of a competitor's rounds that have not failed; a quantity that is none of `Run` is what it told."""
    return Spread.of(
        [
            figure
            for run in _good(runs, competitor)
            if (figure := _figure(run, quantity)) is not None
        ]
    )


def ratio(runs: Sequence[Run], competitor: str, base: str, quantity: str = "wall") -> Spread | None:
    """`competitor` / `base`, round by round: what slows a round down slows both."""
    bases = {run.round: _figure(run, quantity) for run in _good(runs, base)}
    return Spread.of(
        [
            figure / under
            for run in _good(runs, competitor)
            if (under := bases.get(run.round)) and (figure := _figure(run, quantity)) is not None
        ]
    )


def failures(runs: Iterable[Run]) -> dict[str, str]:
    """The competitors that have failed, with the last reason."""
    return {run.competitor: run.error for run in runs if run.error}


def _good(runs: Iterable[Run], competitor: str) -> list[Run]:
    return [run for run in runs if run.competitor == competitor and not run.error]


def _figure(run: Run, quantity: str) -> float | None:
    figure = getattr(run, quantity) if quantity in run.__struct_fields__ else run.told.get(quantity)
    return float(figure) if isinstance(figure, int | float) else None
