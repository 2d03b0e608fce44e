"""A machine that is gone, with a lock: no end of a process that the system could tell of.

A worker in a network of its own (a namespace of the kernel) holds a lock, and its cable is pulled.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lead_pipeline.storage.locks import held, holder_of
from lead_pipeline_tests.deploy.database import running_database
from lead_pipeline_tests.storage.lock_kinds import HOLD, program_of, take_locks_of

HERE, THERE, LENGTH = "10.213.71.1", "10.213.71.2", 30
PROMISED_SECONDS = 60.0


def _ip(*arguments: str) -> bool:
    program = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        return False
    ran = subprocess.run([program, *arguments], check=False, capture_output=True)  # noqa: S603
    return ran.returncode == 0


@contextmanager
def cable() -> Iterator[tuple[str, str]]:
    """A network of two machines: the cable's end here, and the namespace at its other end."""
    name = secrets.token_hex(3)
    cable, far, space = f"lp{name}", f"lq{name}", f"lead-{name}"
    if os.getuid() != 0 or not _ip("netns", "add", space):
        pytest.skip("No network can be made here: that takes root, iproute2 and its rights")
    try:
        if not _ip("link", "add", cable, "type", "veth", "peer", "name", far):
            pytest.skip("No cable can be made here")
        assert _ip("link", "set", far, "netns", space)
        assert _ip("addr", "add", f"{HERE}/{LENGTH}", "dev", cable)
        assert _ip("link", "set", cable, "up")
        assert _ip("-n", space, "addr", "add", f"{THERE}/{LENGTH}", "dev", far)
        assert _ip("-n", space, "link", "set", far, "up")
        yield cable, space
    finally:
        _ip("link", "del", cable)
        _ip("netns", "del", space)


@pytest.fixture(autouse=True)
def no_homes_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test says of its homes counts for that test alone."""
    monkeypatch.setattr("lead_pipeline.storage.locks._of_homes", {})


@pytest.mark.long
def test_a_machine_that_is_gone_frees_its_locks_within_a_minute(tmp_path: Path) -> None:
    there, here = (tmp_path / name / ".locks" / "warehouse" for name in ("there", "here"))
    with cable() as (end, space), running_database(f"{HERE}/{LENGTH}") as database:
        take_locks_of(here.parent.parent, database.url)
        url = database.url.replace("127.0.0.1", HERE)
        ip = str(shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin"))
        command = [ip, "netns", "exec", space, sys.executable, "-c", program_of(HOLD)]
        with subprocess.Popen(  # noqa: S603
            [*command, str(there), url, "200"],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        ) as holder:
            try:
                assert holder.stdout is not None
                assert holder.stdout.readline() == "held\n"
                assert f"process {holder.pid} on " in holder_of(here)
                assert _ip("link", "set", end, "down")
                began = time.monotonic()
                with held(here, "loading", patience=2 * PROMISED_SECONDS):
                    waited = time.monotonic() - began
                assert holder.poll() is None
            finally:
                holder.kill()

    assert 5 < waited < PROMISED_SECONDS
