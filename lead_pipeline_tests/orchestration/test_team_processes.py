"""Dead runs of a team are told from living ones, on whatever machine they are executed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from lead_pipeline.orchestration import processes, team_processes
from lead_pipeline.orchestration.processes import (
    Life,
    RunTaken,
    end_dead_runs,
    life_of,
    take_run_lock,
)
from lead_pipeline.orchestration.tags import PROCESS_TAG
from lead_pipeline_tests.commands import environment, instance_of
from lead_pipeline_tests.deploy.database import Database
from lead_pipeline_tests.orchestration.teams import join_team
from lead_pipeline_tests.orchestration.test_runner import runner_of

REPOSITORY = Path(__file__).parents[2]

EXECUTES = """
import sys
from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline.orchestration.processes import take_run_lock
from lead_pipeline.settings import load_settings
with open_instance(load_settings()) as instance:
    take_run_lock(instance, sys.argv[1])
    print("taken", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def fresh(database: Database, home: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    return join_team(database, home, monkeypatch)


@pytest.fixture
def instance(fresh: Database, home: Path) -> Iterator[dg.DagsterInstance]:
    del fresh
    with instance_of(home) as opened:
        yield opened


def run_of(instance: dg.DagsterInstance, status: DagsterRunStatus, **tags: str) -> str:
    job = dg.GraphDefinition("other", node_defs=[]).to_job()
    return instance.create_run_for_job(job, status=status, tags=tags).run_id


def executed_elsewhere(fresh: Database, home: Path, run_id: str) -> subprocess.Popen[str]:
    """A process of another home that has taken the run up."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", EXECUTES, run_id],
        cwd=REPOSITORY,
        env=environment(home, {"LEAD_PIPELINE_DATABASE": fresh.url}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    return process


def test_process_of_another_home_is_seen_to_live_and_to_die(
    instance: dg.DagsterInstance,
    fresh: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = run_of(instance, DagsterRunStatus.STARTED)
    with executed_elsewhere(fresh, tmp_path / "elsewhere", run_id) as process:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.tags[PROCESS_TAG].endswith(f"process {process.pid}")
        assert life_of(instance, run_id) is Life.ALIVE
        with pytest.raises(RunTaken, match=f"process {process.pid} on "):
            take_run_lock(instance, run_id)
        process.kill()
        process.wait()

    # Its connection may only have been cut, and then it takes its lock again.
    assert end_dead_runs(instance) == []
    monkeypatch.setattr(team_processes, "GRACE_SECONDS", 0.0)
    assert end_dead_runs(instance) == [run_id]
    assert [run.status for run in instance.get_runs()] == [DagsterRunStatus.FAILURE]


def test_run_that_no_process_has_taken_yet_is_left_alone(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team_processes, "GRACE_SECONDS", 0.0)
    run_id = run_of(instance, DagsterRunStatus.STARTING)

    assert life_of(instance, run_id) is Life.UNKNOWN
    assert end_dead_runs(instance) == []


def test_run_that_retries_a_dead_one_is_not_taken_for_dead_by_the_tags_it_inherits(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team_processes, "GRACE_SECONDS", 0.0)
    dead = run_of(instance, DagsterRunStatus.FAILURE)
    take_run_lock(instance, dead)()
    run = instance.get_run_by_id(dead)
    assert run is not None
    again = run_of(instance, DagsterRunStatus.STARTING, **run.tags)

    assert life_of(instance, again) is Life.UNKNOWN


def test_lock_is_taken_once_by_a_process_and_free_after_it(instance: dg.DagsterInstance) -> None:
    run_id = run_of(instance, DagsterRunStatus.STARTED)
    free = take_run_lock(instance, run_id)
    # As the executor does it whose process has taken the lock before it began.
    take_run_lock(instance, run_id)()
    assert life_of(instance, run_id) is Life.ALIVE
    free()
    take_run_lock(instance, run_id)()


def test_run_in_this_process_says_who_executes_it(instance: dg.DagsterInstance) -> None:
    lives: list[Life] = []

    def look() -> None:
        [run] = instance.get_runs()
        assert run.tags[PROCESS_TAG].startswith(run.run_id[:8])
        lives.append(life_of(instance, run.run_id))

    outcome = runner_of(look, instance).load_and_publish()
    assert (outcome.failure, lives) == (None, [Life.ALIVE])


@pytest.mark.parametrize(("seconds", "ended"), [("3600", 0), ("0", 1)])
def test_time_that_a_run_may_wait_for_a_worker_is_that_of_dagsters_settings(
    seconds: str, ended: int, fresh: Database, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del fresh
    with instance_of(home):
        pass
    config = home / "dagster" / "dagster.yaml"
    config.write_text(
        config.read_text().replace(
            "  enabled: true\n", f"  enabled: true\n  start_timeout_seconds: {seconds}\n", 1
        )
    )
    monkeypatch.setattr(processes, "SECONDS_TO_START", 0.0)
    with instance_of(home) as instance:
        run_of(instance, DagsterRunStatus.STARTING)
        assert len(end_dead_runs(instance)) == ended
