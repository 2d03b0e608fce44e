"""A real stack (daemon, web server, code server, run worker) that is killed in each stage of a night.

Restarted, its next run takes its turn within a minute, without a hand.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.faults import FOREVER, Fault
from lead_pipeline_tests.commands import environment, instance_of, wait_until
from lead_pipeline_tests.pulling import at

REPOSITORY = Path(__file__).parents[2]
DAY = "2026-01-03"
ITS_TURN_SECONDS = 60.0
STAGES = {
    "landing": ("account-vorel", "pulling vorel/leads"),
    "load": ("warehouse", "loading"),
    "build": ("publish", "building the marts"),
    "publish": ("publish", "publishing"),
}
"""What is locked for what while a stage is under way."""

BEFORE_ITS_START = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
)

_PLACE = """
{repositoriesOrError{... on RepositoryConnection{nodes{name location{name}}}}}
"""
_LAUNCH = """
mutation($parameters: ExecutionParams!) {
  launchPipelineExecution(executionParams: $parameters) {
    __typename ... on LaunchRunSuccess {run {runId}}
  }
}
"""


@dataclass
class Stack:
    """`dagster dev` of one home, in a process group of its own."""

    home: Path
    variables: dict[str, str]
    port: int
    client: httpx.Client
    process: subprocess.Popen[bytes] | None = None
    waited: list[float] = field(default_factory=list)
    """Seconds between the launch of each run and its start."""

    def start(self) -> None:
        """Start all processes and wait until the code location is loaded."""
        dagster = str(Path(sys.executable).with_name("dagster"))
        with (self.home.parent / "dev.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [dagster, "dev", "--host", "127.0.0.1", "--port", str(self.port)],
                cwd=REPOSITORY,
                env=self.variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: bool(self.place()))

    def kill(self) -> None:
        """SIGKILL every process at once."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.client.post(
            f"http://127.0.0.1:{self.port}/graphql",
            json={"query": query, "variables": variables or {}},
        )
        found: dict[str, Any] = answer.json()["data"]
        return found

    def place(self) -> dict[str, str]:
        """Where the job is; empty until the code location is loaded."""
        try:
            nodes = self.ask(_PLACE)["repositoriesOrError"].get("nodes")
        except httpx.TransportError:
            return {}
        if not nodes:
            return {}
        names = {"repositoryName": nodes[0]["name"]}
        return names | {"repositoryLocationName": nodes[0]["location"]["name"]}

    def launch(self) -> str:
        """Launch the run of `DAY` and wait until it has started; returns its id."""
        parameters = {
            "selector": {**self.place(), "pipelineName": "daily_leads"},
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": DAY}]},
        }
        launched = time.monotonic()
        found = self.ask(_LAUNCH, {"parameters": parameters})["launchPipelineExecution"]
        run_id: str = found["run"]["runId"]
        self.wait_for(run_id, lambda status: status not in BEFORE_ITS_START)
        self.waited.append(time.monotonic() - launched)
        return run_id

    def wait_for(self, run_id: str, is_reached: Callable[[dg.DagsterRunStatus], bool]) -> None:
        """Return once the status of the run is one that is waited for."""
        # Opened once: opening costs more than looking.
        with instance_of(self.home) as instance:
            wait_until(lambda: is_reached(status_of(instance, run_id)))

    def statuses(self) -> dict[str, str]:
        """The status of each run by its id, the oldest first."""
        with instance_of(self.home) as instance:
            return {run.run_id: run.status.value for run in reversed(instance.get_runs())}

    def is_in(self, stage: str) -> bool:
        """Whether a run is in a stage at this moment."""
        lock, purpose = STAGES[stage]
        try:
            return purpose in (self.home / ".locks" / f"{lock}.holder").read_text()
        except FileNotFoundError:
            return False


def status_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def killed_in_each_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A run killed in each stage of the same night, and one that was left to end."""
    home = tmp_path_factory.mktemp("stack") / "home"
    with instance_of(home) as instance:
        dagster_home = instance.root_directory
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = World(start=date(2026, 1, 1), leads_per_day=4, leads_at_start=10)
    # One client: it is asked many times a second, and making one takes longer than an answer.
    with Sandbox(world, limits=False) as sandbox, httpx.Client(timeout=30) as client:
        sandbox.set_clock(at(4, 2, 30))
        vorel = {n: v for n, v in sandbox.environment().items() if n.startswith("VOREL_")}
        variables = environment(home, {**vorel, "DAGSTER_HOME": dagster_home})
        variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
        stack = Stack(home, variables, port, client)
        for stage in STAGES:
            slow = Fault("slow_body", times=FOREVER, delay=0.2, chunk=50)
            if stage == "landing":
                sandbox.vorel.faults.add(slow)
            stack.start()
            stack.launch()
            deadline = time.monotonic() + 120
            while not stack.is_in(stage):
                assert time.monotonic() < deadline, f"no run came to {stage}"
                time.sleep(0.002)
            stack.kill()
            sandbox.vorel.faults.clear()
        stack.start()
        last = stack.launch()
        stack.wait_for(last, lambda status: status in FINISHED_STATUSES)
        yield stack
        stack.kill()


@pytest.mark.timeout(600)
def test_run_after_a_crash_succeeds_and_the_crashed_ones_are_ended(
    killed_in_each_stage: Stack,
) -> None:
    statuses = list(killed_in_each_stage.statuses().values())

    assert statuses == [dg.DagsterRunStatus.FAILURE.value] * len(STAGES) + ["SUCCESS"]


@pytest.mark.timeout(600)
def test_run_after_a_crash_takes_its_turn_within_a_minute(killed_in_each_stage: Stack) -> None:
    assert max(killed_in_each_stage.waited) < ITS_TURN_SECONDS
