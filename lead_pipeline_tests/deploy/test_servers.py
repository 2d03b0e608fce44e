"""Servers of the tests: there or installed, started on loopback, and gone after the test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lead_pipeline_tests.deploy.broker import running_broker
from lead_pipeline_tests.deploy.database import running_database

SCRIPT = Path(__file__).with_name("install_servers.py")


def install(path: Path, *programs: str) -> subprocess.CompletedProcess[str]:
    """Run the script where only these programs are to be found, and as they are named here."""
    path.mkdir()
    for program in programs:
        name, _, said = program.partition("=")
        (path / name).write_text(f"#!/bin/sh\n{said}\n")
        (path / name).chmod(0o755)
    # Debian's own folder of PostgreSQL and the rights of root are what they are on this machine.
    faked = (
        "import os, runpy, sys, pathlib; os.geteuid = lambda: int(sys.argv[1]);"
        "script = runpy.run_path(sys.argv[2]);"
        "script['main'].__globals__.update(INSTALLED=pathlib.Path('/nowhere'),"
        " POLICY=pathlib.Path(sys.argv[3])); script['main']()"
    )
    user = "1000" if "unprivileged" in programs else "0"
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", faked, user, str(SCRIPT), str(path / "policy")],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_machine_with_all_is_left_alone(tmp_path: Path) -> None:
    ran = install(tmp_path / "bin", "initdb", "redis-server", "chromium", "apt-get=exit 1")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("programs", "reason"),
    [
        ((), "there is no apt-get"),
        (("apt-get", "unprivileged"), "only root may install packages"),
        (
            ("apt-get=echo 'E: no network' >&2; exit 100",),
            "apt-get update failed (no network)",
        ),
    ],
    ids=["no apt-get", "no root", "no network"],
)
def test_what_cannot_be_installed_is_said_in_one_line_and_fails_nothing(
    tmp_path: Path, programs: tuple[str, ...], reason: str
) -> None:
    ran = install(tmp_path / "bin", "initdb", "chromium", *programs)
    assert ran.returncode == 0
    assert ran.stderr.splitlines()[-1].startswith(
        f"Tests that need redis-server are skipped: {reason}. "
    )


def test_packages_are_installed_without_a_service_being_started(tmp_path: Path) -> None:
    # What a package does: it asks the policy, and here leaves the program behind.
    apt = (
        'here=$(dirname "$0"); [ "$1" = install ] || exit 0; "$here/policy";'
        ' [ $? = 101 ] && [ "$1 $2 $3" = "install --quiet --yes" ] || exit 1;'
        ' /bin/cp "$here/apt-get" "$here/redis-server"'
    )
    shell = f'dirname=/usr/bin/dirname "$@"\napt-get={apt}'.split("\n")
    ran = install(tmp_path / "bin", "initdb", "chromium", *shell)
    assert ran.stderr.splitlines() == ["Installs redis-server for the tests."]
    assert (tmp_path / "bin" / "redis-server").exists()
    # The policy was the script's own, and is gone.
    assert not (tmp_path / "bin" / "policy").exists()


def test_database_has_a_url_and_makes_another_one() -> None:
    with running_database() as database:
        import psycopg2

        other = database.another()
        with psycopg2.connect(other.url) as connection, connection.cursor() as cursor:
            cursor.execute("create table only_here ()")
        assert other.count("only_here") == 0
        assert database.rows("select to_regclass('only_here')") == [(None,)]
        connection.close()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(database.url)


def test_broker_answers_whoever_has_its_password_and_is_gone_afterwards() -> None:
    with running_broker() as url:
        import redis

        with redis.Redis.from_url(url) as client:
            assert client.ping()
        with (
            redis.Redis.from_url(url.replace(":broker@", "")) as stranger,
            pytest.raises(redis.exceptions.AuthenticationError),
        ):
            stranger.ping()
    with redis.Redis.from_url(url) as client, pytest.raises(redis.exceptions.ConnectionError):
        client.ping()
