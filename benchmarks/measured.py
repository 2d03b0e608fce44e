"""What one process takes: wall time, processor time and peak memory, measured from outside.

    command ──▶ a process of its own ──▶ Taken

Processor time is that of the process and of all that it has waited for; the peak is that of the
largest of them. Belongs here: one process. Does not belong here: what it is compared with.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

LAUNCHER = Path(__file__).parent / "programs" / "launch.py"
LONGEST_SECONDS = 1_800.0
_SHOWN = 300


class Taken(msgspec.Struct, frozen=True):
    """What a process took. Seconds; memory in MB of 2^20 bytes."""

    wall: float
    cpu: float
    """User and system."""
    peak_mb: float
    told: dict[str, Any] = {}
    """What it printed last, where that is a JSON object: rows, steps."""
    error: str = ""
    """Why it counts as failed, empty where it does not."""


def measure(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    longest: float = LONGEST_SECONDS,
    folder: Path | None = None,
) -> Taken:
    """Run `command` to its end, with these variables added to ours; it is killed after `longest` seconds."""
    with tempfile.TemporaryDirectory() as notes:
        found, output, errors = (Path(notes, name) for name in ("found", "output", "errors"))
        with output.open("wb") as out, errors.open("wb") as err:
            launcher = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, "-I", "-S", LAUNCHER, found, *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                start_new_session=True,
            )
            try:
                launcher.wait(longest)
            except BaseException as error:
                os.killpg(launcher.pid, signal.SIGKILL)
                launcher.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
        if not found.exists():
            return Taken(longest, 0.0, 0.0, {}, f"killed after {longest:,.0f} s")
        wall, cpu, peak_mb, status = msgspec.json.decode(found.read_bytes())
        return Taken(
            wall,
            cpu,
            peak_mb,
            _last_object(output.read_text("utf-8", "replace")),
            _failure(status, errors.read_text("utf-8", "replace")),
        )


def _last_object(output: str) -> dict[str, Any]:
    try:
        told = json.loads(output.strip().rpartition("\n")[2])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _failure(status: int, errors: str) -> str:
    if status == 0:
        return ""
    last = errors.strip().rpartition("\n")[2][:_SHOWN]
    return f"exit status {status}: {last}"
