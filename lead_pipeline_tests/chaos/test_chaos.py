"""A short part of the laboratory (`make chaos` runs all of it): what is promised of a kill, anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lead_pipeline_tests.chaos.kills import Verdict
from lead_pipeline_tests.chaos.stages import STAGES
from lead_pipeline_tests.chaos.system_calls import IS_POSSIBLE

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(not IS_POSSIBLE, reason="a child can be watched on Linux on x86-64 only"),
]


def verdicts_of(out: Path, *arguments: str) -> list[Verdict]:
    """The verdicts of a part of the laboratory."""
    ran = subprocess.run(  # noqa: S603 - our own module
        [
            *(sys.executable, "-m", "lead_pipeline_tests.chaos", "--processes=1"),
            *(f"--out={out}", *arguments),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return [msgspec.json.decode(line, type=Verdict) for line in out.read_bytes().splitlines()]


@pytest.mark.long
def test_killed_here_and_there_a_publication_is_completed_by_the_next_run(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    verdicts = verdicts_of(out, "--experiment=kill", "--stage=publish", "--every=40")
    assert len(verdicts) > 2
    assert [verdict for verdict in verdicts if verdict.wrong] == []


@pytest.mark.long
def test_killed_anywhere_each_stage_is_completed_by_its_next_run(tmp_path: Path) -> None:
    verdicts = verdicts_of(tmp_path / "out.jsonl", "--experiment=kill", "--every=40")
    assert {verdict.stage for verdict in verdicts} == {stage.name for stage in STAGES}
    assert [verdict for verdict in verdicts if verdict.wrong] == []


@pytest.mark.long
@pytest.mark.parametrize("experiment", ["torn write", "full disk", "read-only", "failing disk"])
def test_what_disks_refuse_is_named_and_made_good(tmp_path: Path, experiment: str) -> None:
    every = "--every=10" if experiment != "read-only" else "--every=3"
    verdicts = verdicts_of(tmp_path / "out.jsonl", f"--experiment={experiment}", every)
    assert {verdict.stage for verdict in verdicts} == {stage.name for stage in STAGES}
    assert [verdict for verdict in verdicts if verdict.wrong] == []


@pytest.mark.long
def test_two_commands_at_once_end_as_one_after_the_other(tmp_path: Path) -> None:
    verdicts = verdicts_of(tmp_path / "out.jsonl", "--experiment=race", "--every=20")
    assert len(verdicts) >= len(STAGES) ** 2
    assert [verdict for verdict in verdicts if verdict.wrong] == []
