"""Measure scenarios: `python -m benchmarks [NAME …]`, `--help` for more.

    scenario ──rounds──▶ results/<scenario>.jsonl ──report──▶ README.md

Without a name all but the longest. Results of each scenario take the place of its last ones when it
has ended; `--resume` leaves out those that were measured at this commit. `report` writes the page.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import accounts, counted, crawling, report, team, truth, year
from benchmarks.machine import ROOT, commit
from benchmarks.measuring import measure_all
from benchmarks.results import RESULTS, read
from benchmarks.scenario import Scenario
from benchmarks.scenarios import SCENARIOS, named
from lead_pipeline.commands.console import say

QUICK_RESULTS = ROOT / "build" / "quick-benchmarks"
TABLES: Mapping[str, Callable[[], None]] = {
    "accounts": accounts.main,
    "counted": counted.main,
    "crawling": crawling.main,
    "team": team.main,
    "truth": truth.main,
    "year": year.main,
}
"""Benchmarks that print tables of their own; each is run by its name."""


def main() -> None:
    """Measure what the arguments name, then write the page."""
    # Ends what is being measured, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _arguments()
    if arguments.names == ["report"]:
        report.write(RESULTS)
        return
    for name in [name for name in arguments.names if name in TABLES]:
        TABLES[name]()
    chosen = _chosen(arguments.names)
    results = QUICK_RESULTS if arguments.quick else RESULTS
    if arguments.resume:
        chosen = [scenario for scenario in chosen if not _is_measured(results, scenario)]
    failed = measure_all(
        chosen, results, leads=arguments.leads, rounds=arguments.rounds, quick=arguments.quick
    )
    if not arguments.names:
        _say_what_is_left()
    if chosen and not arguments.quick:
        report.write(RESULTS)
    if failed:
        raise SystemExit(
            "; ".join(f"{name} was not measured: {why}" for name, why in failed.items())
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    names = [*(scenario.name for scenario in SCENARIOS), *TABLES, "report"]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=int, help="how often each competitor is run")
    parser.add_argument("--leads", type=int, help="in place of a scenario's own size")
    parser.add_argument(
        "--quick", action="store_true", help="small and twice, into build/, to try the code itself"
    )
    parser.add_argument(
        "--resume", action="store_true", help="leave out what was measured at this commit"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in names]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(names)}")
    return arguments


def _chosen(names: Sequence[str]) -> list[Scenario]:
    if not names:
        return [scenario for scenario in SCENARIOS if scenario.by_default]
    return [named(name) for name in names if name not in TABLES]


def _is_measured(results: Path, scenario: Scenario) -> bool:
    found = read(results, scenario.name)
    return found is not None and found.head.machine.commit == commit()


def _say_what_is_left() -> None:
    left = [
        *(f"{s.name} (about {s.minutes:g} min)" for s in SCENARIOS if not s.by_default),
        *TABLES,
    ]
    say(f"Left out, each is run by its name (make bench NAME=…): {', '.join(left)}.")


if __name__ == "__main__":
    main()
