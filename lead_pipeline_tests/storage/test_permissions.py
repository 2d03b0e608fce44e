"""Who can read what the pipeline has written: tried as another user, where the test may become one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.storage.permissions import Readers, let_in, said_of_readers, tighten
from lead_pipeline_tests.commands import environment, lead_pipeline

NOBODY, GROUP = 65534, 54321
READERS = Readers(GROUP, "bi-readers")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def put(path: Path, mode: int = 0o644) -> Path:
    """A file with that mode, in folders that anybody may enter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("personal")
    path.chmod(mode)
    return path


@pytest.fixture
def open_home(tmp_path: Path) -> Path:
    """What an earlier version has left with the usual umask, and something of the user's own."""
    before = os.umask(0o022)
    try:
        home = tmp_path / "home"
        for name in (
            "warehouse.duckdb",
            "warehouse.duckdb.wal",
            "alerts.json",
            "landing/mega/leads/date=2026-01-01/a.parquet",
            "landing/mega/_crawls/a.json",
            "dagster/history/runs.db",
            "bi/leads.duckdb",
            "bi/report.html",
            "bi/explore/index.html",
            "bi/explore/.index.html.new",
            "bi/.builds/a.duckdb",
            "bi/.sources/leads.duckdb",
            "bi/.candidate/dbt/dbt.log",
            ".locks/warehouse.lock",
            "own/script.sh",
        ):
            put(home / name)
        (home / "bi/leads.duckdb").chmod(0o444)
        (home / "own/script.sh").chmod(0o755)
    finally:
        os.umask(before)
    tmp_path.chmod(0o755)
    return home


def read_as(home: Path, path: Path, uid: int, gid: int) -> bool:
    """Whether another user, of that group, can read a file of the home, beside which he stands."""
    child = os.fork()
    if child == 0:
        # The folders above it are those of the tests.
        os.chdir(home.parent)
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        try:
            os.close(os.open(path.relative_to(home.parent), os.O_RDONLY))
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def everything(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def test_open_home_is_closed_once_and_that_is_said_once(open_home: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        tighten(open_home, None, said.append)
    [sentence] = said
    assert str(open_home) in sentence
    assert "LEAD_PIPELINE_READERS_GROUP" in sentence
    assert mode_of(open_home) == 0o700
    own = open_home / "own"
    open_ones = [path for path in open_home.rglob("*") if mode_of(path) & 0o077]
    assert set(open_ones) == {own, own / "script.sh"}
    assert mode_of(open_home / "bi/leads.duckdb") == 0o400


def test_private_home_stays_as_it_is_and_nothing_is_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    said: list[str] = []
    tighten(home, None, said.append)
    tighten(tmp_path / "missing", None, said.append)
    assert said == []
    assert not (tmp_path / "missing").exists()


def test_link_in_the_home_changes_nothing_outside_of_it(open_home: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "elsewhere" / "file")
    (open_home / "landing" / "linked").symlink_to(outside.parent)
    (open_home / "landing" / "file").symlink_to(outside)
    tighten(open_home, None, lambda _: None)
    assert mode_of(outside) == 0o644


@needs_root
def test_group_reads_what_is_published_and_nothing_else(open_home: Path) -> None:
    assert all(read_as(open_home, path, NOBODY, GROUP) for path in everything(open_home)), (
        "it was not open"
    )
    tighten(open_home, READERS, lambda _: None)
    readable = {
        path.relative_to(open_home).as_posix()
        for path in everything(open_home)
        if read_as(open_home, path, NOBODY, GROUP)
    }
    # What the user himself has put beside it keeps the modes that he gave it.
    assert readable - {"own/script.sh"} == {
        "bi/leads.duckdb",
        "bi/report.html",
        "bi/explore/index.html",
    }
    assert not any(read_as(open_home, path, NOBODY, NOBODY) for path in everything(open_home))
    assert mode_of(open_home) == 0o710
    assert mode_of(open_home / "bi") == 0o750


@needs_root
def test_group_that_is_named_no_longer_is_shut_out(open_home: Path) -> None:
    tighten(open_home, READERS, lambda _: None)
    tighten(open_home, None, lambda _: None)
    assert mode_of(open_home) == 0o700
    assert mode_of(open_home / "bi") == 0o700


@pytest.mark.parametrize("group", ["no-such-group-here", "*"])
def test_unknown_group_is_named(group: str) -> None:
    with pytest.raises(ConfigurationError, match=r"LEAD_PIPELINE_READERS_GROUP.*groupadd"):
        Readers.named(group)


@needs_root
def test_group_that_the_user_does_not_belong_to_is_an_error_that_says_so(open_home: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from lead_pipeline.errors import ConfigurationError\n"
        "from lead_pipeline.storage.permissions import Readers, let_in\n"
        "import os; os.chdir(sys.argv[1]); os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: let_in(Path('home'), Readers(54321, 'bi-readers'))\n"
        "except ConfigurationError as error: print(error)\n"
    )
    os.chown(open_home, NOBODY, NOBODY)
    ran = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", program, str(open_home.parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "usermod -aG bi-readers" in ran.stdout, ran.stderr


def test_who_can_read_is_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "not there yet" in said_of_readers(home, None)
    home.mkdir(mode=0o700)
    assert "this user alone" in said_of_readers(home, None)
    home.chmod(0o755)
    assert "mode 0755" in said_of_readers(home, None)


@needs_root
def test_members_of_the_group_are_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    readers = Readers.named("0")
    let_in(home, readers)
    said = said_of_readers(home, readers)
    assert "root" in said
    assert "bi/leads.duckdb" in said


@pytest.mark.long
@pytest.mark.timeout(900)
def test_home_of_the_demo_is_private_whatever_the_umask_of_the_shell(tmp_path: Path) -> None:
    """All that a whole night writes: landing, DuckDB, Dagster's SQLite, dbt, locks, the page."""
    home = tmp_path / "home"
    before = os.umask(0o000)
    try:
        ran = lead_pipeline(tmp_path, environment(home), "demo", "--nights", "1")
    finally:
        os.umask(before)
    assert ran.status == 0, ran.errors
    open_ones = {
        str(path.relative_to(tmp_path)): oct(mode_of(path))
        for path in (home, *home.rglob("*"))
        if mode_of(path) & 0o077
    }
    assert open_ones == {}
    assert len(everything(home)) > 20
