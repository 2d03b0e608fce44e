"""A Redis server of one's own, on loopback, for the time of a test: the broker of Celery.

Here: starting and stopping it. Not here: what is sent through it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lead_pipeline_tests.deploy.database import free_port

PASSWORD = "broker"
SECONDS_TO_START = 20.0


@contextmanager
def running_broker() -> Iterator[str]:
    """The URL of an empty server; the test is skipped where Redis is not installed."""
    pytest.importorskip("redis", reason="the extra team is not installed")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed")
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    # Kept in memory alone. The password is no secret: nobody but this test knows the port.
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "requirepass": PASSWORD,
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    server = subprocess.Popen(  # noqa: S603
        [program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    try:
        _wait(server, url)
        yield url
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    """Return once the server answers."""
    # Only tests of a team have it.
    import redis

    deadline = time.monotonic() + SECONDS_TO_START
    with redis.Redis.from_url(url) as client:
        while True:
            assert server.poll() is None, "Redis ended at once"
            try:
                client.ping()
            except redis.exceptions.ConnectionError:
                assert time.monotonic() < deadline, "Redis does not answer"
                time.sleep(0.05)
            else:
                return
