"""What `make bench` measures, and what it does when something cannot be measured."""

from __future__ import annotations

from pathlib import Path

from benchmarks.comparison import Run
from benchmarks.measuring import measure_all
from benchmarks.results import read
from benchmarks.scenario import Bench, NotMeasured, Scenario


def run_once(bench: Bench) -> None:
    bench.keep(Run(bench.scenario, "", 1, 1, "ours", float(bench.leads), 1.0, 1.0))


def cannot_begin(bench: Bench) -> None:
    run_once(bench)
    raise NotMeasured("the server did not start")


def test_scenario_that_cannot_begin_stops_no_other_and_keeps_its_results(tmp_path: Path) -> None:
    worked = Scenario("first", "First", "text", run_once, quick_leads=7)
    broken = Scenario("first", "First", "text", cannot_begin, quick_leads=8)
    last = Scenario("last", "Last", "text", run_once)
    measure_all([worked], tmp_path, quick=True)

    failed = measure_all([broken, last], tmp_path, quick=True)

    assert failed == {"first": "the server did not start"}
    kept, other = read(tmp_path, "first"), read(tmp_path, "last")
    assert kept is not None
    assert [run.wall for run in kept.runs] == [7.0]
    assert other is not None


def test_quick_measurement_takes_the_small_size_and_says_so(tmp_path: Path) -> None:
    measure_all([Scenario("one", "One", "text", run_once, quick_leads=5)], tmp_path, quick=True)

    found = read(tmp_path, "one")

    assert found is not None
    assert (found.head.leads, found.head.quick) == (5, True)


def test_results_say_what_they_were_measured_on(tmp_path: Path) -> None:
    measure_all([Scenario("one", "One", "text", run_once)], tmp_path, quick=True)

    found = read(tmp_path, "one")

    assert found is not None
    machine = found.head.machine
    assert machine.cores >= 1
    assert machine.date.endswith("UTC")
    assert {"python", "duckdb", "dagster"} <= set(machine.versions)
