"""Loads and publications of a team, killed before system calls that change their home: a load
before each, a publication before each third one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lead_pipeline_tests.chaos.system_calls import IS_POSSIBLE
from lead_pipeline_tests.team import kills

pytestmark = [
    pytest.mark.skipif(not IS_POSSIBLE, reason="a child can be watched on Linux on x86-64 only"),
    pytest.mark.long,
    pytest.mark.timeout(900),
]


@pytest.mark.parametrize(("stage", "every"), [("load", 1), ("publish", 3)])
def test_no_kill_leaves_anything_for_a_hand(
    stage: str, every: int, shared: str, tmp_path: Path
) -> None:
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-m", kills.__name__, stage, str(tmp_path), shared, str(every)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)

    assert {place: wrong for place, wrong in found.items() if wrong} == {}
    assert len(found) > 15
