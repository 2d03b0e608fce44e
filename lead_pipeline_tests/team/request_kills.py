"""Killing a process of a team at one of its requests that change the store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lead_pipeline_tests.team.object_store import Passage, Request, S3Server

CHANGING = ("PUT", "POST", "DELETE")


def killed_at_request(
    number: int, server: S3Server, module: str, arguments: Sequence[str], *, after: bool
) -> bool:
    """Kill `python -m module` at its request of that number that changes the store; False: it had ended.

    Before the request reaches the server, or after the server has done it.
    """
    requests = 0

    def kill_at_last(request: Request) -> bool:
        nonlocal requests
        requests += request.method in CHANGING
        is_last = request.method in CHANGING and requests == number
        if is_last:
            process.kill()
            process.wait()
        return is_last

    passage = Passage(server)
    if after:
        passage.loses_answer_of = kill_at_last
    else:
        passage.refuses = kill_at_last
    with passage.open():
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module, *arguments],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **passage.variables},
        )
        status = process.wait(60)
    assert status in (0, -signal.SIGKILL)
    return status != 0
