"""A worker of a team: executes the runs that the daemon has handed to Celery.

    lead_pipeline/worker.py ──▶ app ──task──▶ forked process: lock of the run ──▶ run ──▶ it ends

The broker is the one of the run launcher in `dagster.yaml`, of `DAGSTER_HOME`. Each run is a forked
process, which takes the lock of the run first, and ends after it.
"""

from __future__ import annotations

import logging
import signal
from typing import Any

import celery
from dagster import DagsterInstance
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import unpack_value
from dagster_celery.tasks import create_execute_job_task

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.orchestration.celery_launcher import WatchedCeleryRunLauncher
from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline.orchestration.narrowing import account_landed_by, narrow_process_to
from lead_pipeline.orchestration.processes import RunTaken, take_run_lock
from lead_pipeline.settings import load_settings

_logger = logging.getLogger(__name__)


class RunTask(celery.Task):  # type: ignore[misc]
    """A task that executes a run while its process holds the lock of the run."""

    abstract = True

    def __call__(self, execute_job_args_packed: Any) -> int:
        """Execute the run; nothing is done where another process does."""
        # Celery's processes hear no SIGINT, by which a run is interrupted.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run_id = unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs).run_id
        try:
            with DagsterInstance.get() as instance:
                free = take_run_lock(instance, run_id)
                run = instance.get_run_by_id(run_id)
        except RunTaken as taken:
            _logger.warning("%s It is left to it.", taken)
            return 0
        if run is not None:
            narrow_process_to(account_landed_by(run))
        try:
            return int(super().__call__(execute_job_args_packed))
        finally:
            free()


def make_app() -> celery.Celery:
    """The application of Celery, as `dagster.yaml` describes it.

    Raises `ConfigurationError` where that names another launcher.
    """
    with open_instance(load_settings()) as instance:
        launcher = instance.run_launcher
    if not isinstance(launcher, WatchedCeleryRunLauncher):
        raise ConfigurationError(
            "A worker of Celery is started, and dagster.yaml in DAGSTER_HOME hands no runs to Celery. "
            "Copy deploy/dagster-celery.yaml there, for daemon and workers."
        )
    app = launcher.celery
    # Its signature takes options to be dictionaries, and passes them on to Celery as they are.
    options: Any = {"base": RunTask}
    create_execute_job_task(app, **options)
    return app
