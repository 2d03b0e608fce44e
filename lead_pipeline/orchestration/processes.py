"""Which runs have a living process.

    run begins ──lock <DAGSTER_HOME>/processes/<run id>──▶ run ends, or its process dies

Every run holds a lock of its own, whoever started it: the command line, the daemon or the web
server. The operating system frees the lock of a process that dies, so a run that is unfinished and
whose lock is free is dead. A lock tells the living from the dead also where process ids are
reused, as in containers. Of a team, whose runs are executed on many machines, the locks are in its
PostgreSQL (`team_processes.py`).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping
from enum import Enum
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Protocol

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from filelock import FileLock, Timeout

from lead_pipeline.settings import load_settings

SECONDS_TO_LOCK = 60.0
"""A run that has started takes its lock at once. One without a lock after this time has lost its
process in between, or was started by a version of lead-pipeline that knew no such locks."""
SECONDS_TO_START = 180.0
"""How long a process may take to start a run, imports included; Dagster's own default. Where
`dagster.yaml` says otherwise, as for workers that may all be busy, that counts."""

UNFINISHED = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


class RunTaken(Exception):
    """Another process executes the run already."""


class Life(Enum):
    """What is known of the process that executes a run."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"
    """There is no lock: the process has not taken it yet, or never will."""


class RunLocks(Protocol):
    """The locks of the runs of an instance."""

    def take(self, run_id: str) -> Callable[[], None]:
        """Take the lock of a run, until this process ends or calls what is returned."""

    def tags(self, run_id: str) -> Mapping[str, str]:
        """With what a run is made whose lock this process has taken already."""

    def life(self, run_id: str) -> Life:
        """Whether a living process executes the run."""

    def forget(self, run_id: str) -> None:
        """Remove what is left of the lock of a dead run."""


def run_locks(instance: DagsterInstance) -> RunLocks:
    """Files of this machine, or the team's PostgreSQL where `LEAD_PIPELINE_DATABASE` is set.

    Raises `ConfigurationError` where the settings cannot be used.
    """
    database = load_settings().database
    if database is None:
        return FileRunLocks(Path(instance.root_directory) / "processes")
    from lead_pipeline.orchestration.team_processes import TeamRunLocks

    return TeamRunLocks(instance, database.get_secret_value())


_taken_here: set[tuple[int, str]] = set()
"""The runs whose locks this process has, with its id: forked children have none of them."""


def take_run_lock(instance: DagsterInstance, run_id: str) -> Callable[[], None]:
    """Take the lock of the run `run_id`, until this process ends or calls what is returned.

    Nothing is done where this process has it. Raises `RunTaken` where another process has it.
    """
    here = (os.getpid(), run_id)
    if here in _taken_here:
        return lambda: None
    free = run_locks(instance).take(run_id)
    _taken_here.add(here)

    def release() -> None:
        _taken_here.discard(here)
        free()

    # Not atexit, which multiprocessing's children pass over.
    return Finalize(None, release, exitpriority=0)


class FileRunLocks:
    """The runs of one machine: a locked file each in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, run_id: str) -> Callable[[], None]:
        """Take the lock of a run."""
        path = self._folder / run_id
        path.parent.mkdir(parents=True, exist_ok=True)
        # Locked under a name that nobody looks at: a lock that can be seen is never a free one of a
        # process that is only about to take it.
        unseen = path.with_name(f".{run_id}-{secrets.token_hex(4)}")
        lock = FileLock(unseen, thread_local=False)
        lock.acquire()
        unseen.rename(path)

        def free() -> None:
            path.unlink(missing_ok=True)
            lock.release()

        return free

    def tags(self, run_id: str) -> Mapping[str, str]:
        """None: the file says it."""
        del run_id
        return {}

    def life(self, run_id: str) -> Life:
        """Whether a living process executes the run."""
        path = self._folder / run_id
        if not path.exists():
            return Life.UNKNOWN
        try:
            with FileLock(path, thread_local=False).acquire(timeout=0):
                return Life.DEAD
        except Timeout:
            return Life.ALIVE

    def forget(self, run_id: str) -> None:
        """Remove the file."""
        (self._folder / run_id).unlink(missing_ok=True)


def life_of(instance: DagsterInstance, run_id: str) -> Life:
    """Whether a living process executes the run `run_id`."""
    return run_locks(instance).life(run_id)


def is_dead(instance: DagsterInstance, run_id: str) -> bool:
    """Whether the run `run_id` is unfinished and its process is gone for sure."""
    life = life_of(instance, run_id)
    # Read after the lock: a run that has ended in between has freed it because of that.
    record = instance.get_run_record_by_id(run_id)
    if record is None or record.dagster_run.status not in UNFINISHED:
        return False
    if life is not Life.UNKNOWN:
        return life is Life.DEAD
    if record.dagster_run.status in (DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING):
        began = record.start_time or record.create_timestamp.timestamp()
        return time.time() - began > SECONDS_TO_LOCK
    return time.time() - record.update_timestamp.timestamp() > _seconds_to_start(instance)


def _seconds_to_start(instance: DagsterInstance) -> float:
    configured = (instance.get_settings("run_monitoring") or {}).get("start_timeout_seconds")
    return SECONDS_TO_START if configured is None else float(configured)


def end_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark the runs as failed whose process is gone, and free their pool slots.

    A killed process can do neither; until then the queue holds back the next run of the account.
    Returns the ids of the runs.
    """
    ended = []
    for run in instance.get_runs(RunsFilter(statuses=UNFINISHED)):
        if not is_dead(instance, run.run_id):
            continue
        if run.status == DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, "The process of this run is gone.")
        else:
            instance.report_run_failed(run, GONE)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        run_locks(instance).forget(run.run_id)
        ended.append(run.run_id)
    return ended


GONE = "The process that executed this run is gone. The next run resumes where it stopped."
