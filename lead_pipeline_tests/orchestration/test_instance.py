"""A home that any number of processes may open at once, and one that was broken before."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.orchestration.databases import (
    DATABASES,
    databases_held_open,
    reuse_engines,
)
from lead_pipeline.orchestration.instance import (
    dagster_home,
    open_instance,
    open_log_of_runs,
)
from lead_pipeline.orchestration.runner import PipelineRunner, RunRequest
from lead_pipeline.orchestration.schedules import JOB
from lead_pipeline.settings import Settings

REPOSITORY = Path(__file__).parents[2]
FIRST_REVISION = "5771160a95ad"
"""What a process notes that finds tables without a revision, as another one has just made them."""

# What opening imports is imported here, so that children have nothing else to do than to open.
OPEN_ONCE = """
import os, signal, sys, time, traceback
from pathlib import Path
from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline_tests.pulling import settings_in
with open_instance(settings_in(Path(sys.argv[1]) / "first")):
    pass
os.environ.pop("DAGSTER_HOME", None)
"""

# One interpreter that forks, so that all children reach the fresh home within milliseconds.
OPEN_AT_ONCE = f"""{OPEN_ONCE}
failed = 0
for number in range(int(sys.argv[2])):
    settings = settings_in(Path(sys.argv[1]) / str(number))
    closed, gate = os.pipe()
    children = []
    for child in range(12):
        children.append(os.fork())
        if children[-1] == 0:
            os.close(gate)
            os.read(closed, 1)
            try:
                with open_instance(settings, lambda message: None) as instance:
                    instance.get_runs()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
    os.close(gate)
    failed += sum(os.waitpid(child, 0)[1] != 0 for child in children)
sys.exit(failed)
"""

# The child dies a little later each time, from before the first file to after the last one.
KILL_WHILE_MAKING = f"""{OPEN_ONCE}
folder = Path(sys.argv[1])
number = 0
while True:
    settings = settings_in(folder / str(number))
    child = os.fork()
    if child == 0:
        with open_instance(settings, lambda message: None):
            os._exit(0)
    time.sleep(0.02 * number)
    os.kill(child, signal.SIGKILL)
    if os.waitpid(child, 0)[1] == 0:
        sys.exit(0)
    os.environ.pop("DAGSTER_HOME", None)
    number += 1
"""


@pytest.fixture(autouse=True)
def own_dagster_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """No `DAGSTER_HOME`, before and after the test."""
    monkeypatch.setenv("DAGSTER_HOME", "")


def revisions(home: Path) -> dict[str, int]:
    """How many revisions each of Dagster's databases below `home` names."""
    counts = {}
    for name in DATABASES:
        with closing(sqlite3.connect(home / "dagster" / name)) as database:
            (counts[name],) = database.execute("select count(*) from alembic_version").fetchone()
    return counts


def run_script(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *(str(argument) for argument in arguments)]
    return subprocess.run(  # noqa: S603
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


@pytest.mark.long
def test_twelve_processes_make_one_sound_home(tmp_path: Path) -> None:
    rounds = 2
    ran = run_script(OPEN_AT_ONCE, tmp_path, rounds)

    assert (ran.returncode, ran.stderr) == (0, "")
    sound = dict.fromkeys(DATABASES, 1)
    assert [revisions(tmp_path / str(number)) for number in range(rounds)] == [sound] * rounds


@pytest.mark.long
def test_home_whose_making_was_killed_is_made_by_the_next_one(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run_script(KILL_WHILE_MAKING, tmp_path)
    homes = sorted(path for path in tmp_path.iterdir() if path.name.isdigit())

    assert ran.returncode == 0, ran.stderr
    assert len(homes) > 5
    for path in homes:
        monkeypatch.setenv("DAGSTER_HOME", "")
        with open_instance(home_settings(path)) as instance:
            assert instance.get_runs() == []
        assert [p.name for p in (path / "dagster").glob(".*") if p.name != ".locks"] == []
        assert set(revisions(path).values()) == {1}


def home_settings(home: Path) -> Settings:
    return Settings(home=home, _env_file=None)  # type: ignore[call-arg]


def opened_with_a_run(settings: Settings) -> str:
    with open_instance(settings) as instance:
        return instance.create_run_for_job(
            dg.GraphDefinition("other", node_defs=[]).to_job()
        ).run_id


def add_revision(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("insert into alembic_version values (?)", [FIRST_REVISION])
        database.commit()


def test_databases_made_by_two_processes_at_once_are_healed_and_keep_their_runs(
    settings: Settings,
) -> None:
    run_id = opened_with_a_run(settings)
    for name in DATABASES:
        add_revision(settings.dagster_home / name)
    told: list[str] = []
    with open_instance(settings, told.append) as instance:
        assert [run.run_id for run in instance.get_runs()] == [run_id]

    assert set(revisions(settings.home).values()) == {1}
    assert len(told) == len(DATABASES)
    assert all("nothing of it is lost" in sentence for sentence in told)


def test_sound_databases_are_opened_without_a_word(settings: Settings) -> None:
    opened_with_a_run(settings)
    told: list[str] = []
    with open_instance(settings, told.append):
        pass

    assert told == []


def overwrite(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to be one " * 100)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def two_unknown_revisions(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("update alembic_version set version_num = 'nobody knows'")
        database.execute("insert into alembic_version values ('nobody either')")
        database.commit()


@pytest.mark.parametrize("damage", [overwrite, cut_off, two_unknown_revisions])
@pytest.mark.parametrize("name", DATABASES)
def test_database_that_cannot_be_read_is_set_aside_and_named(
    name: str, damage: Callable[[Path], None], settings: Settings
) -> None:
    opened_with_a_run(settings)
    path = settings.dagster_home / name
    for log in ("-wal", "-shm"):
        path.with_name(path.name + log).unlink(missing_ok=True)
    damage(path)
    damaged = path.read_bytes()
    told: list[str] = []
    with open_instance(settings, told.append) as instance:
        instance.get_runs()
        instance.all_instigator_state()

    (sentence,) = told
    found = re.search(r"set aside as (\S+);", sentence)
    assert found is not None
    assert str(path) in sentence
    assert path.with_name(found.group(1)).read_bytes() == damaged


def test_database_that_another_program_keeps_locked_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_with_a_run(settings)
    path = settings.dagster_home / DATABASES[0]
    monkeypatch.setattr("lead_pipeline.orchestration.databases.PATIENCE_SECONDS", 0.1)
    with closing(sqlite3.connect(path)) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        with pytest.raises(ConfigurationError, match=re.escape(str(path))):
            open_instance(settings)


def test_runs_go_on_unrecorded_where_a_database_cannot_be_opened(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_with_a_run(settings)
    path = settings.dagster_home / DATABASES[0]
    monkeypatch.setattr("lead_pipeline.orchestration.databases.PATIENCE_SECONDS", 0.1)
    told: list[str] = []
    with closing(sqlite3.connect(path)) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        with open_log_of_runs(settings, told.append) as instance:
            result = dg.materialize([asset_of_nothing], instance=instance)

    assert result.success
    assert str(path) in told[0]
    assert "Runs are not recorded this time" in told[0]


@dg.asset
def asset_of_nothing() -> None:
    """What a run has to do at least."""


def test_run_is_executed_again_unrecorded_where_the_storage_fails_meanwhile(
    settings: Settings, tmp_path: Path
) -> None:
    tried: list[int] = []

    @dg.asset(name="published")
    def published() -> None:
        tried.append(len(tried))
        # As a disk that takes nothing does: no table of the storage can be written to.
        for database in settings.dagster_home.rglob("*.db"):
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("drop table if exists event_logs")
                connection.commit()

    definitions = dg.Definitions(assets=[published], jobs=[dg.define_asset_job(JOB, selection="*")])
    told: list[str] = []
    with open_instance(settings) as instance:
        outcome = PipelineRunner(definitions, instance, told.append).load_and_publish()

    assert (outcome.failure, tried) == (None, [0, 1])
    assert "Runs are not recorded this time" in told[-1]


def test_nothing_is_made_where_another_storage_is_configured(
    settings: Settings, tmp_path: Path
) -> None:
    folder = settings.dagster_home
    folder.mkdir(parents=True)
    elsewhere = f"storage:\n  sqlite:\n    base_dir: {tmp_path / 'elsewhere'}\n"
    (folder / "dagster.yaml").write_text(elsewhere)
    with open_instance(settings) as instance:
        instance.get_runs()

    assert not (folder / "history").exists()
    assert (tmp_path / "elsewhere" / "history" / "runs.db").exists()


def test_new_home_lets_runs_wait_in_the_queue_and_watches_their_processes(
    settings: Settings,
) -> None:
    with open_instance(settings):
        pass
    config = yaml.safe_load((settings.dagster_home / "dagster.yaml").read_text())

    assert config["concurrency"]["pools"] == {"default_limit": 1, "granularity": "run"}
    assert config["run_launcher"]["class"] == "WatchedRunLauncher"
    assert config["run_monitoring"] == {
        "enabled": True,
        "poll_interval_seconds": 15,
        "max_runtime_seconds": 86_400,
    }


EARLIER = """\
# Written by lead-pipeline. One crawl per account at a time, one writer per file.
concurrency:
  pools:
    default_limit: 1
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 300
telemetry:
  enabled: false
nux:
  enabled: false
"""


@pytest.mark.parametrize(
    ("before", "is_replaced"),
    [
        pytest.param(EARLIER, True, id="as an earlier version wrote it"),
        pytest.param(EARLIER + "python_logs:\n  python_log_level: DEBUG\n", False, id="edited"),
    ],
)
def test_configuration_is_replaced_unless_somebody_has_changed_it(
    before: str, is_replaced: bool, settings: Settings
) -> None:
    path = settings.dagster_home / "dagster.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(before)
    with open_instance(settings):
        pass

    assert (path.read_text() != before) is is_replaced


def test_dagster_home_of_the_user_gets_no_configuration(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with open_instance(settings):
        pass

    assert dagster_home(settings) == tmp_path
    assert not (tmp_path / "dagster.yaml").exists()


@pytest.mark.parametrize("storage", [sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage])
def test_engine_of_a_database_is_made_once_and_holds_no_connection(
    storage: ModuleType, tmp_path: Path
) -> None:
    reuse_engines()
    reuse_engines()
    url = f"sqlite:///{tmp_path / 'some.db'}"

    def made(seconds: int) -> Engine:
        engine: Engine = storage.create_engine(
            url, poolclass=NullPool, connect_args={"timeout": seconds}
        )
        return engine

    with made(5).begin() as connection:
        connection.execute(text("create table some (number int)"))
    (tmp_path / "some.db").unlink()

    assert made(5) is made(5)
    assert made(5) is not made(6)
    with made(5).begin() as connection:
        assert connection.execute(text("select name from sqlite_master")).fetchall() == []


def engine_of(path: Path) -> Engine:
    """As Dagster's storages make it."""
    module: Any = sqlite_event_log
    engine: Engine = module.create_engine(f"sqlite:///{path}", poolclass=NullPool)
    return engine


def test_log_of_a_database_is_written_back_once_for_all_statements_of_a_block(
    tmp_path: Path,
) -> None:
    reuse_engines()
    path, log = tmp_path / "some.db", tmp_path / "some.db-wal"
    engine = engine_of(path)
    with engine.begin() as connection:
        connection.execute(text("create table some (number int)"))
        connection.execute(text("pragma journal_mode = wal"))
    with engine.begin() as connection:
        connection.execute(text("insert into some values (0)"))
    assert not log.exists()

    with databases_held_open():
        with databases_held_open(), engine.begin() as connection:
            connection.execute(text("insert into some values (1)"))
        assert log.stat().st_size > 0
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("select count(*) from some").fetchone() == (2,)
        with engine.begin() as connection:
            connection.execute(text("insert into some values (2)"))
    assert not log.exists()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("select count(*) from some").fetchone() == (3,)


def test_database_that_cannot_be_held_open_says_so_by_its_statements(tmp_path: Path) -> None:
    reuse_engines()
    path = tmp_path / "some.db"
    path.write_bytes(b"no database at all" * 100)
    engine = engine_of(path)
    with (
        pytest.raises(DatabaseError, match="not a database"),
        databases_held_open(),
        engine.begin() as connection,
    ):
        connection.execute(text("create table some (number int)"))


def test_run_leaves_no_connection_to_its_databases(settings: Settings) -> None:
    @dg.asset
    def made() -> int:
        return 1

    definitions = dg.Definitions(
        assets=[made], jobs=[dg.define_asset_job(JOB)], executor=dg.in_process_executor
    )
    with open_instance(settings) as instance:
        outcome = PipelineRunner(definitions, instance).execute(
            RunRequest("some", [dg.AssetKey("made")])
        )
        assert outcome.failure is None
        assert instance.get_run_by_id(outcome.run_id) is not None
    assert not list(settings.home.rglob("*.db-wal"))
