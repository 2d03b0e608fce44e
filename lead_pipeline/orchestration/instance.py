"""The Dagster instance below `LEAD_PIPELINE_HOME`, safe to open from many processes at once.

lock ──▶ dagster.yaml ──▶ databases made or healed ──▶ databases opened ──▶ lock freed
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagster import DagsterError, DagsterInstance
from sqlalchemy.exc import SQLAlchemyError

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.orchestration.databases import heal_storage, make_storage, reuse_engines
from lead_pipeline.settings import Settings, load_settings
from lead_pipeline.storage.files import remove_temporaries, write_atomically
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.permissions import be_private
from lead_pipeline.storage.team.extra import require_team

_logger = logging.getLogger(__name__)

INSTANCE_CONFIG = b"""\
# Written by lead-pipeline, and replaced by newer versions of it unless you change it.
concurrency:
  pools:
    default_limit: 1
    # A run waits in the queue for its accounts, never inside of a step.
    granularity: run
run_launcher:
  module: lead_pipeline.orchestration.launcher
  class: WatchedRunLauncher
run_monitoring:
  enabled: true
  poll_interval_seconds: 15
  # A day; what is asked for again resumes from its checkpoint.
  max_runtime_seconds: 86400
python_logs:
  # Log lines of ours, in the log of their run and in the output of its process.
  managed_python_loggers: [lead_pipeline]
  python_log_level: INFO
run_retries:
  # Only runs whose process died: a failed step would fail again.
  enabled: true
  max_retries: 3
  retry_on_asset_or_op_failure: false
telemetry:
  enabled: false
nux:
  enabled: false
# Ticks of schedules, sensors and conditions; runs are removed by LEAD_PIPELINE_LOG_DAYS.
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days: {skipped: 7, started: 90, success: 90, failure: 90}
  auto_materialize:
    purge_after_days: {skipped: 7, started: 90, success: 90, failure: 90}
"""

TEAM_CONFIG = INSTANCE_CONFIG.replace(
    b"concurrency:",
    b"""\
storage:
  custom:
    # In LEAD_PIPELINE_DATABASE, which is read by each process and written down nowhere.
    module: lead_pipeline.orchestration.team_storage
    class: TeamStorage
    config: {}
concurrency:""",
    1,
).replace(
    # A process on another machine is missed for some seconds before it counts as dead.
    b"poll_interval_seconds: 15",
    b"poll_interval_seconds: 5",
)
"""The same where the instance is shared by a team."""

_EARLIER_CONFIGS = frozenset(
    {
        # Pools that steps wait for, and no launcher that notices dead runs.
        "daa22041327b179e73cd02f3b6761055717f755a1e5545748001460a0313ed99",
        "2b058caab8be132a05d5c81dbd610722f1109ff48f426915dd0214b0aaf60981",
        # Ticks that are kept for ever.
        "b331bfc6d865a0e39478f9b5e3c45f072fe8e9ebaa45108e1a9d1086facc4651",
        # Without our log lines.
        "6fafbabda9feedea25a7e96b04f5671bf930af3a8548a52eec17b0decf6dac20",
        # Without retries of crashed runs.
        "d15319ccee4b1aa996cf5116347f88d244e2f44ceeb760c5fc8ee429312b7ade",
        "6a11ca801798cfaf0afc67bb89ac66addc443764322565d70adc012af54f0652",
    }
)
"""SHA-256 of what earlier versions wrote."""

USUAL_SECONDS = 10.0
"""Commands that start together take their turns; only a wait beyond this is worth a word."""

_OVERRIDES: dict[str, Any] = {
    # Capturing redirects the whole process's output, the progress on the terminal included.
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    },
    # A step that waits for its pool spins and hears no signal. What must not happen twice at once
    # has file locks, which say for whom they wait.
    "concurrency": {"pools": {"granularity": "run"}},
}


def dagster_home(settings: Settings) -> Path:
    """`DAGSTER_HOME`, set to the pipeline's own folder where none is set."""
    home = os.environ.get("DAGSTER_HOME")
    if home:
        return Path(home)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    return settings.dagster_home


def open_instance(
    settings: Settings, tell: Callable[[str], None] = _logger.warning
) -> DagsterInstance:
    """The persistent instance under `DAGSTER_HOME`, made where there is none.

    One process at a time makes, heals and opens it, so any number may start at the same moment.
    `tell` receives one sentence when a broken database had to be healed or set aside, and when
    another process is waited for. With `LEAD_PIPELINE_DATABASE` the instance is the team's, unless
    `DAGSTER_HOME` has a `dagster.yaml` of the user's own. Raises `ConfigurationError` when a database
    cannot be opened, `StoreUnavailable` when the team's does not answer.
    """
    reuse_engines()
    home = dagster_home(settings)
    if settings.database is not None:
        return _open_of_team(settings, home, tell)
    lock, purpose = home / ".locks" / "storage", "opening Dagster's databases"
    with held(lock, purpose, tell, quiet_seconds=USUAL_SECONDS):
        if home == settings.dagster_home:
            remove_temporaries(home)
            _write_config(home / "dagster.yaml", INSTANCE_CONFIG)
        make_storage(home)
        heal_storage(home, tell)
        # The public constructor that takes overrides; the folder is not a temporary one.
        return DagsterInstance.local_temp(str(home), overrides=_OVERRIDES)


def _open_of_team(settings: Settings, home: Path, tell: Callable[[str], None]) -> DagsterInstance:
    """The instance in the team's PostgreSQL; the folder has its configuration and local files."""
    require_team("LEAD_PIPELINE_DATABASE", "psycopg2", "dagster_postgres")
    lock, purpose = home / ".locks" / "storage", "opening Dagster's instance"
    with held(lock, purpose, tell, quiet_seconds=USUAL_SECONDS):
        if home == settings.dagster_home:
            remove_temporaries(home)
        _write_config(home / "dagster.yaml", TEAM_CONFIG)
        make_storage(home)
        return DagsterInstance.local_temp(str(home), overrides=_OVERRIDES)


NOT_RECORDED = (
    "Runs are not recorded this time; landing, loading and publishing go on without. What is asked for "
    "again later is recorded again."
)


def open_log_of_runs(
    settings: Settings, tell: Callable[[str], None] = _logger.warning
) -> DagsterInstance:
    """The persistent instance; one that is kept in memory where that cannot be opened.

    Dagster's storage is a log of what was done, not a condition for doing it. `tell` then receives a
    sentence with the reason. A team's PostgreSQL is a condition: locks are in it too.
    """
    if settings.database is not None:
        return open_instance(settings, tell)
    try:
        return open_instance(settings, tell)
    except (ConfigurationError, DagsterError, SQLAlchemyError, OSError) as error:
        tell(f"{reason_of_storage(error)} {NOT_RECORDED}")
        return DagsterInstance.ephemeral()


def reason_of_storage(error: Exception) -> str:
    """Why Dagster's storage takes nothing, in one sentence without a password of its URL."""
    if isinstance(error, ConfigurationError):
        return str(error)
    if isinstance(error, OSError):
        return f"Dagster's storage cannot be used ({error.strerror or type(error).__name__})."
    return (
        f"Dagster's storage cannot be used ({type(error).__name__}). Look at the disk and at "
        "dagster.yaml in DAGSTER_HOME."
    )


def _write_config(path: Path, config: bytes) -> None:
    """Write `dagster.yaml`, unless somebody has changed what is there."""
    if path.exists():
        content = path.read_bytes()
        is_ours = content in (INSTANCE_CONFIG, TEAM_CONFIG)
        if content == config or not (
            is_ours or hashlib.sha256(content).hexdigest() in _EARLIER_CONFIGS
        ):
            return
    write_atomically(path, config)


def main() -> None:
    """Make the instance and print its `DAGSTER_HOME`, for Dagster's own commands."""
    be_private()
    with open_instance(load_settings()) as instance:
        sys.stdout.write(f"{instance.root_directory}\n")


if __name__ == "__main__":
    main()
