"""The page of the benchmarks: written from results, which stay as they were until new ones are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.comparison import Run
from benchmarks.machine import Machine
from benchmarks.results import Head, read, writing
from benchmarks.scenarios import SCENARIOS, pulling

MACHINE = Machine("2026-01-02 03:04 UTC", "abc1234", "a processor", 2, 8.0, "Linux", 0.1, {})


def head(scenario: str = "pull") -> Head:
    return Head(scenario, 2, 1_000, MACHINE)


def run_of(competitor: str, number: int, wall: float, error: str = "") -> Run:
    return Run("pull", "", number, 1, competitor, wall, wall / 2, 64.0, {}, error)


def measured(folder: Path) -> None:
    with writing(folder, head()) as writer:
        for number, (ours, floor) in enumerate([(3.0, 2.0), (2.8, 2.0), (5.0, 2.0)]):
            writer.keep(run_of("ours", number, ours))
            writer.keep(run_of(pulling.SCRIPT, number, floor))
            writer.keep(run_of(pulling.SOCKET, number, 0.1, error="exit status 1: refused"))


def test_results_are_read_back_as_they_were_kept(tmp_path: Path) -> None:
    measured(tmp_path)

    found = read(tmp_path, "pull")

    assert found is not None
    assert found.head == head()
    assert [run.wall for run in found.runs if run.competitor == "ours"] == [3.0, 2.8, 5.0]


def test_measurement_that_breaks_off_leaves_the_results_before(tmp_path: Path) -> None:
    measured(tmp_path)

    def broken_off() -> None:
        with writing(tmp_path, head()) as writer:
            writer.keep(run_of("ours", 1, 99.0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()

    found = read(tmp_path, "pull")
    assert found is not None
    assert len(found.runs) == 9


def test_page_has_medians_ratios_and_the_targets_beside_them(tmp_path: Path) -> None:
    measured(tmp_path)
    page = tmp_path / "page.md"

    report.write(tmp_path, page)

    text = page.read_text("utf-8")
    assert (
        "| ours | 1.50 (1.40 to 2.50) | 3.00 (2.80 to 5.00) | 1.50 (1.40 to 2.50) | 64.0 |" in text
    )
    assert "| Pull | pull, of the httpx loop | ≤ 1.5 | 1.50 (1.40 to 2.50) |" in text
    assert "| pull | 2026-01-02 03:04 UTC | abc1234 | 1,000 | 2 | 0.1 |" in text


def test_page_says_who_failed_and_what_was_not_measured(tmp_path: Path) -> None:
    measured(tmp_path)
    page = tmp_path / "page.md"

    report.write(tmp_path, page)

    text = page.read_text("utf-8")
    assert "raw socket has failed: exit status 1: refused" in text
    assert f"| dlt Arrow, of ours | ≥ 2 | {report.NOT_MEASURED} |" in text


def test_missed_target_says_so(tmp_path: Path) -> None:
    with writing(tmp_path, head()) as writer:
        writer.keep(run_of("ours", 1, 3.2))
        writer.keep(run_of(pulling.SCRIPT, 1, 2.0))
    page = tmp_path / "page.md"

    report.write(tmp_path, page)

    assert "≤ 1.5 | 1.60, **missed** |" in page.read_text("utf-8")


def test_each_scenario_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [scenario.name for scenario in SCENARIOS]

    assert len(set(names)) == len(names)
    assert all(scenario.title and scenario.text for scenario in SCENARIOS)
