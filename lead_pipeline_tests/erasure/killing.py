"""Killing an erasure in a child, before each file operation that can leave something behind.

Belongs here: counting and killing. Does not belong here: what must hold afterwards.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

_EVENTS = ("os.rename", "os.remove", "os.link", "os.rmdir", "shutil.rmtree")
_IGNORED = (".locks",)


def run_killed_at(step: int, home: Path, work: Callable[[], object]) -> int:
    """The status of a child that does the work, killed before the `step`-th operation on the home."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    counted = 0

    def hook(name: str, arguments: tuple[object, ...]) -> None:
        nonlocal counted
        if name not in _EVENTS:
            return
        path = os.fspath(arguments[0]) if isinstance(arguments[0], (str, os.PathLike)) else ""
        if str(path).startswith(str(home)) and not any(part in str(path) for part in _IGNORED):
            counted += 1
            if counted == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
