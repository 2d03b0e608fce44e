"""Which runs of a team have a living process, on whatever machine.

    run begins ──advisory lock, then its tag──▶ run ends, or its process or machine dies ──▶ lock free

The lock is an advisory lock of PostgreSQL, which is free at once when the process dies, and within a
minute when its machine does. The tag, on the run in Dagster, says that the lock was taken once, and by
whom: without it a free lock would not tell a dead process from one that is only starting.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

from dagster import DagsterInstance

from lead_pipeline.orchestration.processes import Life, RunTaken
from lead_pipeline.orchestration.tags import PROCESS_TAG
from lead_pipeline.storage.team.advisory import WATCH_SECONDS, AdvisoryLock, key_of
from lead_pipeline.storage.team.postgres import Database

GRACE_SECONDS = WATCH_SECONDS + 2.0
"""A lock that is free for a shorter time may be one whose connection was cut, as when PostgreSQL is
started again: its holder notices, and takes it again."""

_DIGITS = 8
_free_since: dict[str, float] = {}
"""Runs of which this process saw that their lock is free, and since when (monotonic)."""


class TeamRunLocks:
    """The locks of the runs of a team's instance."""

    def __init__(self, instance: DagsterInstance, url: str) -> None:
        self._instance = instance
        self._database = Database.of(url)

    def take(self, run_id: str) -> Callable[[], None]:
        """Take the lock of a run, and say so on the run where Dagster has it already.

        Raises `RunTaken` where another process has it.
        """
        lock = self._lock(run_id)
        if not lock.acquire("executing the run", 0):
            holder = lock.holder()
            lock.release()
            raise RunTaken(f"The run {run_id} is executed by {holder or 'another process'}.")
        if self._instance.has_run(run_id):
            self._instance.add_run_tags(run_id, dict(self.tags(run_id)))
        return lock.release

    def tags(self, run_id: str) -> Mapping[str, str]:
        """Which process executes the run. A run that retries it gets its tags, so the tag names it."""
        process = f"{socket.gethostname()}, process {os.getpid()}"
        return {PROCESS_TAG: f"{run_id[:_DIGITS]}: {process}"}

    def life(self, run_id: str) -> Life:
        """Whether a living process executes the run."""
        # Read before the lock is looked at: it is set when the lock has been taken.
        run = self._instance.get_run_by_id(run_id)
        has_begun = run is not None and has_process(run_id, run.tags)
        if self._lock(run_id).is_held():
            _free_since.pop(run_id, None)
            return Life.ALIVE
        if not has_begun:
            return Life.UNKNOWN
        since = _free_since.setdefault(run_id, time.monotonic())
        return Life.DEAD if time.monotonic() - since >= GRACE_SECONDS else Life.ALIVE

    def forget(self, run_id: str) -> None:
        """The lock itself leaves nothing."""
        _free_since.pop(run_id, None)

    def _lock(self, run_id: str) -> AdvisoryLock:
        return AdvisoryLock(self._database, key_of("run", run_id), f"run-{run_id[:_DIGITS]}")


def has_process(run_id: str, tags: Mapping[str, str]) -> bool:
    """Whether a process has taken up the run with those tags, rather than one that it retries."""
    return tags.get(PROCESS_TAG, "").startswith(run_id[:_DIGITS])
