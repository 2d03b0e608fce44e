"""What `make` starts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(("given", "port"), [((), "3000"), (("PORT=3001",), "3001")])
def test_dagster_listens_on_the_port_that_is_asked_for(given: tuple[str, ...], port: str) -> None:
    ran = subprocess.run(  # noqa: S603
        ["make", "--dry-run", "--no-print-directory", "dev", *given],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    started = ran.stdout.splitlines()[-1]
    assert f"dg dev --port {port}" in started
    assert "DAGSTER_HOME=" in ran.stdout
