"""Files of the deployment kit that can only be right together with the rest of the repository."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from dotenv import dotenv_values

from lead_pipeline.orchestration.instance import INSTANCE_CONFIG
from lead_pipeline_tests.deploy.kit import (
    DEPLOY,
    REPOSITORY,
    SERVICES,
    UNITS,
    command_of,
    compose,
    directives,
    executed,
    instructions,
    started_by,
)

PIPELINE = ("prepare", "webserver", "daemon")
NOT_OURS = {"DAGSTER_HOME", "PATH", "PYTHONUNBUFFERED", "XDG_CACHE_HOME"}
"""Variables of Dagster, Python and the system."""
SYSTEMD = Path("/usr/lib/systemd/system")


def test_dagster_in_postgresql_has_all_settings_of_dagster_in_sqlite() -> None:
    config = yaml.safe_load((DEPLOY / "dagster.yaml").read_text("utf-8"))
    assert set(config.pop("storage")) == {"postgres"}
    assert config == yaml.safe_load(INSTANCE_CONFIG)


def git_files() -> set[str]:
    git = shutil.which("git")
    assert git is not None
    listed = subprocess.run(  # noqa: S603
        [git, "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return set(listed.stdout.splitlines())


def copied_from_the_repository() -> list[str]:
    return [
        source
        for line in instructions()
        if line.name == "COPY" and not line.arguments.startswith("--from")
        for source in line.arguments.split()[:-1]
    ]


def test_image_is_made_of_files_that_are_in_git() -> None:
    files = git_files()
    copied = copied_from_the_repository()
    assert "lead_pipeline" in copied
    assert [
        source
        for source in copied
        if source not in files and not any(file.startswith(f"{source}/") for file in files)
    ] == []


def test_image_is_sent_what_it_is_made_of_and_nothing_else() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    sent = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert next(line for line in lines if not line.startswith("#")) == "*"
    assert sorted(sent) == sorted(copied_from_the_repository())


def test_image_installs_the_versions_of_the_constraints_and_the_driver_of_postgresql() -> None:
    [install] = [line.arguments for line in instructions() if "pip install" in line.arguments]
    assert "--constraint constraints.txt" in install
    assert "[${EXTRA}]" in install
    assert "EXTRA=postgres" in [line.arguments for line in instructions() if line.name == "ARG"]
    constraints = (REPOSITORY / "constraints.txt").read_text("utf-8")
    releases = dict(re.findall(r"^(dagster-(?:postgres|dbt))==(.+)$", constraints, re.MULTILINE))
    assert releases["dagster-postgres"] == releases["dagster-dbt"]


def test_image_runs_as_a_user_without_rights() -> None:
    [user] = [line.arguments for line in instructions() if line.name == "USER"]
    assert user == "10001:10001"


def commands() -> Iterator[list[str]]:
    for service in ("webserver", "daemon"):
        yield command_of(service)
    yield compose()["services"]["daemon"]["healthcheck"]["test"][1:]
    for line in instructions():
        if line.name in ("CMD", "HEALTHCHECK"):
            yield executed(line)
    for unit in SERVICES:
        yield from started_by(unit)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_command_of_the_kit_exists(command: list[str]) -> None:
    name = Path(command[0]).name
    assert name in ("python", "lead-pipeline") or Path(sys.executable).with_name(name).exists()
    modules = [after for option, after in pairwise(command) if option in ("-m", "--module-name")]
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_commands_of_units_lie_where_the_kit_is_installed(unit: Path) -> None:
    assert {str(Path(command[0]).parent) for command in started_by(unit)} == {
        "/opt/lead-pipeline/bin"
    }


def settings() -> set[str]:
    return set(dotenv_values(REPOSITORY / ".env.example"))


def test_variables_that_the_kit_sets_are_settings() -> None:
    postgres = set(dotenv_values(DEPLOY / "postgres.env.example")) | {
        "POSTGRES_HOST",
        "POSTGRES_PORT",
    }
    in_image = {
        name
        for line in instructions()
        if line.name == "ENV"
        for name in re.findall(r"(\w+)=", line.arguments)
    }
    in_compose = {
        name for service in PIPELINE for name in compose()["services"][service]["environment"]
    }
    in_units = {
        value.partition("=")[0]
        for unit in SERVICES
        for name, value in directives(unit)
        if name == "Environment"
    }
    assert (in_image | in_compose | in_units) - settings() - NOT_OURS - postgres == set()


def test_every_variable_that_dagster_reads_for_postgresql_is_set_by_the_kit() -> None:
    config = yaml.safe_load((DEPLOY / "dagster.yaml").read_text("utf-8"))
    database = config["storage"]["postgres"]["postgres_db"]
    read = {value["env"] for value in database.values() if isinstance(value, dict)}
    given = dotenv_values(DEPLOY / "postgres.env.example")
    for service in PIPELINE:
        assert read <= set(given) | set(compose()["services"][service]["environment"])
        assert "postgres.env" in compose()["services"][service]["env_file"]


def test_no_secret_is_in_the_kit_and_its_files_of_secrets_stay_out_of_git() -> None:
    assert dotenv_values(DEPLOY / "postgres.env.example")["POSTGRES_PASSWORD"] == ""
    for service in compose()["services"].values():
        assert [name for name in service.get("environment", {}) if "PASSWORD" in name] == []
    ignored = (REPOSITORY / ".gitignore").read_text("utf-8").splitlines()
    assert {".env", "/deploy/postgres.env"} <= set(ignored)


def test_every_service_is_started_again_and_looked_after() -> None:
    services = compose()["services"]
    for name in ("postgres", "webserver", "daemon"):
        assert services[name]["restart"] == "unless-stopped"
    assert services["postgres"]["healthcheck"]["test"][0] == "CMD-SHELL"
    assert [line.name for line in instructions()].count("HEALTHCHECK") == 1
    # Processes that would make Dagster's tables at once wait for the one that does.
    for name in ("webserver", "daemon"):
        done = services[name]["depends_on"]["prepare"]["condition"]
        assert done == "service_completed_successfully"


def test_bi_tools_are_given_the_published_files_alone_and_cannot_write() -> None:
    assert compose()["services"]["bi"]["volumes"] == ["bi:/bi:ro"]
    assert "bi:/data/bi" in compose()["services"]["daemon"]["volumes"]


def test_web_interface_is_not_open_to_other_machines() -> None:
    assert [port.split(":")[0] for port in compose()["services"]["webserver"]["ports"]] == [
        "127.0.0.1"
    ]
    [web] = [unit for unit in SERVICES if "webserver" in unit.name]
    assert "--host 127.0.0.1" in " ".join(started_by(web)[-1])


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A file system with systemd's own units, ours, and the programs that they start."""
    if shutil.which("systemd-analyze") is None or not SYSTEMD.is_dir():
        pytest.skip("systemd is not there")
    root = tmp_path / "machine"
    shutil.copytree(SYSTEMD, root / "usr" / "lib" / "systemd" / "system", symlinks=True)
    (root / "etc" / "systemd" / "system").mkdir(parents=True)
    for unit in UNITS:
        shutil.copy(unit, root / "etc" / "systemd" / "system")
    programs = root / "opt" / "lead-pipeline" / "bin"
    programs.mkdir(parents=True)
    for name in ("lead-pipeline", "python", "dagster-daemon", "dagster-webserver"):
        shutil.copy(shutil.which("true") or "", programs / name)
    return root


def systemd_analyze(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze") or ""
    return subprocess.run(  # noqa: S603
        [program, *arguments, f"--root={root}"], capture_output=True, text=True, check=False
    )


def test_systemd_takes_every_unit_without_a_word(machine: Path) -> None:
    ran = systemd_analyze(machine, "verify", *(unit.name for unit in UNITS))
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_services_are_little_exposed_in_the_words_of_systemd(unit: Path, machine: Path) -> None:
    # 0 is not at all; 20 in these units is 2.0 of 10, "OK".
    ran = systemd_analyze(machine, "security", "--offline=true", "--threshold=20", unit.name)
    assert ran.returncode == 0, ran.stdout[-300:]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_services_can_write_below_their_own_folders_alone(unit: Path) -> None:
    values = dict(directives(unit))
    assert values["User"] == "lead-pipeline"
    assert values["NoNewPrivileges"] == "true"
    assert values["ProtectSystem"] == "strict"
    assert values["ReadWritePaths"] == "/var/lib/lead-pipeline /var/cache/lead-pipeline"


@pytest.mark.parametrize(
    ("unit", "turn"),
    [
        ("lead-pipeline-run.timer", "*-*-* 02:30:00 UTC"),
        ("lead-pipeline-poll.timer", "*-*-* *:17:00 UTC"),
    ],
)
def test_turn_that_was_missed_while_the_machine_was_off_is_made_up_for(
    unit: str, turn: str
) -> None:
    values = dict(directives(DEPLOY / "systemd" / unit))
    assert (values["OnCalendar"], values["Persistent"]) == (turn, "true")
    assert (DEPLOY / "systemd" / unit).with_suffix(".service") in SERVICES
