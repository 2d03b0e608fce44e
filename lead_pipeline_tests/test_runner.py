"""Recorded runs without a daemon: how failures are told, and what becomes of dead runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from lead_pipeline.errors import ConfigurationError, PublishError
from lead_pipeline.runner import (
    PROCESS_TAG,
    PipelineRunner,
    end_dead_runs,
    ensure_dagster_home,
    runs_under_way,
)
from lead_pipeline.schedules import JOB
from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import instance_of


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with instance_of(home) as opened:
        yield opened


def runner_of(step: Callable[[], None], instance: dg.DagsterInstance) -> PipelineRunner:
    """A runner whose only asset does `step`."""

    @dg.asset(name="published")
    def only() -> None:
        step()

    definitions = dg.Definitions(
        assets=[only], jobs=[dg.define_asset_job(JOB, selection=dg.AssetSelection.all())]
    )
    return PipelineRunner(definitions, instance)


def publish_error_from_duckdb() -> None:
    try:
        duckdb.sql("select nothing")
    except duckdb.Error as error:
        raise PublishError("The build cannot be finished. Run the models again.") from error


def configuration_error() -> None:
    raise ConfigurationError("LEAD_PIPELINE_HOME is wrong. Correct it.")


def failure_with_words() -> None:
    raise dg.Failure("The key is refused. Correct MEGA_TOKEN.", allow_retries=False)


def unexpected_error() -> None:
    raise ValueError("anna@example.com is no number")


@pytest.mark.parametrize(
    ("step", "failure"),
    [
        pytest.param(
            publish_error_from_duckdb,
            "The build cannot be finished. Run the models again.",
            id="our error, caused by another",
        ),
        pytest.param(
            configuration_error, "LEAD_PIPELINE_HOME is wrong. Correct it.", id="configuration"
        ),
        pytest.param(failure_with_words, "The key is refused. Correct MEGA_TOKEN.", id="failure"),
    ],
)
def test_failed_run_is_told_in_the_errors_own_words(
    step: Callable[[], None], failure: str, instance: dg.DagsterInstance
) -> None:
    assert runner_of(step, instance).load_and_publish().failure == failure


def test_unexpected_error_is_told_by_its_kind_only(instance: dg.DagsterInstance) -> None:
    outcome = runner_of(unexpected_error, instance).load_and_publish()
    assert outcome.failure == (
        "Step published failed with ValueError. The stack trace is in the Dagster run "
        f"{outcome.run_id}."
    )


def test_interrupted_run_interrupts_the_caller(instance: dg.DagsterInstance) -> None:
    def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        runner_of(interrupted, instance).load_and_publish()


DIES_IN_A_RUN = """
import os, signal, sys
from pathlib import Path
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.test_runner import runner_of
with instance_of(Path(sys.argv[1])) as instance:
    runner_of(lambda: os.kill(os.getpid(), signal.SIGKILL), instance).load_and_publish()
"""


def test_run_of_a_killed_process_is_ended(home: Path, instance: dg.DagsterInstance) -> None:
    command = [sys.executable, "-c", DIES_IN_A_RUN, str(home)]
    subprocess.run(command, cwd=Path(__file__).parent.parent, check=False)  # noqa: S603
    (run,) = instance.get_runs()
    assert run.status == dg.DagsterRunStatus.STARTED
    assert end_dead_runs(instance) == [run.run_id]
    assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]


def test_run_of_a_living_process_is_left_alone(instance: dg.DagsterInstance) -> None:
    seen: list[tuple[list[str], int]] = []

    def look() -> None:
        seen.append((end_dead_runs(instance), len(runs_under_way(instance))))

    outcome = runner_of(look, instance).load_and_publish()
    assert (outcome.failure, seen) == (None, [([], 1)])


def test_run_that_dagster_itself_executes_is_left_alone(instance: dg.DagsterInstance) -> None:
    instance.create_run_for_job(
        dg.GraphDefinition("other", node_defs=[]).to_job(),
        status=dg.DagsterRunStatus.STARTED,
        tags={"team": "leads"},
    )
    assert end_dead_runs(instance) == []


def test_run_of_a_container_that_is_gone_is_ended(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(
        dg.GraphDefinition("other", node_defs=[]).to_job(),
        status=dg.DagsterRunStatus.STARTED,
        tags={PROCESS_TAG: "container-7-0123abcd"},
    )
    assert end_dead_runs(instance) == [run.run_id]


def test_dagster_home_is_made_with_pools_of_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    folder = ensure_dagster_home(settings)
    monkeypatch.delenv("DAGSTER_HOME")
    assert "default_limit: 1" in (folder / "dagster.yaml").read_text()


def test_dagster_home_of_the_user_is_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert ensure_dagster_home(settings) == tmp_path
    assert not (tmp_path / "dagster.yaml").exists()
