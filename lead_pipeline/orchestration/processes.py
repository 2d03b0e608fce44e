"""Which runs have a living process.

    run begins ──lock <DAGSTER_HOME>/processes/<run id>──▶ run ends, or its process dies

Every run holds a lock of its own, whoever started it: the command line, the daemon or the web
server. The operating system frees the lock of a process that dies, so a run that is unfinished and
whose lock is free is dead. A lock tells the living from the dead also where process ids are
reused, as in containers.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from enum import Enum
from multiprocessing.util import Finalize
from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from filelock import FileLock, Timeout

SECONDS_TO_LOCK = 60.0
"""A run that has started takes its lock at once. One without a lock after this time has lost its
process in between, or was started by a version of lead-pipeline that knew no such locks."""
SECONDS_TO_START = 180.0
"""How long a process may take to start a run, imports included; Dagster's own default."""

UNFINISHED = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


class Life(Enum):
    """What is known of the process that executes a run."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"
    """There is no lock: the process has not taken it yet, or never will."""


def take_run_lock(instance: DagsterInstance, run_id: str) -> Callable[[], None]:
    """Take the lock of the run `run_id`, until this process ends or calls what is returned."""
    path = _lock_path(instance, run_id)
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

    # Not atexit, which multiprocessing's children pass over.
    return Finalize(None, free, exitpriority=0)


def life_of(instance: DagsterInstance, run_id: str) -> Life:
    """Whether a living process executes the run `run_id`."""
    path = _lock_path(instance, run_id)
    if not path.exists():
        return Life.UNKNOWN
    try:
        with FileLock(path, thread_local=False).acquire(timeout=0):
            return Life.DEAD
    except Timeout:
        return Life.ALIVE


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
    return time.time() - record.update_timestamp.timestamp() > SECONDS_TO_START


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
        _lock_path(instance, run.run_id).unlink(missing_ok=True)
        ended.append(run.run_id)
    return ended


GONE = "The process that executed this run is gone. The next run resumes where it stopped."


def _lock_path(instance: DagsterInstance, run_id: str) -> Path:
    return Path(instance.root_directory) / "processes" / run_id
