"""Runs of a team: executed by whichever worker is free, and by another one when that dies."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from socket import gethostname
from unittest.mock import patch

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.faults import FOREVER, Fault
from lead_pipeline_tests.commands import finish
from lead_pipeline_tests.deploy.broker import running_broker
from lead_pipeline_tests.deploy.database import running_database
from lead_pipeline_tests.deploy.kit import compose
from lead_pipeline_tests.orchestration.team_stack import Team
from lead_pipeline_tests.team.object_store import running_object_store

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

TODAY = datetime.now(UTC).date()
FIRST = TODAY - timedelta(days=3)
DAYS = ("--from", FIRST.isoformat(), "--to", (TODAY - timedelta(days=1)).isoformat())
WORKERS = ("one", "two")
SECONDS_AFTER_A_KILL = 90.0


@pytest.fixture(scope="module")
def apis() -> Iterator[Sandbox]:
    """Three accounts with few leads."""
    world = World(start=FIRST, leads_per_day=4, leads_at_start=40)
    with Sandbox(world, limits=False) as sandbox:
        sandbox.set_clock(datetime.now(UTC))
        yield sandbox


@pytest.fixture(scope="module")
def team(apis: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A daemon and two workers with a process each."""
    with running_database() as database, running_broker() as broker, running_object_store() as s3:
        variables = {
            **apis.environment(),
            **s3.variables,
            "LEAD_PIPELINE_SHARED": s3.new_prefix(),
            "LEAD_PIPELINE_DATABASE": database.url,
            "LEAD_PIPELINE_START_DATE": FIRST.isoformat(),
            "CELERY_BROKER_URL": broker,
        }
        team = Team(tmp_path_factory.mktemp("team"), variables)
        try:
            for worker in WORKERS:
                team.start_worker(worker)
            team.start_daemon()
            yield team
        finally:
            team.end()


def wait_for(found: Callable[[], DagsterRun | None], seconds: float = 60) -> DagsterRun:
    """The run that is found within so many seconds."""
    deadline = time.monotonic() + seconds
    while (run := found()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return run


def under_way(team: Team, instance: DagsterInstance, asked: subprocess.Popen[str]) -> DagsterRun:
    """The run that a worker executes now."""

    def found() -> DagsterRun | None:
        assert asked.poll() is None, asked.communicate()
        started = [run for run in instance.get_runs() if run.status is DagsterRunStatus.STARTED]
        return next((run for run in started if team.machine_of(run) in WORKERS), None)

    return wait_for(found)


def test_command_has_workers_do_all_and_says_how_it_ended(team: Team) -> None:
    ran = finish(team.start_command("laptop", "run", *DAYS))

    assert (ran.status, ran.last_line) == (0, "")
    assert "mega/run: is landed by " in ran.output
    with team.instance() as instance:
        runs = instance.get_runs()
    assert {run.status for run in runs} == {DagsterRunStatus.SUCCESS}
    assert len(runs) == len(("mega", "expert_ai_labs", "vorel", "load and publish"))


def test_account_of_a_killed_worker_is_landed_by_the_other_one(team: Team, apis: Sandbox) -> None:
    """No hand is needed, and whoever has asked for it hears of no failure."""
    apis.vorel.faults.add(Fault("slow_body", times=FOREVER, delay=0.3, chunk=200))
    with team.instance() as instance:
        asked = team.start_command("laptop", "run", "--account", "vorel", *DAYS)
        run = under_way(team, instance, asked)
        killed = team.machine_of(run)
        assert killed is not None
        team.kill(killed)
        began = time.monotonic()
        apis.vorel.faults.clear()
        ended = wait_for(lambda: finished(instance, run.run_id), 60)
        seconds_to_notice = time.monotonic() - began
        again = wait_for(lambda: follower(instance, run), SECONDS_AFTER_A_KILL)
        seconds = time.monotonic() - began
        ran = finish(asked)
        team.start_worker(killed)

    assert ended.status is DagsterRunStatus.FAILURE
    assert again.status is DagsterRunStatus.SUCCESS
    assert (ran.status, ran.last_line) == (0, "")
    assert seconds_to_notice < 60
    assert seconds < SECONDS_AFTER_A_KILL


def test_run_that_somebody_ends_is_interrupted_where_it_is_executed(
    team: Team, apis: Sandbox
) -> None:
    apis.vorel.faults.add(Fault("slow_body", times=FOREVER, delay=0.3, chunk=200))
    with team.instance() as instance:
        asked = team.start_command("laptop", "run", "--account", "vorel", "--full", *DAYS)
        run = under_way(team, instance, asked)
        time.sleep(2)
        with patch.dict(os.environ, team.environment("watcher")):
            assert instance.run_coordinator.cancel_run(run.run_id)
        ended = wait_for(lambda: finished(instance, run.run_id), 60)
        apis.vorel.faults.clear()
        ran = finish(asked)

    assert ended.status is DagsterRunStatus.CANCELED
    assert ran.status == 1
    assert "was canceled in Dagster" in ran.last_line


def test_worker_answers_its_health_check(team: Team) -> None:
    check = compose("compose.team.yaml")["services"]["worker"]["healthcheck"]["test"]
    assert check[0] == "CMD-SHELL"
    script = str(check[1]).replace("$$", "$").replace("celery@$(hostname)", f"one@{gethostname()}")
    asked = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", script], env=team.environment("one"), check=False, capture_output=True
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr


def finished(instance: DagsterInstance, run_id: str) -> DagsterRun | None:
    run = instance.get_run_by_id(run_id)
    return run if run is not None and run.is_finished else None


def follower(instance: DagsterInstance, failed: DagsterRun) -> DagsterRun | None:
    """The run that was made in the place of a failed one, once it has ended."""
    runs = [run for run in instance.get_runs() if run.parent_run_id == failed.run_id]
    return next((run for run in runs if run.is_finished), None)
