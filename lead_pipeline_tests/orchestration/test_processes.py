"""Dead runs are ended, living ones are left alone, whoever started them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lead_pipeline.orchestration import processes
from lead_pipeline.orchestration.processes import (
    Life,
    end_dead_runs,
    is_dead,
    life_of,
    take_run_lock,
)
from lead_pipeline.orchestration.runner import runs_under_way
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.orchestration.test_runner import runner_of

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with instance_of(home) as opened:
        yield opened


def run_of(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> str:
    """A run as another process has recorded it; no lock of it is there."""
    job = dg.GraphDefinition("other", node_defs=[]).to_job()
    return instance.create_run_for_job(job, status=status).run_id


def statuses(instance: dg.DagsterInstance) -> list[dg.DagsterRunStatus]:
    return [run.status for run in instance.get_runs()]


DIES_IN_A_RUN = """
import os, signal, sys
from pathlib import Path
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.orchestration.test_runner import runner_of
with instance_of(Path(sys.argv[1])) as instance:
    runner_of(lambda: os.kill(os.getpid(), signal.SIGKILL), instance).load_and_publish()
"""


@pytest.mark.long
def test_run_of_a_killed_process_is_ended_at_once(home: Path, instance: dg.DagsterInstance) -> None:
    command = [sys.executable, "-c", DIES_IN_A_RUN, str(home)]
    subprocess.run(command, cwd=REPOSITORY, check=False)  # noqa: S603
    (run,) = instance.get_runs()
    assert run.status == dg.DagsterRunStatus.STARTED
    assert end_dead_runs(instance) == [run.run_id]
    assert statuses(instance) == [dg.DagsterRunStatus.FAILURE]


def test_run_of_a_living_process_is_left_alone(instance: dg.DagsterInstance) -> None:
    seen: list[tuple[list[str], int]] = []

    def look() -> None:
        seen.append((end_dead_runs(instance), len(runs_under_way(instance))))

    outcome = runner_of(look, instance).load_and_publish()
    assert (outcome.failure, seen) == (None, [([], 1)])


def test_lock_of_a_run_that_has_ended_is_gone(home: Path, instance: dg.DagsterInstance) -> None:
    runner_of(lambda: None, instance).load_and_publish()

    assert list((home / "dagster" / "processes").iterdir()) == []


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ],
)
def test_run_that_may_still_take_its_lock_is_left_alone(
    status: dg.DagsterRunStatus, instance: dg.DagsterInstance
) -> None:
    run_of(instance, status)

    assert end_dead_runs(instance) == []


@pytest.mark.parametrize(
    ("status", "ended_as"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.FAILURE),
        (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.FAILURE),
        (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE),
        (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED),
    ],
)
def test_run_that_never_took_its_lock_is_ended_after_a_while(
    status: dg.DagsterRunStatus,
    ended_as: dg.DagsterRunStatus,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_of(instance, status)
    monkeypatch.setattr(processes, "SECONDS_TO_LOCK", 0.0)
    monkeypatch.setattr(processes, "SECONDS_TO_START", 0.0)
    time.sleep(0.01)
    end_dead_runs(instance)

    assert statuses(instance) == [ended_as]


def test_finished_run_is_not_dead_although_nobody_holds_its_lock(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SECONDS_TO_LOCK", 0.0)
    finished = run_of(instance, dg.DagsterRunStatus.SUCCESS)

    assert not is_dead(instance, finished)


def test_pool_of_a_dead_run_is_free_again(home: Path, instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    storage.set_concurrency_slots("mega", 1)
    dead = run_of(instance, dg.DagsterRunStatus.STARTED)
    storage.claim_concurrency_slot("mega", dead, "step")
    (home / "dagster" / "processes").mkdir(exist_ok=True)
    (home / "dagster" / "processes" / dead).touch()
    end_dead_runs(instance)

    assert storage.get_concurrency_info("mega").active_slot_count == 0


def test_lock_that_can_be_seen_is_held(home: Path, instance: dg.DagsterInstance) -> None:
    free = take_run_lock(instance, "run")
    held = life_of(instance, "run")
    free()

    assert (held, life_of(instance, "run")) == (Life.ALIVE, Life.UNKNOWN)
    assert os.listdir(home / "dagster" / "processes") == []  # noqa: PTH208 - hidden ones too
