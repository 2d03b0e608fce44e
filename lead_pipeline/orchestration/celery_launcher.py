"""Runs of a team as tasks of Celery: whichever worker is free executes the next one.

    daemon ──queue of Dagster──▶ launcher ──broker──▶ worker (`celery_worker.py`): one process a run

Celery itself does not say that a worker is dead: its task stays "started" for ever. The lock of the run
says it (`team_processes.py`). Results are not kept, Dagster has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import DagsterRun
from dagster._core.launcher.base import CheckRunHealthResult
from dagster._serdes import ConfigurableClassData
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from lead_pipeline.orchestration.launcher import health_of
from lead_pipeline.orchestration.tags import PROCESS_TAG

SETTINGS: Mapping[str, Any] = {
    # A worker takes from the broker what it has a free process for, and nothing that a crash would
    # keep from the others.
    "worker_disable_prefetch": True,
    "worker_prefetch_multiplier": 1,
    # Each run has a process of its own, as everywhere: what it takes of memory ends with it.
    "worker_max_tasks_per_child": 1,
    "task_ignore_result": True,
    "broker_connection_retry_on_startup": True,
    # Dagster fails a run that cannot be handed over; a broker may be away for some minutes.
    "task_publish_retry_policy": {
        "max_retries": 40,
        "interval_start": 0.5,
        "interval_step": 0.5,
        "interval_max": 10,
    },
    "worker_hijack_root_logger": False,
}
"""Settings of Celery, unless `config_source` in `dagster.yaml` says otherwise."""


class WatchedCeleryRunLauncher(CeleryRunLauncher):
    """Dagster's launcher for Celery, which also knows when the process of a run has died."""

    @classmethod
    def config_type(cls) -> Any:
        """As Dagster's own, without a backend for results."""
        fields: Any = CeleryRunLauncher.config_type()
        return {name: field for name, field in fields.items() if name != "backend"}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> WatchedCeleryRunLauncher:
        """The launcher of `dagster.yaml`."""
        config_source = {**SETTINGS, **(config_value.get("config_source") or {})}
        return cls(inst_data=inst_data, **{**config_value, "config_source": config_source})

    @property
    def supports_resume_run(self) -> bool:
        """Dead runs are failed and run again, which resumes from the checkpoint, as on one machine."""
        return False

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Running, unless the process of the run is gone for sure."""
        return health_of(self._instance, run)

    def get_run_worker_debug_info(
        self, run: DagsterRun, include_container_logs: bool | None = True
    ) -> str | None:
        """Which process had the run; None: none has taken it."""
        del include_container_logs
        return run.tags.get(PROCESS_TAG)

    def terminate(self, run_id: str) -> bool:
        """Ask the worker to interrupt the run, as Ctrl-C does; it ends as canceled."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is not None:
            self.celery.control.revoke(task_id, terminate=True, signal="SIGINT")
        return True
