"""The sensor that tells of alerts, evaluated as the daemon does, on runs that have really ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from lead_pipeline import definitions
from lead_pipeline.errors import PublishError
from lead_pipeline.orchestration.alert_sensors import LOOK_AT_DATA_EVERY, build_alert_sensors
from lead_pipeline.orchestration.failures import failure_from
from lead_pipeline.orchestration.processes import GONE
from lead_pipeline.orchestration.resources import SettingsResource
from lead_pipeline.orchestration.runner import PipelineRunner
from lead_pipeline.sandbox import Sandbox
from lead_pipeline_tests.alerts.healthy import make_healthy, told
from lead_pipeline_tests.alerts.servers import WebServer, web_server
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.pulling import account_of, at


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with instance_of(home) as opened:
        yield opened


class Daemon:
    """Evaluates the sensor, tick by tick, with a clock of its own."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.now = at(5, 12)
        [self._sensor] = build_alert_sensors(SettingsResource.from_environment(), lambda: self.now)
        self._instance = instance
        self._cursor: str | None = None

    def tick(self) -> str:
        """What the tick says; it may start no run."""
        with dg.build_sensor_context(instance=self._instance, cursor=self._cursor) as context:
            data = self._sensor.evaluate_tick(context)
        self._cursor = data.cursor
        assert data.run_requests == []
        return str(data.skip_message)


@pytest.fixture
def daemon(
    home: Path, web: WebServer, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> Daemon:
    """The account acme, complete and published, and a sensor that has looked once."""
    settings = told(home, web)
    make_healthy(settings)
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(home))
    monkeypatch.setenv("LEAD_PIPELINE_ACCOUNTS", str(settings.accounts))
    monkeypatch.setenv("LEAD_PIPELINE_ALERT_WEBHOOK", f"{web.url}/hook")
    monkeypatch.setenv("LEAD_PIPELINE_HEARTBEAT_URL", f"{web.url}/beat")
    daemon = Daemon(instance)
    daemon.tick()
    assert web.requests == []
    return daemon


def succeed() -> None:
    """A step in which nothing goes wrong."""


def fail() -> None:
    """A step that fails as one that publishes does."""
    raise failure_from(PublishError("The disk is full. Make room, then: lead-pipeline publish."))


def divide_by_zero() -> None:
    """A step that fails as nobody has foreseen."""
    raise ZeroDivisionError("anna@example.com has 0 leads")


def job_of(path: str, step: Callable[[], None]) -> dg.JobDefinition:
    """The job of an asset that does `step`."""

    @dg.asset(key=path.split("/"))
    def only() -> None:
        step()

    definitions = dg.Definitions(assets=[only], jobs=[dg.define_asset_job("daily_leads", "*")])
    return definitions.resolve_job_def("daily_leads")


def run(instance: dg.DagsterInstance, path: str, step: Callable[[], None]) -> None:
    """A run of an asset that does `step`, recorded as those of the real one are."""
    job_of(path, step).execute_in_process(instance=instance, raise_on_error=False)


def test_failed_run_is_told_once_and_its_end_once(
    daemon: Daemon, web: WebServer, instance: dg.DagsterInstance
) -> None:
    run(instance, "bi/published", fail)
    daemon.tick()
    daemon.tick()
    [text] = web.texts
    assert "ERROR bi/published: the build is refused" in text
    assert "The disk is full. Make room, then: lead-pipeline publish.\n" in text
    assert "Traceback" not in text

    run(instance, "bi/published", succeed)
    daemon.tick()
    daemon.tick()
    assert [text.splitlines()[0].split(" (")[0] for text in web.texts[1:]] == [
        "lead-pipeline: over: bi/published: the build is refused, readers keep the last file"
    ]


def test_run_that_failed_and_was_made_good_between_two_looks_is_told_to_nobody(
    daemon: Daemon, web: WebServer, instance: dg.DagsterInstance
) -> None:
    run(instance, "landing/acme/leads", fail)
    run(instance, "landing/acme/leads", succeed)
    daemon.tick()
    assert web.texts == []


def test_publication_in_good_health_is_followed_by_one_heartbeat_a_day(
    daemon: Daemon, web: WebServer, instance: dg.DagsterInstance
) -> None:
    run(instance, "landing/acme/leads", succeed)
    daemon.tick()
    assert web.beats == 0
    for _ in range(2):
        run(instance, "bi/published", succeed)
        daemon.tick()
    assert web.beats == 1


def test_publication_while_an_account_has_failed_is_followed_by_no_heartbeat(
    daemon: Daemon, web: WebServer, instance: dg.DagsterInstance
) -> None:
    run(instance, "landing/acme/leads", fail)
    run(instance, "bi/published", succeed)
    daemon.tick()
    assert web.beats == 0


def test_own_asset_that_fails_is_told_by_its_name(
    daemon: Daemon, web: WebServer, instance: dg.DagsterInstance
) -> None:
    run(instance, "own/forecast", divide_by_zero)
    daemon.tick()
    [text] = web.texts
    assert (
        "ERROR own__forecast: a run failed\nStep own__forecast failed with ZeroDivisionError"
        in text
    )


def test_data_that_becomes_late_is_told_although_no_run_has_ended(
    daemon: Daemon, web: WebServer
) -> None:
    assert daemon.tick() == "No run has ended since the last look."
    daemon.now += timedelta(days=1)
    daemon.tick()
    assert "ERROR acme: days are missing\nDays from 2026-01-05 are not complete." in web.texts[0]
    assert "ERROR acme: the data is old" in web.texts[0]
    daemon.now += LOOK_AT_DATA_EVERY
    daemon.tick()
    assert len(web.texts) == 1


def die(instance: dg.DagsterInstance, origin: RemoteJobOrigin | None) -> None:
    """A run of the account acme whose process is gone, found as the daemon or a command finds it."""
    dead = instance.create_run_for_job(
        job_of("landing/acme/leads", succeed),
        asset_selection=frozenset({dg.AssetKey(["landing", "acme", "leads"])}),
        status=dg.DagsterRunStatus.STARTED,
        remote_job_origin=origin,
    )
    instance.report_run_failed(dead, GONE)


def test_run_of_a_command_whose_process_is_gone_is_told(
    daemon: Daemon, web: WebServer, instance: dg.DagsterInstance
) -> None:
    die(instance, None)
    daemon.tick()
    assert f"ERROR acme: a run failed\n{GONE}" in web.texts[0]


def test_run_that_dagster_runs_again_is_not_told(
    daemon: Daemon, web: WebServer, instance: dg.DagsterInstance
) -> None:
    location = ManagedGrpcPythonEnvCodeLocationOrigin(
        LoadableTargetOrigin(module_name="lead_pipeline.definitions"), "lead_pipeline"
    )
    die(
        instance, RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "daily_leads")
    )
    daemon.tick()
    assert web.texts == []


def test_sensor_says_what_to_set_where_nobody_is_told(
    daemon: Daemon, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEAD_PIPELINE_ALERT_WEBHOOK")
    monkeypatch.delenv("LEAD_PIPELINE_HEARTBEAT_URL")
    run(instance, "landing/acme/leads", fail)
    assert daemon.tick().startswith("Nobody is told: set LEAD_PIPELINE_ALERT_WEBHOOK")


def test_code_location_has_the_sensor_on_from_the_start() -> None:
    sensor = definitions.defs().resolve_sensor_def("alert_sensor")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_key_that_the_real_landing_finds_refused_is_told_as_such(
    sandbox: Sandbox,
    home: Path,
    instance: dg.DagsterInstance,
    web: WebServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = {**sandbox.environment(), "MEGA_TOKEN": "mega_" + 64 * "0"}
    for name, value in {
        **{name: value for name, value in variables.items() if name.startswith("MEGA_")},
        "LEAD_PIPELINE_HOME": str(home),
        "LEAD_PIPELINE_ALERT_WEBHOOK": f"{web.url}/hook",
    }.items():
        monkeypatch.setenv(name, value)
    outcome = PipelineRunner(definitions.defs(), instance).land(
        account_of(sandbox, "mega"), date(2026, 1, 1), date(2026, 1, 2)
    )
    assert outcome.error == "AccessRefused"
    daemon = Daemon(instance)
    daemon.now = datetime.now(UTC)
    daemon.tick()
    [text] = web.texts
    assert "ERROR mega: the key is refused\n" in text
    assert "MEGA_TOKEN" in text
    assert variables["MEGA_TOKEN"] not in text
