"""All that a full and a failing night write, searched for secrets and for personal data.

Everything is switched on that says more: verbose, debug, the dump of a process that crashes. Personal
data is in landing, the warehouse and BI files, and nowhere else; a secret is nowhere.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline_tests.commands import (
    Ran,
    environment,
    finish,
    lead_pipeline,
    personal_data,
    start,
)
from lead_pipeline_tests.normalized.test_damaged_files import damage
from lead_pipeline_tests.pulling import at

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

SECRETS = {
    "LEAD_PIPELINE_MASKING_KEY": "masking-secret-" + "5ec7e7" * 8,
    "LEAD_PIPELINE_MASKING": "false",
    "LEAD_PIPELINE_ERASURE_KEY": "erasure-secret-" + "0ddba11" * 8,
    "LEAD_PIPELINE_ALERT_WEBHOOK": "http://127.0.0.1:9/services/webhook-secret-T0K3N",
    "LEAD_PIPELINE_HEARTBEAT_URL": "http://127.0.0.1:9/ping/heartbeat-secret-T0K3N",
    "LEAD_PIPELINE_SMTP_URL": "smtp://user:smtp-secret-T0K3N@127.0.0.1:9",
    "LEAD_PIPELINE_ALERT_EMAIL": "operator@example.com",
    "PGPASSWORD": "postgres-secret-T0K3N",
}
TALKATIVE = {
    "LEAD_PIPELINE_LOG_LEVEL": "DEBUG",
    "LEAD_PIPELINE_DEBUG": "1",
    "PYTHONFAULTHANDLER": "1",
}


@dataclass(frozen=True)
class Nights:
    """A home after a full night, a failing one and a crash, and all that was said meanwhile."""

    home: Path
    sandbox: Sandbox
    said: dict[str, Ran] = field(default_factory=dict)

    @property
    def secrets(self) -> set[bytes]:
        """Whatever nobody may read anywhere."""
        keys = {
            value
            for name, value in self.sandbox.environment().items()
            if "TOKEN" in name or "KEY" in name
        }
        ours = {value for value in SECRETS.values() if "secret" in value}
        parts = {"webhook-secret-T0K3N", "heartbeat-secret-T0K3N", "smtp-secret-T0K3N"}
        return {value.encode() for value in (keys | ours | parts)}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    folder = tmp_path_factory.mktemp("nights")
    home = folder / "home"
    world = World(start=date(2026, 1, 1), leads_per_day=4, leads_at_start=20)
    with Sandbox(world, limits=False) as sandbox:
        sandbox.set_clock(at(4, 2, 30))
        variables = environment(home, sandbox.environment() | SECRETS | TALKATIVE)
        nights = Nights(home, sandbox)

        def run(name: str, *arguments: str, **changed: str) -> None:
            nights.said[name] = lead_pipeline(folder, variables | changed, *arguments)

        run("full", "-v", "run", "--from", "2026-01-01", "--to", "2026-01-03")
        run("check", "-v", "check", "--json")
        run("status", "status", "--json")
        # A night with a refused key, then one with a damaged file, in each command that reads it.
        run("refused", "-v", "run", "--to", "2026-01-03", MEGA_TOKEN="mega_" + "0badcafe" * 8)
        nights.said["crashed"] = crashed(folder, variables)
        damage(sorted((home / "landing" / "vorel" / "leads").rglob("date=*/*.parquet"))[0])
        run("rebuild", "-v", "rebuild")
        run("verify", "-v", "verify")
        run("run again", "-v", "run", "--full", "--to", "2026-01-03")
        yield nights


def crashed(folder: Path, variables: dict[str, str]) -> Ran:
    """A run that dies of SIGABRT, and dumps where it was."""
    process = start(folder, variables, ("-v", "run", "--full", "--to", "2026-01-03"))
    time.sleep(4)
    os.kill(process.pid, signal.SIGABRT)
    return finish(process)


def contents(nights: Nights, *, everywhere: bool) -> Iterator[tuple[str, bytes]]:
    """What was said, and every file; those that hold persons by design only with `everywhere`."""
    for name, ran in nights.said.items():
        yield f"what {name} said", (ran.output + ran.errors).encode()
    for path in sorted(nights.home.rglob("*")):
        name = path.relative_to(nights.home).as_posix()
        holds_persons = name.startswith(("landing/", "warehouse.duckdb", "bi/.builds/")) or (
            name.startswith("bi/") and name.endswith("leads.duckdb")
        )
        if not path.is_file() or (holds_persons and not everywhere):
            continue
        content = path.read_bytes()
        yield name, content
        if content.startswith(b"SQLite format 3"):
            yield f"rows of {name}", b"\n".join(rows_of(path))


def rows_of(path: Path) -> Iterator[bytes]:
    """Every text and blob of an SQLite file, those that Dagster has compressed as they were."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f'select * from "{table}"'):  # noqa: S608
                for cell in row:
                    if isinstance(cell, bytes):
                        yield zlib.decompress(cell) if cell[:1] == b"\x78" else cell
                    elif isinstance(cell, str):
                        yield cell.encode()


def test_nights_went_as_they_were_meant_to(nights: Nights) -> None:
    ended = {name: ran.status for name, ran in nights.said.items()}
    assert ended["full"] == ended["check"] == 0, nights.said["full"].errors
    assert ended["refused"] == ended["rebuild"] == ended["verify"] == 1
    assert ended["crashed"] == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in nights.said["crashed"].errors
    assert "cannot be read" in nights.said["verify"].last_line
    assert ".parquet" in nights.said["verify"].last_line


def test_no_secret_is_written_or_said_anywhere(nights: Nights) -> None:
    found = {
        (name, secret)
        for name, content in contents(nights, everywhere=True)
        for secret in nights.secrets
        if secret in content
    }
    assert found == set()


def test_personal_data_is_in_landing_the_warehouse_and_bi_files_only(nights: Nights) -> None:
    people = personal_data(nights.sandbox)
    assert len(people) > 50
    inside = b"".join(path.read_bytes() for path in nights.home.glob("warehouse.duckdb"))
    assert any(person in inside for person in people), "the search finds nothing at all"
    found = {
        (name, person)
        for name, content in contents(nights, everywhere=False)
        for person in people
        if person in content
    }
    assert found == set()


def test_everything_is_for_its_user_alone(nights: Nights) -> None:
    open_ones = {
        path.relative_to(nights.home).as_posix(): f"{path.stat().st_mode & 0o777:04o}"
        for path in (nights.home, *nights.home.rglob("*"))
        if path.stat().st_mode & 0o077
    }
    assert open_ones == {}
