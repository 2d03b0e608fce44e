"""The clients that people open the BI file with, as processes.

Belongs here: how each is started, and what it needs to be there. Does not belong here: what they
are expected to read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parent.parent.parent
CLIENTS = Path(__file__).parent / "clients"
OLDEST = ROOT / ".venv-oldest-reader" / "bin" / "python"
READERS = ROOT / ".venv-readers" / "bin" / "python"
IBIS = ROOT / ".venv-ibis" / "bin" / "python"
SUPERSET = ROOT / ".venv-superset" / "bin" / "python"
NODE = ROOT / ".venv-readers" / "node" / "node_modules"
CHROMIUM = Path(shutil.which("chromium") or "/usr/bin/chromium")


@dataclass(frozen=True)
class Client:
    """A program that takes a file, a query for one text, and a file that stops it."""

    name: str
    command: tuple[str, ...]
    needs: tuple[Path, ...]

    @property
    def is_there(self) -> bool:
        """Whether `make test` could install it."""
        return all(path.exists() for path in self.needs)

    def skip_where_missing(self) -> None:
        """Skip the test where what it needs could not be installed, and say what."""
        skip_where_missing(*self.needs)

    def start(self, published: Path, query: str, stop: Path, answers: Path) -> Asking:
        """Ask again and again until `stop` exists, at least once, and write down each answer."""
        with answers.open("w") as output, answers.with_suffix(".errors").open("w") as errors:
            process = subprocess.Popen(  # noqa: S603 - our own programs
                [*self.command, str(published), query, str(stop)],
                env={**os.environ, "TZ": "UTC", "NODE_MODULES": str(NODE)},
                stdout=output,
                stderr=errors,
            )
        return Asking(self.name, process, answers)

    def ask(self, published: Path, query: str) -> str:
        """The answer to one question; raises AssertionError with what the client says."""
        with TemporaryDirectory() as folder:
            asking = self.start(published, query, published, Path(folder, "answers"))
            return "\n".join(asking.end())


@dataclass(frozen=True)
class Asking:
    """A client that is asking."""

    name: str
    process: subprocess.Popen[bytes]
    answers: Path

    @property
    def is_running(self) -> bool:
        """Whether it goes on asking."""
        return self.process.poll() is None

    def seen(self) -> list[str]:
        """The answers so far, without one that is being written."""
        return self.answers.read_text().split("\n")[:-1]

    def end(self) -> list[str]:
        """All answers, once it has stopped; raises AssertionError with what the client says."""
        self.process.wait(timeout=120)
        errors = self.answers.with_suffix(".errors").read_text()
        assert (self.process.returncode, errors) == (0, ""), f"{self.name}: {errors}"
        return self.seen()


def skip_where_missing(*needs: Path) -> None:
    """Skip the test where one of the paths does not exist, and say which."""
    for path in needs:
        if not path.exists():
            pytest.skip(
                f"{path} is not there: run make test-clients, which says why it cannot be installed"
            )


def _of_python(name: str, python: Path, program: str) -> Client:
    return Client(name, (str(python), str(CLIENTS / program)), (python,))


def _of_node(name: str, program: str, package: str, *needs: Path) -> Client:
    return Client(name, ("node", str(CLIENTS / program)), (NODE / package, *needs))


CLIENTS_BY_NAME = {
    client.name: client
    for client in (
        _of_python("oldest Python", OLDEST, "python_client.py"),
        _of_python("own Python", Path(sys.executable), "python_client.py"),
        _of_python("newest Python", READERS, "python_client.py"),
        _of_python("pandas", READERS, "pandas_client.py"),
        _of_python("polars", READERS, "polars_client.py"),
        _of_python("ibis", IBIS, "ibis_client.py"),
        _of_python("SQLAlchemy", READERS, "sqlalchemy_client.py"),
        _of_python("SQLAlchemy 1.4", SUPERSET, "sqlalchemy_client.py"),
        _of_python("command line", READERS, "command_line_client.py"),
        _of_node("Node", "node_client.mjs", "@duckdb/node-api"),
        _of_node("Evidence", "evidence_client.mjs", "@evidence-dev/duckdb"),
        _of_node("DuckDB-Wasm", "wasm_client.mjs", "@duckdb/duckdb-wasm", CHROMIUM),
    )
}
