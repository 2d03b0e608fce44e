"""Fixtures of the orchestration tests: an account that gives little at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.limits import MegaLimits, Window
from lead_pipeline_tests.pulling import PAGE_SIZES, at, put_leads


@pytest.fixture
def limited(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Three pages of leads, of which MEGA gives two in 3 seconds; waits of a second at most."""
    with Sandbox(World.empty()) as sandbox:
        put_leads(sandbox, "mega", 2 * PAGE_SIZES["mega"] + 1, at(2))
        sandbox.mega.limits = MegaLimits([Window(2, 3.0), Window(1_000, 3_600.0)])
        for name, value in {
            **sandbox.environment(),
            "LEAD_PIPELINE_HOME": str(home),
            "LEAD_PIPELINE_MAX_WAIT_SECONDS": "1",
        }.items():
            monkeypatch.setenv(name, value)
        yield sandbox
