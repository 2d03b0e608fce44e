"""Runs that the workers of a team execute, asked for and waited for from the command line.

    request ──▶ queue of the shared instance ──daemon──▶ a worker ──▶ ended ──▶ outcome
                                                           └─its process died──▶ run again, waited for too

Belongs here: asking and waiting. Does not belong here: which runs follow which (`commands/`), and what
happens without a daemon (`runner.py`: this process executes them itself).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import (
    DEFAULT_DAGSTER_ENTRY_POINT,
    JobPythonOrigin,
    RepositoryPythonOrigin,
)
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

from lead_pipeline.landing.progress import Progress, ProgressListener
from lead_pipeline.orchestration.failures import Interrupted, step_failures
from lead_pipeline.orchestration.runner import RunOutcome, RunRequest, publish_request
from lead_pipeline.orchestration.schedules import JOB
from lead_pipeline.orchestration.tags import ACCOUNT_TAG, PROCESS_TAG

LOCATION = "lead_pipeline.definitions"
"""The name of our code location, as `workspace.yaml` and `dagster-daemon -m` have it."""
QUEUE_DAEMON = "QUEUED_RUN_COORDINATOR"
SECONDS_TO_HEARTBEAT = 90.0
"""Dagster's daemon says every 30 seconds that it is there."""
POLL_SECONDS = 2.0
SECONDS_A_RUN = 0.05
"""Of many runs, each look reads all: 200 are looked at every ten seconds."""
PATIENCE_FOR_RETRY = 120.0
"""How long the daemon may take to run a run again whose process has died."""
_SECONDS_TO_TAG = 10.0
"""A run is marked as failed a moment before it is known whether it will be run again."""

_CANCELED = "was canceled in Dagster. What it landed is kept; run again to resume from there."


def is_daemon_alive(instance: DagsterInstance) -> bool:
    """Whether a daemon takes runs from the queue of the instance."""
    beat = instance.get_daemon_heartbeats().get(QUEUE_DAEMON)
    return beat is not None and time.time() - beat.timestamp < SECONDS_TO_HEARTBEAT


def queued_runner(
    instance: DagsterInstance, tell: Callable[[str], None]
) -> Callable[[dg.Definitions], QueuedRunner] | None:
    """Makes a runner whose runs the daemon of the instance takes up; None where none is alive.

    `tell` then receives a sentence on what happens without one.
    """
    if is_daemon_alive(instance):
        return lambda definitions: QueuedRunner(definitions, instance, tell)
    tell(
        "No daemon of Dagster is alive, so this process does all by itself. For workers, start one: "
        "dagster-daemon run -m lead_pipeline.definitions"
    )
    return None


@dataclass(frozen=True)
class _Waited:
    """A run that is waited for."""

    request: RunRequest
    run_id: str
    status: DagsterRunStatus | None = None
    cursor: str | None = None
    """How far its log has been read."""
    ended_at: float = 0.0
    """When it was first seen to have ended (monotonic)."""


class QueuedRunner:
    """Has runs executed by the daemon's run launcher, and waits for them."""

    def __init__(
        self,
        definitions: dg.Definitions,
        instance: DagsterInstance,
        tell: Callable[[str], None],
    ) -> None:
        """`tell` hears, in a sentence, what keeps runs from being executed."""
        self._definitions = definitions
        self._instance = instance
        self._tell = tell
        self._was_alive = True

    def load_and_publish(
        self, *, allow_row_count_drop: bool = False, allow_missing: bool = False
    ) -> RunOutcome:
        """Load, build and test the marts, publish; returns when that run has ended."""
        request = publish_request(
            self._definitions,
            allow_row_count_drop=allow_row_count_drop,
            allow_missing=allow_missing,
        )
        ((_, outcome),) = self.outcomes([request])
        return outcome

    def outcomes(
        self,
        requests: Sequence[RunRequest],
        listener: ProgressListener = lambda progress: None,
        turn: Callable[[Mapping[str, RunOutcome]], None] = lambda ended: None,
    ) -> Iterator[tuple[str, RunOutcome]]:
        """Ask for all of the runs at once; yields the name and outcome of each, as they end.

        `listener` hears how far they are. `turn` is called again and again meanwhile, with the outcomes
        so far. When the caller stops, the runs go on.
        """
        waiting = {request.name: _Waited(request, self._submit(request)) for request in requests}
        ended: dict[str, RunOutcome] = {}
        while waiting:
            records = self._records([waited.run_id for waited in waiting.values()])
            for name, waited in list(waiting.items()):
                record = records.get(waited.run_id)
                run = None if record is None else record.dagster_run
                now = self._followed(waited, run, listener)
                if isinstance(now, RunOutcome):
                    del waiting[name]
                    ended[name] = now
                    yield name, now
                else:
                    waiting[name] = now
            self._look_after_daemon()
            turn(ended)
            if waiting:
                time.sleep(max(POLL_SECONDS, SECONDS_A_RUN * len(waiting)))

    def _submit(self, request: RunRequest) -> str:
        run = self._instance.create_run_for_job(
            self._definitions.resolve_job_def(JOB),
            asset_selection=set(request.keys),
            tags=dict(request.tags),
            run_config=dict(request.config),
            status=DagsterRunStatus.NOT_STARTED,
            remote_job_origin=RemoteJobOrigin(
                RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION), "__repository__"),
                JOB,
            ),
            job_code_origin=JobPythonOrigin(
                JOB,
                RepositoryPythonOrigin(
                    sys.executable,
                    ModuleCodePointer(LOCATION, "defs"),
                    entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
                ),
            ),
        )
        # Dagster's queue needs no workspace to take the run: the daemon has one.
        nowhere: Any = None
        self._instance.run_coordinator.submit_run(SubmitRunContext(run, nowhere))
        return run.run_id

    def _records(self, run_ids: Sequence[str]) -> dict[str, RunRecord]:
        records = self._instance.get_run_records(RunsFilter(run_ids=list(run_ids)))
        return {record.dagster_run.run_id: record for record in records}

    def _followed(
        self, waited: _Waited, run: DagsterRun | None, listener: ProgressListener
    ) -> _Waited | RunOutcome:
        """What is known of the run now: how it ended, or as far as it is."""
        name, run_id = waited.request.name, waited.run_id
        if run is None:
            return RunOutcome(name, run_id, f"The Dagster run {run_id} has been deleted.")
        now = replace(waited, status=run.status)
        if run.status is not waited.status:
            _tell_of_status(run, listener)
        if run.status is DagsterRunStatus.STARTED or run.is_finished:
            now = self._tell_of_log(now, listener)
        if not run.is_finished:
            return now
        now = replace(now, ended_at=now.ended_at or time.monotonic())
        follower = run.tags.get(AUTO_RETRY_RUN_ID_TAG)
        if follower is not None:
            return _Waited(waited.request, follower)
        return now if self._may_be_run_again(run, now) else self._outcome(name, run)

    def _may_be_run_again(self, run: DagsterRun, waited: _Waited) -> bool:
        if run.status is not DagsterRunStatus.FAILURE or not self._instance.run_retries_enabled:
            return False
        since = time.monotonic() - waited.ended_at
        will = run.tags.get(WILL_RETRY_TAG)
        if will is None:
            return since < _SECONDS_TO_TAG
        return will == "true" and since < PATIENCE_FOR_RETRY

    def _outcome(self, name: str, run: DagsterRun) -> RunOutcome:
        run_id = run.run_id
        if run.status is DagsterRunStatus.SUCCESS:
            return RunOutcome(name, run_id, None)
        if run.status is DagsterRunStatus.CANCELED:
            return RunOutcome(name, run_id, f"The Dagster run {run_id} {_CANCELED}")
        entries = self._instance.all_logs(run_id)
        events = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
        try:
            first = next(step_failures(events, run_id), None)
        except Interrupted:
            return RunOutcome(name, run_id, f"The Dagster run {run_id} {_CANCELED}")
        if first is not None:
            return RunOutcome(name, run_id, first.message, first.error)
        said = [event.message for event in events if event.is_job_failure and event.message]
        why = said[-1] if said else "It failed before any step."
        return RunOutcome(name, run_id, f"{why} It was the Dagster run {run_id}.")

    def _tell_of_log(self, waited: _Waited, listener: ProgressListener) -> _Waited:
        """Pass on what the crawl has written into the log of its run since the last time."""
        account = waited.request.tags.get(ACCOUNT_TAG)
        if account is None:
            return waited
        read = self._instance.get_records_for_run(waited.run_id, cursor=waited.cursor, limit=500)
        for record in read.records:
            entry = record.event_log_entry
            stream, colon, _ = entry.user_message.partition(": ")
            if not entry.is_dagster_event and colon and stream.startswith(f"{account}/"):
                listener(_news(account, stream.removeprefix(f"{account}/"), entry.user_message))
        return replace(waited, cursor=read.cursor)

    def _look_after_daemon(self) -> None:
        is_alive = is_daemon_alive(self._instance)
        if self._was_alive and not is_alive:
            self._tell(
                "No daemon of Dagster has answered for more than a minute: queued runs wait until one "
                "is started again (dagster-daemon run -m lead_pipeline.definitions)."
            )
        self._was_alive = is_alive


def _tell_of_status(run: DagsterRun, listener: ProgressListener) -> None:
    account = run.tags.get(ACCOUNT_TAG)
    process = run.tags.get(PROCESS_TAG, "").partition(": ")[2]
    words = {
        DagsterRunStatus.QUEUED: "waits in the queue",
        DagsterRunStatus.STARTED: f"is landed by {process}" if process else "is landed",
    }
    if account is not None and run.status in words:
        listener(_news(account, "run", f"{account}/run: {words[run.status]}"))


def _news(account: str, stream: str, message: str) -> Progress:
    return Progress(account, stream, 0, 0, None, None, message, is_news=True)
