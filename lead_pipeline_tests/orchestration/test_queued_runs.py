"""Runs that are asked for and waited for: followed to their end, wherever they are executed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG
from dagster._daemon.types import DaemonHeartbeat

from lead_pipeline.landing.progress import Progress
from lead_pipeline.orchestration import queued_runs
from lead_pipeline.orchestration.narrowing import account_landed_by
from lead_pipeline.orchestration.processes import GONE
from lead_pipeline.orchestration.queued_runs import (
    LOCATION,
    QUEUE_DAEMON,
    QueuedRunner,
    queued_runner,
)
from lead_pipeline.orchestration.runner import RunOutcome, RunRequest
from lead_pipeline.orchestration.schedules import JOB
from lead_pipeline.orchestration.tags import ACCOUNT_TAG
from lead_pipeline_tests.commands import instance_of

Daemon = Callable[[dg.DagsterInstance, DagsterRun], None]
"""What happens to a run in the queue."""


@dg.asset(key=["landing", "mega", "leads"])
def leads() -> None:
    """What a run lands."""


DEFINITIONS = dg.Definitions(assets=[leads], jobs=[dg.define_asset_job(JOB, selection="*")])
REQUEST = RunRequest("landing of mega", [leads.key], {ACCOUNT_TAG: "mega"})


@pytest.fixture
def instance(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setattr(queued_runs, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(queued_runs, "SECONDS_A_RUN", 0.01)
    with instance_of(home) as opened:
        yield opened


def beat(instance: dg.DagsterInstance, seconds_ago: float = 0.0) -> None:
    """As a daemon says that it is there."""
    instance.add_daemon_heartbeat(
        DaemonHeartbeat(time.time() - seconds_ago, QUEUE_DAEMON, "daemon", errors=[])
    )


def waited_for(
    instance: dg.DagsterInstance, *daemon: Daemon
) -> tuple[RunOutcome, list[str], list[str]]:
    """How the run ended, after these things have happened to it, one at a look; what was heard of
    it, and what was told besides."""
    heard: list[str] = []
    told: list[str] = []
    steps = list(daemon)

    def turn(ended: object) -> None:
        del ended
        newest = instance.get_runs(limit=1)[0]
        if steps:
            steps.pop(0)(instance, newest)

    def listener(progress: Progress) -> None:
        heard.append(progress.message)

    runner = QueuedRunner(DEFINITIONS, instance, told.append)
    ((name, outcome),) = runner.outcomes([REQUEST], listener, turn)
    assert (name, steps) == (REQUEST.name, [])
    return outcome, heard, told


def starts(instance: dg.DagsterInstance, run: DagsterRun) -> None:
    report(instance, run, dg.DagsterEventType.RUN_START)


def succeeds(instance: dg.DagsterInstance, run: DagsterRun) -> None:
    report(instance, run, dg.DagsterEventType.RUN_SUCCESS)


def dies(instance: dg.DagsterInstance, run: DagsterRun) -> None:
    instance.report_run_failed(run, GONE)


def is_canceled(instance: dg.DagsterInstance, run: DagsterRun) -> None:
    instance.report_run_canceled(run)


def will_be_run_again(instance: dg.DagsterInstance, run: DagsterRun) -> None:
    instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "true"})


def will_not_be_run_again(instance: dg.DagsterInstance, run: DagsterRun) -> None:
    instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})


def is_run_again(instance: dg.DagsterInstance, run: DagsterRun) -> None:
    again = instance.create_run_for_job(
        DEFINITIONS.resolve_job_def(JOB), tags=run.tags, status=DagsterRunStatus.STARTING
    )
    instance.add_run_tags(run.run_id, {AUTO_RETRY_RUN_ID_TAG: again.run_id})


def says(message: str) -> Daemon:
    def say(instance: dg.DagsterInstance, run: DagsterRun) -> None:
        log = dg.DagsterLogManager.create(loggers=[], dagster_run=run, instance=instance)
        log.info(message)

    return say


def report(instance: dg.DagsterInstance, run: DagsterRun, kind: dg.DagsterEventType) -> None:
    event = dg.DagsterEvent(event_type_value=kind.value, job_name=run.job_name)
    instance.report_dagster_event(event, run_id=run.run_id)


def test_run_is_put_into_the_queue_for_the_code_location_of_the_daemon(
    instance: dg.DagsterInstance,
) -> None:
    beat(instance)
    queued: list[DagsterRun] = []

    def look(instance: dg.DagsterInstance, run: DagsterRun) -> None:
        del instance
        queued.append(run)

    outcome, _, _ = waited_for(instance, look, starts, succeeds)

    assert outcome.failure is None
    [run] = queued
    assert run.status is DagsterRunStatus.QUEUED
    assert run.asset_selection == {leads.key}
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.location_name == LOCATION
    assert run.job_code_origin is not None
    assert outcome.run_id == run.run_id


def test_what_a_crawl_tells_is_heard_while_it_is_waited_for(instance: dg.DagsterInstance) -> None:
    beat(instance)
    page = "mega/leads: page 2 of 5, 200 records"
    _, heard, _ = waited_for(instance, starts, says(page), says("something else"), succeeds)

    assert heard == ["mega/run: waits in the queue", "mega/run: is landed", page]


def test_run_that_is_run_again_after_a_crash_is_followed(instance: dg.DagsterInstance) -> None:
    beat(instance)
    first: list[str] = []

    def note(instance: dg.DagsterInstance, run: DagsterRun) -> None:
        del instance
        first.append(run.run_id)

    outcome, _, _ = waited_for(
        instance, note, starts, dies, will_be_run_again, is_run_again, starts, succeeds
    )

    assert outcome.failure is None
    assert outcome.run_id not in first


def test_run_that_has_died_too_often_has_failed_with_the_reason(
    instance: dg.DagsterInstance,
) -> None:
    beat(instance)
    outcome, _, _ = waited_for(instance, starts, dies, will_not_be_run_again)

    assert outcome.failure == f"{GONE} It was the Dagster run {outcome.run_id}."


def test_run_that_somebody_has_canceled_has_failed(instance: dg.DagsterInstance) -> None:
    beat(instance)
    outcome, _, _ = waited_for(instance, starts, is_canceled)

    assert outcome.failure is not None
    assert "was canceled in Dagster" in outcome.failure


@pytest.mark.parametrize(
    ("request_", "account"),
    [
        (REQUEST, "mega"),
        (RunRequest("load and publish", [dg.AssetKey("published")]), None),
        (RunRequest("all", [leads.key, dg.AssetKey("published")], {ACCOUNT_TAG: "mega"}), None),
    ],
    ids=["landing", "publication", "both"],
)
def test_process_of_a_run_makes_one_accounts_definitions_only_where_that_is_all_it_lands(
    request_: RunRequest, account: str | None
) -> None:
    run = DagsterRun(
        JOB,
        asset_selection=frozenset(request_.keys),
        tags={n: str(v) for n, v in request_.tags.items()},
    )
    assert account_landed_by(run) == account


def test_without_a_daemon_nothing_is_queued_and_it_is_said(instance: dg.DagsterInstance) -> None:
    told: list[str] = []
    beat(instance, seconds_ago=600)

    assert queued_runner(instance, told.append) is None
    assert told == [
        "No daemon of Dagster is alive, so this process does all by itself. For workers, start one: "
        "dagster-daemon run -m lead_pipeline.definitions"
    ]


def test_daemon_that_stops_meanwhile_is_missed_once(instance: dg.DagsterInstance) -> None:
    beat(instance)

    def stops(instance: dg.DagsterInstance, run: DagsterRun) -> None:
        del run
        beat(instance, seconds_ago=600)

    def nothing(instance: dg.DagsterInstance, run: DagsterRun) -> None:
        """A look at which nothing has changed."""

    _, _, told = waited_for(instance, stops, nothing, nothing, starts, succeeds)

    assert len(told) == 1
    assert "queued runs wait until one is started again" in told[0]
