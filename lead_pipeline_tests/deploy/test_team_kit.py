"""Settings of Dagster for a team: as ours but for what they are there for, and as Dagster takes them."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import process_config
from dagster._config.field import resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config

from lead_pipeline.orchestration.celery_launcher import WatchedCeleryRunLauncher
from lead_pipeline.orchestration.instance import TEAM_CONFIG
from lead_pipeline_tests.deploy.kit import DEPLOY, compose

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


LAUNCHERS = {
    "docker": ("dagster-docker", ["docker", "docker-image-py", "regex"]),
    "kubernetes": (
        "dagster-k8s",
        [
            "kubernetes",
            "google-auth",
            "websocket-client",
            "requests-oauthlib",
            "oauthlib",
            "durationpy",
        ],
    ),
    "ecs": ("dagster-aws", ["boto3", "botocore", "s3transfer", "jmespath"]),
}
"""The package of each launcher that is not ours, and what it needs besides what is installed."""

TAKEN = """
import sys, yaml, importlib
sys.path.append(sys.argv[1])
from dagster._config import process_config
from dagster._config.field import resolve_to_config_type
launcher = yaml.safe_load(open(sys.argv[2]))["run_launcher"]
kind = getattr(importlib.import_module(launcher["module"]), launcher["class"])
taken = process_config(resolve_to_config_type(kind.config_type()), launcher["config"])
print(taken.success, taken.errors)
"""


@pytest.mark.long
@pytest.mark.parametrize("name", LAUNCHERS)
def test_launcher_takes_its_settings_in_dagsters_own_schema(name: str, tmp_path: Path) -> None:
    package, others = LAUNCHERS[name]
    release = version("dagster-postgres")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    installed = subprocess.run(  # noqa: S603
        [*install, str(tmp_path), f"{package}=={release}", *others],
        check=False,
        capture_output=True,
    )
    if installed.returncode != 0:
        pytest.skip(f"{package} cannot be installed")
    path = DEPLOY / f"dagster-{name}.yaml"
    taken = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "ignore", "-c", TAKEN, str(tmp_path), str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert taken.stdout.strip() == "True None"


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


def team() -> dict[str, Any]:
    return compose("compose.team.yaml")


def test_a_machine_is_a_worker_unless_it_is_asked_to_be_the_coordinator() -> None:
    services = team()["services"]
    assert {name for name, service in services.items() if "profiles" not in service} == {
        "prepare",
        "worker",
    }
    # Whoever is sent away by a stop has its run cut off, and none of them waits for ever.
    assert services["worker"]["stop_grace_period"] == "5m"


def test_every_process_of_a_team_has_the_same_settings_of_dagster() -> None:
    services = team()["services"]
    homes = {
        name: service["environment"]["DAGSTER_HOME"]
        for name, service in services.items()
        if name != "redis"
    }
    assert set(homes.values()) == {"/data/dagster"}
    [install, prepare] = services["prepare"]["command"][-1].splitlines()
    assert install.split()[-2:] == [
        "/opt/lead-pipeline/dagster-celery.yaml",
        "/data/dagster/dagster.yaml",
    ]
    assert prepare == "python -m lead_pipeline.orchestration.instance"
    for name in ("worker", "webserver", "daemon"):
        assert services[name]["depends_on"]["prepare"]["condition"] == (
            "service_completed_successfully"
        )


def test_commands_of_a_team_exist() -> None:
    for name in ("worker", "webserver", "daemon"):
        program, *arguments = team()["services"][name]["command"]
        assert Path(sys.executable).with_name(program).exists()
        modules = [part for part in arguments if part.startswith("lead_pipeline.")]
        assert len(modules) == 1
        assert find_spec(modules[0]) is not None


def test_no_secret_is_in_the_kit_and_no_service_of_a_team_is_open_to_everybody() -> None:
    services = team()["services"]
    text = (DEPLOY / "compose.team.yaml").read_text("utf-8")
    assert 'requirepass \\"$$REDIS_PASSWORD\\"' in text
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:3000:3000", "${REDIS_ADDRESS:-127.0.0.1}:6379:6379"]
