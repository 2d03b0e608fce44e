"""An empty database of a team's own, with its variables set in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline_tests.deploy.database import Database


def join_team(database: Database, home: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Make this process one of a team that has a new, empty database; returns that."""
    fresh = database.another()
    monkeypatch.setenv("LEAD_PIPELINE_DATABASE", fresh.url)
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", "")
    return fresh
