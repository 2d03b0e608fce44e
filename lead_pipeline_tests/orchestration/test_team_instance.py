"""A team's instance of Dagster: in PostgreSQL, opened by any number of processes at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import serialize_value

from lead_pipeline.errors import ConfigurationError, StoreUnavailable
from lead_pipeline.orchestration.instance import INSTANCE_CONFIG, open_instance, open_log_of_runs
from lead_pipeline.orchestration.team_storage import COMPLETE, SCHEMA
from lead_pipeline.settings import Settings, load_settings
from lead_pipeline_tests.commands import environment
from lead_pipeline_tests.deploy.database import PASSWORD, Database, free_port
from lead_pipeline_tests.orchestration.teams import join_team

REPOSITORY = Path(__file__).parents[2]

OPEN_ONCE = """
import sys
import dagster as dg
from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline.settings import load_settings
print("ready", flush=True)
sys.stdin.readline()
with open_instance(load_settings()) as instance:
    job = dg.GraphDefinition("recorded", node_defs=[]).to_job()
    print(instance.create_run_for_job(job).run_id)
"""


@pytest.fixture
def fresh(database: Database, home: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An empty database, and the variables of a team that has it."""
    return join_team(database, home, monkeypatch)


def recorded(settings: Settings) -> str:
    with open_instance(settings) as instance:
        return instance.create_run_for_job(
            dg.GraphDefinition("recorded", node_defs=[]).to_job()
        ).run_id


def schema_of(database: Database) -> str | None:
    """The comment of the schema; None where it is not complete."""
    [(comment,)] = database.rows(f"select obj_description(to_regnamespace('{SCHEMA}'))")
    return None if comment is None else str(comment)


def test_runs_are_recorded_in_the_database_for_every_home_of_it(
    fresh: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = recorded(load_settings())
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(tmp_path / "another"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(load_settings()) as instance:
        assert [run.run_id for run in instance.get_runs()] == [run_id]

    assert schema_of(fresh) == COMPLETE
    # Other tables in the same database are left alone, and no SQLite is made.
    assert fresh.rows("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]
    assert not (tmp_path / "another" / "dagster" / "history").exists()


def test_password_is_in_no_file_and_in_no_reference_to_the_instance(
    fresh: Database, home: Path
) -> None:
    with open_instance(load_settings()) as instance:
        told = serialize_value(instance.get_ref())
    written = [path.read_bytes() for path in home.rglob("*") if path.is_file()]

    assert written
    for secret in (PASSWORD, fresh.url.split("@")[0]):
        assert secret not in told
        assert [text for text in written if secret.encode() in text] == []
    # What a subprocess of Dagster is given is enough to find the database.
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home / "dagster"))) as instance:
        assert instance.get_runs() == []


@pytest.mark.long
def test_processes_that_begin_a_fresh_database_at_once_all_record_their_run(
    fresh: Database, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        processes = [
            stack.enter_context(opening(tmp_path / f"home-{number}", fresh)) for number in range(4)
        ]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        ended = [process.communicate("begin\n", timeout=120) for process in processes]
        assert [process.returncode for process in processes] == [0] * 4, ended

    with open_instance(load_settings()) as instance:
        found = {run.run_id for run in instance.get_runs()}
    assert found == {output.strip() for output, _ in ended}
    assert schema_of(fresh) == COMPLETE


def opening(home: Path, database: Database) -> subprocess.Popen[str]:
    variables = environment(home, {"LEAD_PIPELINE_DATABASE": database.url})
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", OPEN_ONCE],
        cwd=REPOSITORY,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_database_whose_making_was_killed_is_completed_by_the_next_one(
    fresh: Database, home: Path
) -> None:
    """Killed a little later each time, from before the schema to after the last mark."""
    settings = load_settings()
    statements = 0
    while True:
        child = os.fork()
        if child == 0:
            dies_after(statements)
            open_instance(settings)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
        statements += 7
    assert statements > 30
    assert schema_of(fresh) == COMPLETE
    with open_instance(settings) as instance:
        assert instance.get_runs() == []
    # What Dagster notes once it has made a table; without a note it takes its slow paths.
    notes = set(fresh.rows(f"select name from {SCHEMA}.secondary_indexes"))  # noqa: S608 - our own name
    assert {("run_partitions",), ("asset_key_table",), ("schedule_jobs_selector_id",)} <= notes


def dies_after(statements: int) -> None:
    """Let this process be killed after so many statements of SQLAlchemy."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    left = [statements]

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "after_cursor_execute", count)


def test_settings_of_dagster_follow_those_of_the_pipeline_both_ways(
    fresh: Database, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = home / "dagster" / "dagster.yaml"
    recorded(load_settings())
    assert b"TeamStorage" in config.read_bytes()
    monkeypatch.delenv("LEAD_PIPELINE_DATABASE")
    recorded(load_settings())
    assert config.read_bytes() == INSTANCE_CONFIG


def test_settings_of_dagster_that_are_a_users_own_count_as_they_are(
    fresh: Database, home: Path
) -> None:
    config = home / "dagster" / "dagster.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("telemetry:\n  enabled: false\n")
    recorded(load_settings())

    assert config.read_text() == "telemetry:\n  enabled: false\n"
    assert schema_of(fresh) is None
    assert (home / "dagster" / "history" / "runs.db").exists()


def test_dagster_home_elsewhere_without_settings_gets_those_of_the_team(
    fresh: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
    recorded(load_settings())

    assert b"TeamStorage" in (tmp_path / "elsewhere" / "dagster.yaml").read_bytes()
    assert schema_of(fresh) == COMPLETE


@pytest.mark.parametrize("open_it", [open_instance, open_log_of_runs])
def test_server_that_does_not_answer_is_named_without_the_password(
    open_it: object, fresh: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(open_it)
    url = fresh.url.replace(f":{fresh.port}/", f":{free_port()}/")
    monkeypatch.setenv("LEAD_PIPELINE_DATABASE", url)
    monkeypatch.setattr("lead_pipeline.storage.team.postgres._PAUSE_SECONDS", 0)
    with pytest.raises(StoreUnavailable, match=r"PostgreSQL at 127\.0\.0\.1:") as raised:
        open_it(load_settings())

    assert "pass" not in str(raised.value).replace("password", "")


def test_user_without_rights_is_told_what_to_ask_for(
    fresh: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.rows("create role reader login password 'reader'; select 1")
    url = f"postgresql://reader:reader@127.0.0.1:{fresh.port}/{fresh.name}"
    monkeypatch.setenv("LEAD_PIPELINE_DATABASE", url)
    with pytest.raises(ConfigurationError, match=f"may not make the schema {SCHEMA}"):
        open_instance(load_settings())


def test_missing_packages_are_named_with_the_command_that_installs_them(
    fresh: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    del fresh
    monkeypatch.setattr("lead_pipeline.storage.team.extra.find_spec", lambda module: None)
    with pytest.raises(ConfigurationError, match=r'pip install "lead-pipeline\[team\]"'):
        open_instance(load_settings())


def test_storage_without_its_variable_names_it(
    fresh: Database, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a daemon meets it that is started without the variables of the pipeline."""
    recorded(load_settings())
    monkeypatch.delenv("LEAD_PIPELINE_DATABASE")
    with pytest.raises(ConfigurationError, match="LEAD_PIPELINE_DATABASE is not set"):
        dg.DagsterInstance.from_config(str(home / "dagster"))


def test_dagsters_own_commands_are_told_the_same_home(fresh: Database, home: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "lead_pipeline.orchestration.instance"],
        env=environment(home, {"LEAD_PIPELINE_DATABASE": fresh.url}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == str(home / "dagster")
    assert json.dumps(ran.stderr).count(PASSWORD) == 0
    assert schema_of(fresh) == COMPLETE
