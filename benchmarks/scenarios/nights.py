"""A night in which hardly anything has changed, and how nights grow with what is there already."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison import Competitor, Run, Spread, ratio
from benchmarks.landings import land_versions
from benchmarks.measured import Taken, measure
from benchmarks.scenario import PYTHON, Bench, NotMeasured, Scenario, Target, median_of, variables
from benchmarks.wire import served

CHANGED = 2_000
STEPS = ["start", "crawl", "to the load", "load", "marts", "publication", "after it", "to the file"]
HISTORY_LEADS = 100_000
HISTORIES = {"0.5 million versions": 5, "2 million versions": 20, "5 million versions": 50}
"""Versions of each of `HISTORY_LEADS` leads."""
ACCOUNTS = {"20,000 leads": 20_000, "200,000 leads": 200_000, "1,000,000 leads": 1_000_000}
"""Leads of one version each."""
FIRST, REPORT = "first publication", "report"


def _command(
    *arguments: str, home: Path | None = None, origin: str = "http://127.0.0.1:9"
) -> tuple[list[str], dict[str, str]]:
    environment = variables(origin)
    if home is not None:
        environment["LEAD_PIPELINE_HOME"] = str(home)
    return [PYTHON, "-m", "benchmarks.programs.command", *arguments], environment


def _prepared(taken: Taken) -> None:
    if taken.error:
        raise NotMeasured(f"The night before has failed: {taken.error}")


def _night(bench: Bench) -> None:
    evening = bench.folder / "evening"
    with served(bench.leads) as origin:
        command, environment = _command(
            "run", "--from", "2026-01-01", home=evening / "home", origin=origin
        )
        _prepared(measure(command, environment))
    changed = bench.size(CHANGED)
    with served(bench.leads, changed) as origin:
        command, environment = _command("run", origin=origin)
        bench.compare(
            [Competitor("a night", command, environment, bench.leads, evening)],
            f"{changed:,} of {bench.leads:,} leads changed",
        )


def _growth(bench: Bench) -> None:
    leads = bench.size(HISTORY_LEADS)
    histories = {name: (leads, versions) for name, versions in HISTORIES.items()}
    accounts = {name: (bench.size(number), 1) for name, number in ACCOUNTS.items()}
    for variant, sizes in (("versions", histories), ("leads", accounts)):
        homes = bench.folder / variant
        nights, reports = [], []
        for name, (number, versions) in sizes.items():
            home = homes / name.replace(" ", "_")
            land_versions(home / "landing", range(number), range(versions))
            command, environment = _command("publish", home=home)
            first = Bench(bench.scenario, bench.leads, 1, bench.keep, bench.folder)
            first.compare([Competitor(name, command, environment, number)], f"{variant}, {FIRST}")
            nights.append(
                Competitor(
                    name,
                    command,
                    environment,
                    number,
                    before=_Changes(home / "landing", number, versions, bench.size(CHANGED)),
                )
            )
            program = [PYTHON, "-m", "benchmarks.programs.ours", "report"]
            reports.append(Competitor(name, program, environment))
        bench.compare(nights, f"{variant}, a night")
        bench.compare(reports, f"{variant}, {REPORT}")
        shutil.rmtree(homes)


class _Changes:
    """Lands a new version of so many leads, spread over all of them, each time that it is called."""

    def __init__(self, landing: Path, leads: int, versions: int, changed: int) -> None:
        self._landing, self._leads, self._versions = landing, leads, versions
        self._step = max(1, leads // changed)

    def __call__(self, round_number: int) -> None:
        version = self._versions + round_number
        # Of no lead a second time: each round changes others.
        changed = range(round_number % self._step, self._leads, self._step)
        land_versions(self._landing, changed, range(version, version + 1), crawl=2 + round_number)


def _load_at_largest(runs: Sequence[Run]) -> Spread | None:
    nights = [run for run in runs if run.variant == "versions, a night"]
    smallest, *_, largest = HISTORIES
    return ratio(nights, largest, smallest, "load")


NIGHT = Scenario(
    "night",
    "A quiet night",
    "`lead-pipeline run` on a home that was complete the evening before: imports, crawl, load, marts and their "
    "tests, publication, and what follows it. The steps are told by its own log.",
    _night,
    targets=[
        Target(
            "from the command to the published file",
            lambda runs: median_of("a night", "to the file", runs[0].variant if runs else "")(runs),
            at_most=10,
            unit=" s",
        )
    ],
    told=STEPS,
    minutes=6,
)
GROWTH = Scenario(
    "growth",
    "Growth",
    f"`lead-pipeline publish` (load, marts and tests, publication) and the report, with a history of 0.5, 2 and "
    f"5 million versions of {HISTORY_LEADS:,} leads, and with 20,000, 200,000 and 1,000,000 leads: first with "
    f"all of it new, then {CHANGED:,} changed leads at a time.",
    _growth,
    targets=[
        Target(
            "load of a night at 5 million versions, of that at 0.5 million",
            _load_at_largest,
            at_most=1.5,
        ),
        Target(
            "marts of 20,000 leads",
            median_of("20,000 leads", "marts", f"leads, {FIRST}"),
            at_most=4,
            unit=" s",
        ),
        Target(
            "marts of 1,000,000 leads",
            median_of("1,000,000 leads", "marts", f"leads, {FIRST}"),
            at_most=60,
            unit=" s",
        ),
    ],
    told=("load", "marts", "publication", "report"),
    rounds=3,
    minutes=40,
    by_default=False,
)
