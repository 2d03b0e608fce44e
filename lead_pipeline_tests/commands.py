"""Running the real command as users do, against a sandbox: in a process of its own, or in ours.

Here: starting it, and reading what it left behind. Not here: fixtures.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import msgspec
from dagster import DagsterInstance

from lead_pipeline.cli import main
from lead_pipeline.commands.console import PIPED_WIDTH, console
from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline.sandbox import Sandbox
from lead_pipeline_tests.pulling import settings_in

COMMAND = Path(sys.executable).with_name("lead-pipeline")
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote."""

    status: int
    output: str
    errors: str

    @property
    def last_line(self) -> str:
        """The last line on standard error."""
        return (self.errors.strip().splitlines() or [""])[-1]


def environment(home: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a command is started with: nothing of this machine's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "LEAD_PIPELINE_HOME": str(home),
        "PYTHONUTF8": "1",
        **(variables or {}),
    }


def start(
    folder: Path, variables: Mapping[str, str], arguments: Sequence[str]
) -> subprocess.Popen[str]:
    """Start `lead-pipeline` in `folder`, leader of a process group of its own."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell that runs the tests in the background ignores Ctrl-C, which children inherit.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(  # noqa: S603 - our own command
        [str(COMMAND), *arguments],
        cwd=folder,
        env=dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> Ran:
    """Wait until the command ends; one that does not is killed with all that it has started."""
    try:
        output, errors = process.communicate(timeout=PATIENCE_SECONDS * 4)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return Ran(process.returncode, output, errors)


def lead_pipeline(folder: Path, variables: Mapping[str, str], *arguments: str) -> Ran:
    """Run `lead-pipeline` to its end."""
    return finish(start(folder, variables, arguments))


def lead_pipeline_here(folder: Path, variables: Mapping[str, str], *arguments: str) -> Ran:
    """Run `lead-pipeline` to its end in this process, which has imported all of it already.

    For commands that only look, or refuse; those that land or build need a process of their own.
    """
    output, errors, status = StringIO(), StringIO(), 0
    with (
        patch.dict(os.environ, variables, clear=True),
        patch.object(sys, "argv", ["lead-pipeline", *arguments]),
        patch.object(signal, "signal"),
        # Decided when it was imported, by the terminal of the tests.
        patch.object(console, "_width", int(variables.get("COLUMNS", PIPED_WIDTH))),
        chdir(folder),
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        try:
            main()
        except SystemExit as exited:
            status = exited.code if isinstance(exited.code, int) else int(exited.code is not None)
    return Ran(status, output.getvalue(), errors.getvalue())


@dataclass(frozen=True)
class Demo:
    """Two nights that `lead-pipeline demo` has lived through in an empty folder, and published."""

    folder: Path
    ran: Ran

    @classmethod
    def of(cls, folder: Path) -> Demo:
        """What `live_through_demo` has left in `folder`."""
        return cls(folder, msgspec.json.decode(_said(folder).read_bytes(), type=Ran))

    @property
    def home(self) -> Path:
        """`LEAD_PIPELINE_HOME`."""
        return self.folder / "home"

    def copy_to(self, folder: Path) -> Path:
        """A copy of the home, which may be changed; returns where it is."""
        return Path(shutil.copytree(self.home, folder / "home", symlinks=True))


def live_through_demo(folder: Path) -> None:
    """Run `lead-pipeline demo` in `folder`, and write down what it said."""
    ran = lead_pipeline(folder, environment(folder / "home"), "demo", "--nights", "2")
    _said(folder).write_bytes(msgspec.json.encode(ran))


def _said(folder: Path) -> Path:
    return folder / "said.json"


@contextmanager
def instance_of(home: Path) -> Iterator[DagsterInstance]:
    """The Dagster instance below `home`, as the pipeline opens it."""
    with (
        _without_dagster_home(),
        open_instance(settings_in(home)) as instance,
    ):
        yield instance


@contextmanager
def _without_dagster_home() -> Iterator[None]:
    before = os.environ.pop("DAGSTER_HOME", None)
    try:
        yield
    finally:
        os.environ.pop("DAGSTER_HOME", None)
        if before is not None:
            os.environ["DAGSTER_HOME"] = before


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def personal_data(sandbox: Sandbox) -> set[bytes]:
    """E-mail addresses, names and phone numbers of all leads that the sandbox serves."""
    fields = ("name", "email", "phone", "contact_name", "contact_email", "contact_phone")
    return {
        str(record[field]).encode()
        for server in (sandbox.mega, sandbox.expert_ai_labs, sandbox.vorel)
        for record in server.store
        for field in fields
        if record.get(field) and len(str(record[field])) > 7
    }
