"""What dbt's target `dev` needs of the pipeline: the leads to read, and a turn at its own file.

    bi/.sources/leads.duckdb ──attached read-only as `snapshot`──▶ dbt build ──▶ data/dev.duckdb

dbt-duckdb loads `Plugin` because profiles.yml names this module. The pipeline's own
target `candidate` does without all this.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError
from dotenv import dotenv_values

from lead_pipeline.settings import snapshot_path
from lead_pipeline.storage.duckdb_files import attach
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.permissions import be_private

REPOSITORY = Path(__file__).parents[2]
"""Where commands are run, so what a relative LEAD_PIPELINE_HOME begins at."""

_until_exit = ExitStack()
atexit.register(_until_exit.close)


class Plugin(BasePlugin):
    """Attaches the snapshot to each connection, and keeps the file to this process."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Nothing is held and nothing opened until dbt connects."""
        self._has_turn = False
        # Of a project that lies below a home (`merged_project.py`).
        self._home = plugin_config.get("home")

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Before the file is opened: find the leads, then wait for another dbt that has the file.

        The file is this process's until its end. Raises `DbtRuntimeError` without leads to read.
        """
        # People's dbt writes the same persons.
        be_private()
        around = {"LEAD_PIPELINE_HOME": self._home} if self._home else os.environ
        self._snapshot = find_snapshot(around, REPOSITORY)
        path = Path(creds.path).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self._has_turn:
            lock = path.with_name(f".{path.name}")
            _until_exit.enter_context(held(lock, "running dbt", _tell))
            self._has_turn = True

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Attach the snapshot."""
        attach(conn, self._snapshot, "snapshot", options="read_only")


def find_snapshot(environment: Mapping[str, str], repository: Path) -> Path:
    """The snapshot below LEAD_PIPELINE_HOME; where that is not set, also the demo's.

    Raises `DbtRuntimeError` that names the places and says how to get a snapshot.
    """
    home = environment.get("LEAD_PIPELINE_HOME") or dotenv_values(repository / ".env").get(
        "LEAD_PIPELINE_HOME"
    )
    homes = [home] if home else ["data", "data/demo"]
    places = [snapshot_path(repository.joinpath(Path(place).expanduser())) for place in homes]
    for place in places:
        if place.exists():
            return place
    raise DbtRuntimeError(
        f"There are no leads to read at {' or '.join(map(str, places))}. Run `lead-pipeline run` "
        "for yours or `make demo` for invented ones, then dbt again. LEAD_PIPELINE_HOME names "
        "another folder."
    )


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
