"""A real stack (daemon, web server, code server, run workers) that is killed in each stage of a night.

Restarted, it completes the night by itself.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.faults import FOREVER, Fault
from lead_pipeline_tests.commands import environment, instance_of

REPOSITORY = Path(__file__).parents[2]
TODAY = datetime.now(UTC).date()
MISSED = 8
ITS_TURN_SECONDS = 60.0
ITS_TICK_SECONDS = 60.0
"""A night begins every minute; the one that was killed has its turn at once."""
STAGES = {
    "landing": ("account-vorel", "pulling vorel/leads"),
    "load": ("warehouse", "loading"),
    "build": ("publish", "building the marts"),
    "publish": ("publish", "publishing"),
}
"""What is locked for what while a stage is under way."""


@dataclass
class Stack:
    """`dagster dev` of one home, in a process group of its own."""

    home: Path
    variables: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    restarted_at: list[datetime] = field(default_factory=list)

    def start(self) -> None:
        """Start all processes."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        dagster = str(Path(sys.executable).with_name("dagster"))
        module = "lead_pipeline_tests.orchestration.every_minute"
        self.restarted_at.append(datetime.now(UTC))
        with (self.home.parent / "dev.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [dagster, "dev", "--host", "127.0.0.1", "--port", port, "-m", module],
                cwd=REPOSITORY,
                env=self.variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL every process at once."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait_for_stage(self, stage: str) -> None:
        """Return while a run is in the stage."""
        lock, purpose = STAGES[stage]
        holder = self.home / ".locks" / f"{lock}.holder"
        deadline = time.monotonic() + 300
        while True:
            try:
                if purpose in holder.read_text():
                    return
            except FileNotFoundError:
                # Nobody has the lock.
                assert time.monotonic() < deadline, f"no run came to {stage}"
            time.sleep(0.002)

    def published_at(self) -> datetime | None:
        """When the newest build was published."""
        path = self.home / "bi" / "leads.duckdb"
        if not path.exists():
            return None
        with duckdb.connect(str(path), read_only=True) as connection:
            row = connection.execute("select max(published_at) from meta.publish").fetchone()
        return row[0] if row else None

    def wait_for_publication(self) -> None:
        """Return once a build has been published after the last start."""
        deadline = time.monotonic() + 300
        while (at := self.published_at()) is None or at < self.restarted_at[-1]:
            assert time.monotonic() < deadline, "nothing was published"
            time.sleep(1)


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def killed_in_each_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is started eight days late, killed in each stage, and then left alone."""
    home = tmp_path_factory.mktemp("stack") / "home"
    with instance_of(home) as instance:
        dagster_home = instance.root_directory
    first = TODAY - timedelta(days=MISSED)
    world = World(start=first, leads_per_day=4, leads_at_start=10)
    with Sandbox(world, limits=False) as sandbox:
        sandbox.set_clock(datetime.now(UTC))
        vorel = {n: v for n, v in sandbox.environment().items() if n.startswith("VOREL_")}
        variables = environment(
            home,
            {**vorel, "DAGSTER_HOME": dagster_home, "LEAD_PIPELINE_START_DATE": first.isoformat()},
        )
        variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
        stack = Stack(home, variables)
        slow = Fault("slow_body", times=FOREVER, delay=0.2, chunk=50)
        sandbox.vorel.faults.add(slow)
        for stage in STAGES:
            stack.start()
            stack.wait_for_stage(stage)
            stack.kill()
            sandbox.vorel.faults.clear()
        stack.start()
        stack.wait_for_publication()
        yield stack
        stack.kill()


@pytest.mark.timeout(1_800)
def test_night_that_was_killed_in_each_stage_is_published_without_a_hand(
    killed_in_each_stage: Stack,
) -> None:
    published = killed_in_each_stage.published_at()
    assert published is not None
    assert published > killed_in_each_stage.restarted_at[-1]


@pytest.mark.timeout(1_800)
def test_stack_that_is_started_eight_days_late_fills_all_eight(killed_in_each_stage: Stack) -> None:
    path = str(killed_in_each_stage.home / "bi" / "leads.duckdb")
    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute("select complete_from, complete_through from meta.publish")
        [(complete_from, complete_through)] = rows.fetchall()
    assert complete_from is None
    assert complete_through.date() >= TODAY


@pytest.mark.timeout(1_800)
def test_run_has_its_turn_within_a_minute_of_each_start(killed_in_each_stage: Stack) -> None:
    with instance_of(killed_in_each_stage.home) as instance:
        starts = [
            datetime.fromtimestamp(record.start_time, UTC)
            for record in instance.get_run_records()
            if record.start_time is not None
        ]
    waited = [
        min(start - restart for start in starts if start > restart).total_seconds()
        for restart in killed_in_each_stage.restarted_at[1:]
    ]
    assert max(waited) < ITS_TICK_SECONDS + ITS_TURN_SECONDS
