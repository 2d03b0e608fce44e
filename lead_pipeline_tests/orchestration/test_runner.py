"""Recorded runs without a daemon: how failures are told."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from lead_pipeline.errors import ConfigurationError, PublishError
from lead_pipeline.orchestration.failures import told_without_values
from lead_pipeline.orchestration.runner import PipelineRunner
from lead_pipeline.orchestration.schedules import JOB
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


def test_unexpected_error_of_a_step_of_ours_leaves_no_value_in_dagsters_files(
    home: Path, instance: dg.DagsterInstance
) -> None:
    def convert() -> None:
        with told_without_values():
            duckdb.sql("select concat('Ada ', 'Planted ', 'Lovelace')::int").fetchall()

    outcome = runner_of(convert, instance).load_and_publish()
    assert outcome.failure is not None
    assert "ConversionException: a value cannot be converted to INT32" in outcome.failure
    [failed] = instance.all_logs(outcome.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    data = failed.get_dagster_event().step_failure_data
    assert data.user_failure_data is not None
    assert "in convert" in str(data.user_failure_data.metadata["stack_trace"].value)
    files = [path for path in home.rglob("*") if path.is_file()]
    assert [path for path in files if b"ConversionException" in path.read_bytes()]
    assert [path for path in files if b"Ada Planted" in path.read_bytes()] == []


def test_interrupted_run_interrupts_the_caller(instance: dg.DagsterInstance) -> None:
    def interrupted() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        runner_of(interrupted, instance).load_and_publish()
