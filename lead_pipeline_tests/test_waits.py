"""Waits say what they wait for, take no processor, and end within five seconds when asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster import DagsterRunStatus

from lead_pipeline.sandbox import FOREVER, Fault, Sandbox, World
from lead_pipeline.storage.locks import held
from lead_pipeline_tests.commands import Ran, environment, finish, instance_of, start
from lead_pipeline_tests.pulling import settings_in

pytestmark = pytest.mark.alone

ENDS_WITHIN_SECONDS = 5.0
WATCHED_SECONDS = 2.0
"""How long the processor time of a wait is looked at."""

PROCESSES = Path("/proc/self/stat")

HELD = "Waiting for process"
PAUSES = "; waits 300"
COMES_BACK = "The run comes back by itself."


@dataclass(frozen=True)
class Wait:
    """What makes a run wait, and the words that say so."""

    words: str
    accounts: tuple[str, ...]
    is_locked: bool = False
    retry_after: str | None = None
    longest_wait: str = "600"


ANOTHER_PROCESS = Wait(HELD, ("VOREL",), is_locked=True)
QUOTA = Wait(PAUSES, ("VOREL",), retry_after="300")
QUOTA_OF_ONE_OF_TWO = Wait(PAUSES, ("VOREL", "MEGA"), retry_after="300")
QUOTA_BEYOND_THE_LONGEST_WAIT = Wait(COMES_BACK, ("VOREL",), retry_after="300", longest_wait="1")


@contextmanager
def waiting(wait: Wait, sandbox: Sandbox, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`lead-pipeline run`, which has said that it waits."""
    home = folder / "home"
    variables = {
        name: value
        for name, value in sandbox.environment().items()
        if name.startswith(wait.accounts)
    }
    variables["LEAD_PIPELINE_MAX_WAIT_SECONDS"] = wait.longest_wait
    if wait.retry_after:
        headers = {"Retry-After": wait.retry_after}
        sandbox.vorel.faults.add(
            Fault("too_many_requests_with_headers", times=FOREVER, headers=headers)
        )
    ended = threading.Event()

    def hold() -> None:
        with held(settings_in(home).account_lock("vorel"), "pulling vorel for somebody else"):
            taken.set()
            ended.wait()

    taken = threading.Event()
    if wait.is_locked:
        threading.Thread(target=hold, daemon=True).start()
        taken.wait()
    process = start(folder, environment(home, variables), ("run",))
    assert process.stdout is not None
    try:
        said: list[str] = []
        while not said or wait.words not in said[-1]:
            said.append(process.stdout.readline())
            assert said[-1], f"it ended without a word of waiting: {said}"
        yield process
    finally:
        ended.set()
        with process:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Case:
    """A wait, the signal that asks it to end, and whether its processor time is looked at first."""

    wait: Wait
    number: signal.Signals
    is_watched: bool = False


CASES = {
    "another process, SIGTERM": Case(ANOTHER_PROCESS, signal.SIGTERM),
    "another process, Ctrl-C": Case(ANOTHER_PROCESS, signal.SIGINT, is_watched=True),
    "quota, SIGTERM": Case(QUOTA, signal.SIGTERM),
    "long quota, Ctrl-C": Case(QUOTA_BEYOND_THE_LONGEST_WAIT, signal.SIGINT, is_watched=True),
    "quota of one of two, SIGTERM": Case(QUOTA_OF_ONE_OF_TWO, signal.SIGTERM),
}
OTHER_PAIRS = ("another process, SIGTERM", "quota, SIGTERM")
WATCHED = [name for name, case in CASES.items() if case.is_watched]


@dataclass(frozen=True)
class Waited:
    """What came of a case."""

    processor_seconds: float
    """Spent while it was looked at."""
    ran: Ran
    seconds_to_end: float
    statuses: frozenset[DagsterRunStatus]


@pytest.fixture(scope="module")
def waited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Waited:
    """The case of this name, once for all tests that look at it."""
    case = CASES[request.param]
    folder = tmp_path_factory.mktemp("waits")
    taken = 0.0
    with (
        Sandbox(World.empty(), limits=False) as sandbox,
        waiting(case.wait, sandbox, folder) as process,
    ):
        if case.is_watched:
            before = processor_seconds(process.pid)
            time.sleep(WATCHED_SECONDS)
            taken = processor_seconds(process.pid) - before
        asked = time.monotonic()
        os.kill(process.pid, case.number)
        ran = finish(process)
        took = time.monotonic() - asked
    with instance_of(folder / "home") as instance:
        statuses = frozenset(run.status for run in instance.get_runs())
    return Waited(taken, ran, took, statuses)


@pytest.mark.parametrize(
    "waited",
    # Each wait and each signal is there once; the other pairs take processes of their own.
    [pytest.param(name, marks=pytest.mark.long if name in OTHER_PAIRS else ()) for name in CASES],
    indirect=True,
)
def test_wait_ends_within_five_seconds(waited: Waited) -> None:
    ended = (waited.ran.status, waited.seconds_to_end < ENDS_WITHIN_SECONDS)
    assert ended == (130, True), (waited.seconds_to_end, waited.ran.errors)
    assert DagsterRunStatus.STARTED not in waited.statuses


@pytest.mark.skipif(not PROCESSES.exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("waited", WATCHED, indirect=True)
def test_wait_takes_no_processor(waited: Waited) -> None:
    assert waited.processor_seconds < WATCHED_SECONDS / 10


def processor_seconds(pid: int) -> float:
    """Seconds that the process has spent computing, for itself and in the kernel.

    0 where the system has no `/proc`.
    """
    if not PROCESSES.exists():
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
