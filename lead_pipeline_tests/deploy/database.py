"""A PostgreSQL server of one's own, on loopback, for the time of a test.

Here: starting and stopping it. Not here: what Dagster keeps in it.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

USER = "dagster"
PASSWORD = "a:pass/word@with%signs"
UNPRIVILEGED = ("postgres", "nobody")
"""Users that the server may run as; it refuses to run as root."""


@dataclass(frozen=True)
class Database:
    """Where an empty database is, as a URL and in the variables of the deployment kit."""

    port: int
    name: str = "postgres"

    @property
    def url(self) -> str:
        """What `LEAD_PIPELINE_DATABASE` takes."""
        return f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{self.name}"

    def another(self) -> Database:
        """A second empty database on the same server, which is made in a fraction of a second."""
        name = f"another_{secrets.token_hex(4)}"
        with self._connected() as cursor:
            cursor.execute(f"create database {name}")
        return replace(self, name=name)

    @property
    def variables(self) -> dict[str, str]:
        """What `deploy/dagster.yaml` reads."""
        return {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_USER": USER,
            "POSTGRES_PASSWORD": PASSWORD,
            "POSTGRES_DB": self.name,
        }

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self.rows(f"select count(*) from {table}")[0][0])  # noqa: S608 - a name in a test

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with self._connected() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        # Only tests of a team have it.
        import psycopg2

        connection = psycopg2.connect(self.url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()


@contextmanager
def running_database(*networks: str) -> Iterator[Database]:
    """A server with an empty database; the test is skipped where PostgreSQL is not installed.

    It also listens in these `networks` of this machine, each named by its own address in it with the
    length of the network's part (`10.1.2.3/24`).
    """
    pytest.importorskip("psycopg2", reason="the extra team is not installed")
    programs = _programs()
    user = next((name for name in UNPRIVILEGED if _exists(name)), None)
    if programs is None or (os.getuid() == 0 and user is None):
        pytest.skip("PostgreSQL is not installed")
    runs_as = user if os.getuid() == 0 else None
    # The folders of pytest let no other user in.
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
    try:
        (folder / "password").write_text(PASSWORD)
        if runs_as is not None:
            for path in (folder, folder / "password"):
                shutil.chown(path, runs_as)
        port = free_port()
        data = str(folder / "data")
        made = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={folder / 'password'}"]
        _run(runs_as, [str(programs / "initdb"), "--pgdata", data, "--no-sync", *made])
        for network in networks:
            with Path(data, "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {network} scram-sha-256\n")
        addresses = ",".join(["127.0.0.1", *(network.partition("/")[0] for network in networks)])
        options = f"-p {port} -k {folder} -c listen_addresses={addresses} -c fsync=off"
        control = [str(programs / "pg_ctl"), "--pgdata", data, "--wait"]
        _run(runs_as, [*control, "--log", str(folder / "log"), "--options", options, "start"])
        try:
            yield Database(port)
        finally:
            _run(runs_as, [*control, "--mode", "immediate", "stop"])
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    """The folder with the programs of the newest PostgreSQL, which Debian keeps off the path."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _run(user: str | None, command: list[str]) -> None:
    # The server keeps what it inherits open, so nothing here waits for the end of its output.
    subprocess.run(  # noqa: S603
        command,
        check=True,
        user=user,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
