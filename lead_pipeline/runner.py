"""Recorded Dagster runs without a daemon or a web server.

    days + account ──▶ landing run          all accounts ──▶ load, dbt, publish run

Belongs here: making the instance, executing parts of the job, telling how they ended. Does not
belong here: what people see on a terminal (`commands/`, `console.py`).
"""

from __future__ import annotations

import io
import os
import secrets
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)
from dagster_shared.error import SerializableErrorInfo
from filelock import FileLock, Timeout

from lead_pipeline.bi.asset import allow_shrinkage_config
from lead_pipeline.durable import write_durably
from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.landing.assets import landing_keys
from lead_pipeline.normalized.assets import KEYS as NORMALIZED_KEYS
from lead_pipeline.providers.base import Account
from lead_pipeline.schedules import ACCOUNT_TAG, JOB, full_run_config
from lead_pipeline.settings import Settings, load_settings

PROCESS_TAG = "lead_pipeline/process"
"""The process that executes a run: the name of a lock that it holds as long as it lives."""

_UNFINISHED = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]

INSTANCE_CONFIG = b"""\
# Written by lead-pipeline. One crawl per account at a time, one writer per file.
concurrency:
  pools:
    default_limit: 1
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 300
telemetry:
  enabled: false
nux:
  enabled: false
"""

_NO_COMPUTE_LOGS = {
    # Capturing redirects the whole process's output, the progress on the terminal included.
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
}


@dataclass(frozen=True)
class RunOutcome:
    """How one Dagster run ended. `failure` is one sentence with the remedy, None on success."""

    name: str
    run_id: str
    failure: str | None


def ensure_dagster_home(settings: Settings) -> Path:
    """`DAGSTER_HOME`, set to the pipeline's own folder (and made) where none is set."""
    home = os.environ.get("DAGSTER_HOME")
    if home:
        return Path(home)
    path = settings.dagster_home / "dagster.yaml"
    if not path.exists():
        write_durably(path, INSTANCE_CONFIG)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    return settings.dagster_home


def main() -> None:
    """Print `DAGSTER_HOME`, for `make dev`: `python -m lead_pipeline.runner`."""
    sys.stdout.write(f"{ensure_dagster_home(load_settings())}\n")


def open_instance(settings: Settings) -> DagsterInstance:
    """The persistent instance under `DAGSTER_HOME`, without capture of what ops print."""
    home = ensure_dagster_home(settings)
    # The public constructor that takes overrides; the folder is the user's own, not temporary.
    return DagsterInstance.local_temp(str(home), overrides=_NO_COMPUTE_LOGS)


def end_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark runs as failed whose process is gone, and free their pool slots.

    A killed process can do neither; without this the next run of the account would wait for
    ever. Returns the ids of the runs.
    """
    ended = []
    for run in _unfinished_runs(instance):
        process = run.tags.get(PROCESS_TAG)
        if process is None or _is_alive(instance, process):
            continue
        instance.report_run_failed(
            run, "The process that executed this run was killed. The next run goes on from there."
        )
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended


def runs_under_way(instance: DagsterInstance) -> list[str]:
    """What other processes are running at this moment, one phrase per run."""
    return sorted(
        f"{run.tags.get(ACCOUNT_TAG, 'load and publish')} (run {run.run_id[:8]})"
        for run in _unfinished_runs(instance)
        if run.status != DagsterRunStatus.NOT_STARTED
    )


def _unfinished_runs(instance: DagsterInstance) -> Sequence[DagsterRun]:
    return instance.get_runs(RunsFilter(statuses=_UNFINISHED))


@cache
def _process_lock(folder: Path) -> FileLock:
    """This process's own lock, held from now on until it ends, however it ends.

    A lock tells the living from the dead also where process ids come again, as in containers.
    """
    path = folder / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, thread_local=False)
    lock.acquire()
    # Not atexit, which multiprocessing's children pass over.
    Finalize(None, path.unlink, kwargs={"missing_ok": True}, exitpriority=0)
    return lock


def _is_alive(instance: DagsterInstance, process: str) -> bool:
    lock = _process_folder(instance) / process
    if not lock.exists():
        return False
    try:
        with FileLock(lock, thread_local=False).acquire(timeout=0):
            pass
    except Timeout:
        return True
    lock.unlink(missing_ok=True)
    return False


def _process_folder(instance: DagsterInstance) -> Path:
    return Path(instance.root_directory) / "processes"


class PipelineRunner:
    """Executes parts of the job `daily_leads` in this process, recorded in the instance.

    Not for several threads at once: Dagster's SQLite storage and its logging wait for each
    other. Accounts run side by side in processes of their own (`lead_pipeline.side_by_side`).
    """

    def __init__(self, definitions: dg.Definitions, instance: DagsterInstance) -> None:
        self._definitions = definitions
        self._instance = instance

    def land(self, account: Account, first: date, last: date, *, full: bool = False) -> RunOutcome:
        """Land the partitions `first` to `last` of one account, one crawl per stream."""
        keys = landing_keys(account)
        return self._execute(
            f"landing of {account.name}",
            keys,
            tags={
                ACCOUNT_TAG: account.name,
                ASSET_PARTITION_RANGE_START_TAG: first.isoformat(),
                ASSET_PARTITION_RANGE_END_TAG: last.isoformat(),
            },
            run_config=full_run_config(keys) if full else {},
        )

    def load(self) -> RunOutcome:
        """Bring the normalized tables up to date with landing."""
        return self._execute("load", list(NORMALIZED_KEYS))

    def load_and_publish(self, *, allow_shrinkage: bool = False) -> RunOutcome:
        """Load, build and test the marts, publish; `allow_shrinkage` lets readers lose leads."""
        keys = self._definitions.resolve_asset_graph().get_all_asset_keys()
        downstream = [key for key in keys if key.path[0] != "landing"]
        return self._execute(
            "load and publish",
            sorted(downstream),
            run_config=allow_shrinkage_config() if allow_shrinkage else {},
        )

    def _execute(
        self,
        name: str,
        keys: Sequence[dg.AssetKey],
        tags: dict[str, str] | None = None,
        run_config: dict[str, Any] | None = None,
    ) -> RunOutcome:
        job = self._definitions.resolve_job_def(JOB)
        # People read the progress and the summary. The run's own log is in the instance, and
        # what dbt prints is in its log file beside the candidate.
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        process = Path(_process_lock(_process_folder(self._instance)).lock_file).name
        with redirect_stdout(io.StringIO()):
            result = job.execute_in_process(
                instance=self._instance,
                asset_selection=list(keys),
                tags={PROCESS_TAG: process, **(tags or {})},
                run_config=quiet | (run_config or {}),
                raise_on_error=False,
            )
        return RunOutcome(name, result.run_id, None if result.success else _failure(result))


def _failure(result: dg.ExecuteInProcessResult) -> str:
    """The first failed step in one sentence: its own message, without a stack trace.

    Raises `KeyboardInterrupt` where the run did not fail but was interrupted.
    """
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            return str(data.user_failure_data.description)
        errors = list(_causes(data.error))
        if any(error.cls_name == DagsterExecutionInterruptedError.__name__ for error in errors):
            raise KeyboardInterrupt
        for error in errors:
            if error.cls_name in _error_names(LeadPipelineError):
                return error.message.partition(": ")[2].strip()
        kind = errors[-1].cls_name if errors else "an error"
        return (
            f"Step {event.step_key} failed with {kind}. The stack trace is in the Dagster run "
            f"{result.run_id}."
        )
    return f"The Dagster run {result.run_id} failed before any step."


def _causes(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    """The error and what caused it, outermost first."""
    while error is not None:
        yield error
        error = error.cause


def _error_names(error: type[Exception]) -> set[str]:
    return {error.__name__}.union(*(_error_names(kind) for kind in error.__subclasses__()))


if __name__ == "__main__":
    main()
