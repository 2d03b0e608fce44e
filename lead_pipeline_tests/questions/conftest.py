"""The team's published file, and what truly happened to its leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline_tests.questions.frames import Frames
from lead_pipeline_tests.questions.publishing import publish_team
from lead_pipeline_tests.questions.team import accounts
from lead_pipeline_tests.sharing import made_once


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What readers have of the team. Never written to."""
    return made_once(tmp_path_factory, "questions", publish_team) / "bi" / "leads.duckdb"


@pytest.fixture(scope="session")
def frames() -> Frames:
    return Frames.of(accounts())
