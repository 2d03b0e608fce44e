"""A team on this machine: PostgreSQL, Redis, Dagster's daemon, and workers of Celery with homes of their own.

Here: starting and killing its parts. Not here: what they promise (`test_team_runs.py`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from dagster import DagsterInstance, DagsterRun

from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline.orchestration.queued_runs import is_daemon_alive
from lead_pipeline.orchestration.tags import PROCESS_TAG
from lead_pipeline.settings import load_settings
from lead_pipeline_tests.commands import COMMAND, environment
from lead_pipeline_tests.deploy.kit import DEPLOY

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
SECONDS_TO_START = 120.0


@dataclass
class Team:
    """Machines below `folder`: each a folder with its home, the settings of Dagster, and a log."""

    folder: Path
    variables: Mapping[str, str]
    """Of every process: the database, the broker, the store, accounts."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def home(self, machine: str) -> Path:
        """`LEAD_PIPELINE_HOME` of a machine."""
        return self.folder / machine / "home"

    def environment(self, machine: str) -> dict[str, str]:
        """What the processes of a machine are started with."""
        dagster_home = self.folder / machine / "dagster"
        if not dagster_home.exists():
            dagster_home.mkdir(parents=True)
            shutil.copy(DEPLOY / "dagster-celery.yaml", dagster_home / "dagster.yaml")
        variables = environment(
            self.home(machine), {**self.variables, "DAGSTER_HOME": str(dagster_home)}
        )
        variables["PATH"] = f"{PROGRAMS}{os.pathsep}{variables['PATH']}"
        return variables

    def start_daemon(self) -> None:
        """Start the daemon; returns when it takes runs from the queue."""
        self._start("daemon", ["dagster-daemon", "run", "-m", "lead_pipeline.definitions"])
        with self.instance() as instance:
            self._wait(lambda: is_daemon_alive(instance), "daemon")

    def start_worker(self, machine: str, processes: int = 1) -> None:
        """Start a worker; returns when it takes runs from the broker."""
        worker = ["celery", "--app", "lead_pipeline.worker", "worker", "--loglevel", "INFO"]
        self._start(
            machine, [*worker, "--concurrency", str(processes), "--hostname", f"{machine}@%h"]
        )
        self._wait(lambda: " ready." in self.log(machine), machine)

    def start_command(self, machine: str, *arguments: str) -> subprocess.Popen[str]:
        """Start `lead-pipeline` on a machine."""
        return subprocess.Popen(  # noqa: S603
            [str(COMMAND), *arguments],
            cwd=self.folder,
            env=self.environment(machine),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def kill(self, machine: str) -> None:
        """SIGKILL every process of a machine at once, as a loss of power does."""
        process = self.processes.pop(machine)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        """Kill all that still runs."""
        for machine in list(self.processes):
            self.kill(machine)

    def log(self, machine: str) -> str:
        """What the processes of a machine have written."""
        return (self.folder / f"{machine}.log").read_text("utf-8", errors="replace")

    def machine_of(self, run: DagsterRun) -> str | None:
        """Which machine executes the run, or has executed it; None: none has taken it yet."""
        _, _, process = run.tags.get(PROCESS_TAG, "").partition(", process ")
        if not process:
            return None
        for machine, parent in self.processes.items():
            with suppress(ProcessLookupError):
                if os.getpgid(int(process)) == parent.pid:
                    return machine
        return "a machine that is gone"

    @contextmanager
    def instance(self) -> Iterator[DagsterInstance]:
        """The team's instance of Dagster, as a machine of nobody opens it."""
        with (
            patch.dict(os.environ, self.environment("watcher"), clear=True),
            open_instance(load_settings()) as instance,
        ):
            yield instance

    def _start(self, machine: str, command: list[str]) -> None:
        variables = self.environment(machine)
        program = str(PROGRAMS / command[0])
        with (self.folder / f"{machine}.log").open("wb") as log:
            self.processes[machine] = subprocess.Popen(  # noqa: S603
                [program, *command[1:]],
                cwd=REPOSITORY,
                env=variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait(self, condition: Callable[[], bool], machine: str) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while not condition():
            assert self.processes[machine].poll() is None, self.log(machine)[-3000:]
            assert time.monotonic() < deadline, self.log(machine)[-3000:]
            time.sleep(0.2)
