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

from lead_pipeline.sandbox import FOREVER, Fault, Sandbox
from lead_pipeline.storage.locks import held
from lead_pipeline_tests.commands import environment, finish, instance_of, start
from lead_pipeline_tests.pulling import settings_in

ENDS_WITHIN_SECONDS = 5.0
WATCHED_SECONDS = 2.0
"""How long the processor time of a wait is looked at."""

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


@pytest.mark.parametrize(
    ("wait", "number"),
    [
        pytest.param(ANOTHER_PROCESS, signal.SIGTERM, id="another process, SIGTERM"),
        pytest.param(ANOTHER_PROCESS, signal.SIGINT, id="another process, Ctrl-C"),
        pytest.param(QUOTA, signal.SIGTERM, id="quota, SIGTERM"),
        pytest.param(QUOTA_BEYOND_THE_LONGEST_WAIT, signal.SIGINT, id="long quota, Ctrl-C"),
        pytest.param(QUOTA_OF_ONE_OF_TWO, signal.SIGTERM, id="quota of one of two, SIGTERM"),
    ],
)
def test_wait_ends_within_five_seconds(
    wait: Wait, number: signal.Signals, sandbox: Sandbox, tmp_path: Path
) -> None:
    with waiting(wait, sandbox, tmp_path) as process:
        asked = time.monotonic()
        os.kill(process.pid, number)
        ran = finish(process)
        took = time.monotonic() - asked

    assert (ran.status, took < ENDS_WITHIN_SECONDS) == (130, True), (took, ran.errors)
    with instance_of(tmp_path / "home") as instance:
        assert DagsterRunStatus.STARTED not in {run.status for run in instance.get_runs()}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(ANOTHER_PROCESS, id="another process"),
        pytest.param(QUOTA_BEYOND_THE_LONGEST_WAIT, id="long quota"),
    ],
)
def test_wait_takes_no_processor(wait: Wait, sandbox: Sandbox, tmp_path: Path) -> None:
    with waiting(wait, sandbox, tmp_path) as process:
        before = processor_seconds(process.pid)
        time.sleep(WATCHED_SECONDS)
        taken = processor_seconds(process.pid) - before

    assert taken < WATCHED_SECONDS / 10


def processor_seconds(pid: int) -> float:
    """Seconds that the process has spent computing, for itself and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
