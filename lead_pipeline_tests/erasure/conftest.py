"""A home with persons of three accounts in every kind of landed file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline_tests.erasure.homes import ErasureHome, live


@pytest.fixture
def lived(tmp_path: Path) -> ErasureHome:
    """Some nights of three accounts, loaded; the files of two of them put together."""
    return live(tmp_path / "home")
