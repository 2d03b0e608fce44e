"""Dagster's storage in PostgreSQL, with the settings of the kit and a real server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline_tests.commands import environment
from lead_pipeline_tests.deploy.database import Database, free_port, running_database
from lead_pipeline_tests.deploy.kit import DEPLOY, REPOSITORY, command_of, compose, executed
from lead_pipeline_tests.deploy.kit import instructions as dockerfile
from lead_pipeline_tests.pulling import settings_in

PATIENCE_SECONDS = 120.0

RECORD_ONE = """
import sys
import dagster as dg
from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline.settings import load_settings
sys.stdin.readline()
with open_instance(load_settings()) as instance:
    job = dg.GraphDefinition("recorded", node_defs=[]).to_job()
    print(instance.create_run_for_job(job).run_id)
"""


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with running_database() as running:
        yield running


@pytest.fixture
def dagster_home(home: Path) -> Path:
    """`LEAD_PIPELINE_HOME/dagster` with the settings of the kit, as `prepare` puts them there."""
    folder = home / "dagster"
    folder.mkdir(parents=True)
    shutil.copy(DEPLOY / "dagster.yaml", folder)
    return folder


@pytest.mark.long
def test_two_processes_that_begin_a_fresh_database_at_once_both_record_their_run(
    database: Database, home: Path, dagster_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = environment(home, database.variables)
    processes = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", RECORD_ONE],
            cwd=REPOSITORY,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [process.communicate("begin\n", timeout=PATIENCE_SECONDS) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended

    for name, value in database.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(settings_in(home)) as instance:
        recorded = {run.run_id for run in instance.get_runs()}
    assert recorded == {output.strip() for output, _ in ended}
    assert database.count("runs") == 2
    # Nothing of it lies in files, and the settings are still the kit's.
    assert sorted(p.name for p in dagster_home.iterdir() if p.suffix == ".yaml") == ["dagster.yaml"]
    assert not (dagster_home / "history").exists()
    assert (dagster_home / "dagster.yaml").read_bytes() == (DEPLOY / "dagster.yaml").read_bytes()


@dataclass(frozen=True)
class Container:
    """What takes the place of a container: its command on this machine, and its variables."""

    command: list[str]
    variables: Mapping[str, str]

    @contextmanager
    def running(self, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """The process, which is killed with all that it started if it has not ended."""
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                self.command,
                cwd=REPOSITORY,
                env=dict(self.variables),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            # As the end of a container does: a code server would wait a minute for its parent.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def ask(self, command: Sequence[str]) -> int:
        """The exit status of another command in the container."""
        return subprocess.run(  # noqa: S603
            command, cwd=REPOSITORY, env=dict(self.variables), check=False, capture_output=True
        ).returncode


def here(command: Sequence[str], home: Path, port: int) -> list[str]:
    """A command of the kit, with the paths and the port of this machine."""
    programs = Path(sys.executable).parent
    return [
        part.replace("/opt/lead-pipeline/dagster.yaml", str(DEPLOY / "dagster.yaml"))
        .replace("/data", str(home))
        .replace("3000", str(port))
        .replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - what the container listens on
        if number
        else (str(programs / part) if (programs / part).exists() else part)
        for number, part in enumerate(command)
    ]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_services_start_as_compose_says_answer_their_health_checks_and_end_at_sigterm(
    home: Path, tmp_path: Path
) -> None:
    port = free_port()
    home.mkdir()
    [of_image] = [line for line in dockerfile() if line.name == "HEALTHCHECK"]
    of_daemon = compose()["services"]["daemon"]["healthcheck"]["test"][1:]
    checks = {"webserver": executed(of_image), "daemon": of_daemon}
    with running_database() as database:
        variables = environment(home, {**database.variables, "DAGSTER_HOME": str(home / "dagster")})
        variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
        prepare = Container(here(command_of("prepare"), home, port), variables)
        assert prepare.ask(prepare.command) == 0
        for name, check in checks.items():
            container = Container(here(command_of(name), home, port), variables)
            with container.running(tmp_path / f"{name}.log") as process:
                deadline = time.monotonic() + PATIENCE_SECONDS
                while container.ask(here(check, home, port)) != 0:
                    said = (tmp_path / f"{name}.log").read_text()
                    assert process.poll() is None, said
                    assert time.monotonic() < deadline, said
                    time.sleep(1)
                process.terminate()
                process.wait(timeout=10)
        assert database.count("daemon_heartbeats") > 0
