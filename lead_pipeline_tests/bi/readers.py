"""The clients that people open the BI file with, as processes.

Belongs here: how each is started, and what it needs to be there. Does not belong here: what they
are expected to read.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CLIENTS = Path(__file__).parent / "clients"
OLDEST = ROOT / ".venv-oldest-reader"
READERS = ROOT / ".venv-readers"
NODE = READERS / "node" / "node_modules"


@dataclass(frozen=True)
class Client:
    """A program that takes a file, a query for one text, and a file that stops it."""

    name: str
    command: tuple[str, ...]
    needs: Path

    @property
    def is_there(self) -> bool:
        """Whether `make test` could install it."""
        return self.needs.exists()

    def start(self, published: Path, query: str, stop: Path) -> subprocess.Popen[str]:
        """Ask again and again until `stop` exists, at least once."""
        return subprocess.Popen(  # noqa: S603 - our own programs
            [*self.command, str(published), query, str(stop)],
            env={**os.environ, "TZ": "UTC", "NODE_MODULES": str(NODE)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, published: Path, query: str) -> str:
        """The answer to one question."""
        answer, errors = self.start(published, query, stop=published).communicate(timeout=60)
        assert errors == "", errors
        return answer.removesuffix("\n")


def _of_python(name: str, python: Path, program: str) -> Client:
    return Client(name, (str(python), str(CLIENTS / program)), python)


CLIENTS_BY_NAME = {
    client.name: client
    for client in (
        _of_python("oldest Python", OLDEST / "bin" / "python", "python_client.py"),
        _of_python("own Python", Path(sys.executable), "python_client.py"),
        _of_python("newest Python", READERS / "bin" / "python", "python_client.py"),
        _of_python("SQLAlchemy", READERS / "bin" / "python", "sqlalchemy_client.py"),
        _of_python("command line", READERS / "bin" / "python", "command_line_client.py"),
        Client("Node", ("node", str(CLIENTS / "node_client.mjs")), NODE / "@duckdb" / "node-api"),
    )
}
