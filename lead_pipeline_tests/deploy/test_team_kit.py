"""Settings of Dagster for a team: as ours but for what they are there for, and as Dagster takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import process_config
from dagster._config.field import resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config

from lead_pipeline.orchestration.celery_launcher import WatchedCeleryRunLauncher
from lead_pipeline.orchestration.instance import TEAM_CONFIG
from lead_pipeline_tests.deploy.kit import DEPLOY

TEAMS = sorted(DEPLOY.glob("dagster-*.yaml"))


def settings_of(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


@pytest.mark.parametrize("path", TEAMS, ids=lambda path: path.stem)
def test_settings_of_a_team_are_ours_but_for_how_runs_are_launched(path: Path) -> None:
    settings, ours = settings_of(path), yaml.safe_load(TEAM_CONFIG)
    settings.pop("run_launcher")
    ours.pop("run_launcher")
    # How many runs there may be at once, and how long one may take to begin.
    settings["concurrency"].pop("runs")
    settings["run_monitoring"].pop("start_timeout_seconds", None)

    assert settings == ours


@pytest.mark.parametrize("path", TEAMS, ids=lambda path: path.stem)
def test_dagster_takes_the_settings_of_a_team(path: Path, tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_bytes(path.read_bytes())
    taken, _ = dagster_instance_config(str(tmp_path))

    assert taken["run_monitoring"]["enabled"] is True


def test_launcher_for_celery_takes_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = settings_of(DEPLOY / "dagster-celery.yaml")["run_launcher"]
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://:secret@127.0.0.1:6379/0")
    taken = process_config(
        resolve_to_config_type(WatchedCeleryRunLauncher.config_type()), launcher["config"]
    )

    assert taken.success, taken.errors
    assert launcher["module"] == WatchedCeleryRunLauncher.__module__
    assert launcher["class"] == WatchedCeleryRunLauncher.__name__
    inst: Any = None
    app = WatchedCeleryRunLauncher.from_config_value(inst, taken.value or {}).celery
    assert app.conf.broker_url == "redis://:secret@127.0.0.1:6379/0"
    # A worker that dies takes nothing with it but what it executes.
    assert (app.conf.worker_disable_prefetch, app.conf.worker_max_tasks_per_child) == (True, 1)
