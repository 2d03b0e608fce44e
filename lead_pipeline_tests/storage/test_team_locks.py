"""What a team's locks promise beyond the contract of all kinds: connections that are lost, other teams."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lead_pipeline.errors import ConfigurationError, StoreUnavailable
from lead_pipeline.storage.file_locks import FileLocks
from lead_pipeline.storage.locks import held, is_held
from lead_pipeline.storage.team import advisory
from lead_pipeline.storage.team.advisory import AdvisoryLock, key_of
from lead_pipeline.storage.team.locks import TeamLocks, identity_of_folder
from lead_pipeline.storage.team.postgres import Database as Server
from lead_pipeline_tests.deploy.database import PASSWORD, Database, free_port, running_database
from lead_pipeline_tests.storage.lock_kinds import STORE, take_locks_of


@pytest.fixture(autouse=True)
def no_homes_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test says of its homes counts for that test alone."""
    monkeypatch.setattr("lead_pipeline.storage.locks._of_homes", {})


@pytest.fixture
def quick_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder looks at its connection often."""
    monkeypatch.setattr(advisory, "WATCH_SECONDS", 0.05)


@pytest.fixture
def lock(database: Database, tmp_path: Path) -> Path:
    """A lock of a home that takes those of a team."""
    take_locks_of(tmp_path / "home", database.url)
    return tmp_path / "home" / ".locks" / "warehouse"


def sessions(database: Database) -> list[int]:
    """The server's processes behind connections of ours."""
    rows = database.rows(
        "select pid from pg_stat_activity where application_name = 'lead_pipeline' "
        "and datname = current_database()"
    )
    return [pid for (pid,) in rows]


def cut(database: Database) -> None:
    """End all connections of ours, as when the server is started again."""
    database.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'lead_pipeline' and datname = current_database()"
    )


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_two_teams_in_one_database_do_not_wait_for_each_other(
    database: Database, tmp_path: Path
) -> None:
    for home, store in (("ours", STORE), ("theirs", "s3://leads/staging")):
        take_locks_of(tmp_path / home, database.url, store)

    with (
        held(tmp_path / "ours" / ".locks" / "warehouse", "loading"),
        held(tmp_path / "theirs" / ".locks" / "warehouse", "loading", patience=0),
    ):
        assert is_held(tmp_path / "ours" / ".locks" / "warehouse")


def test_keys_are_the_same_in_every_version() -> None:
    assert key_of("s3://leads/production", "warehouse") == 8154511212758592811


@pytest.mark.parametrize("name", ["demo", "checks", "storage"])
def test_what_concerns_this_machine_alone_asks_no_server(tmp_path: Path, name: str) -> None:
    nowhere = f"postgresql://u:p@127.0.0.1:{free_port()}/x"
    take_locks_of(tmp_path / "home", nowhere)

    with held(tmp_path / "home" / ".locks" / name, "working alone"):
        assert FileLocks().at(tmp_path / "home" / ".locks" / name).is_held()


def test_a_home_keeps_others_off_its_files_also_where_they_know_of_no_team(lock: Path) -> None:
    with held(lock, "loading"):
        assert not FileLocks().at(lock).acquire("loading, too", 0.1)


@pytest.mark.usefixtures("quick_watch")
def test_a_lost_connection_is_told_and_the_lock_taken_again(
    database: Database, lock: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with held(lock, "loading"):
        before = sessions(database)
        cut(database)
        until(lambda: "is held again" in caplog.text)
        assert is_held(lock)
        assert set(sessions(database)).isdisjoint(before)

    assert (
        f"The lock warehouse is lost: the connection to PostgreSQL at 127.0.0.1:{database.port}"
        in (caplog.text)
    )
    assert not is_held(lock)


@pytest.mark.usefixtures("quick_watch")
def test_who_lost_a_lock_is_told_who_has_it_now(
    database: Database,
    lock: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take_locks_of(tmp_path / "another", database.url)
    taken, over = threading.Event(), threading.Event()
    is_alive = AdvisoryLock._is_alive

    def look_once_it_is_taken(lock: AdvisoryLock) -> bool:
        taken.wait(60)
        return is_alive(lock)

    def wait_for_it() -> None:
        with held(tmp_path / "another" / ".locks" / "warehouse", "loading elsewhere"):
            taken.set()
            over.wait(60)

    monkeypatch.setattr(AdvisoryLock, "_is_alive", look_once_it_is_taken)
    other = threading.Thread(target=wait_for_it)
    with held(lock, "loading"):
        [session] = sessions(database)
        other.start()
        database.rows(f"select pg_terminate_backend({session})")
        assert taken.wait(60)
        until(lambda: "has been taken by" in caplog.text)
    # What was released here was not theirs.
    assert is_held(lock)
    over.set()
    other.join()

    assert f"has been taken by process {os.getpid()} on " in caplog.text
    assert "(loading elsewhere, since " in caplog.text


def test_who_waits_sits_out_a_restart_of_the_server(lock: Path, tmp_path: Path) -> None:
    with running_database() as database:
        for home in ("home", "another"):
            take_locks_of(tmp_path / home, database.url)
        waiter = AdvisoryLock(Server.of(database.url), key_of(STORE, "warehouse"), "warehouse")
        holder = AdvisoryLock(Server.of(database.url), key_of(STORE, "warehouse"), "warehouse")
        assert holder.acquire("loading", 1)
        assert not waiter.acquire("loading, too", 0.1)
        holder.release()
        cut(database)

        assert not waiter.acquire("loading, too", 0)
        assert waiter.holder() == f"an answer of PostgreSQL at 127.0.0.1:{database.port}/postgres"
        assert waiter.acquire("loading, too", 5)
        waiter.release()


def test_a_server_that_does_not_answer_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lead_pipeline.storage.team.postgres._PAUSE_SECONDS", 0)
    port = free_port()
    take_locks_of(tmp_path / "home", f"postgresql://me:hush-hush@127.0.0.1:{port}/leads")

    with (
        pytest.raises(StoreUnavailable) as refused,
        held(tmp_path / "home" / ".locks" / "warehouse", "loading"),
    ):
        raise AssertionError("nobody has the lock")

    assert str(refused.value) == (
        f"PostgreSQL at 127.0.0.1:{port}/leads (LEAD_PIPELINE_DATABASE) does not answer: Connection "
        "refused. Nothing is lost; run the same again when it is back."
    )
    assert not FileLocks().at(tmp_path / "home" / ".locks" / "warehouse").is_held()


def test_a_wrong_password_is_told_without_it(database: Database) -> None:
    url = f"postgresql://dagster:hush-hush@127.0.0.1:{database.port}/postgres"

    with pytest.raises(ConfigurationError, match="password authentication failed") as refused:
        Server.of(url).connect()

    assert "LEAD_PIPELINE_DATABASE" in str(refused.value)
    assert "hush-hush" not in f"{refused.value}{Server.of(url)!r}"


@pytest.mark.parametrize(
    "url", ["mysql://me:hush-hush@host/x", "postgresql://me:hush-hush@host:port%/x", "hush-hush"]
)
def test_what_is_no_url_of_postgresql_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a URL of PostgreSQL") as refused:
        Server.of(url)

    assert "hush-hush" not in str(refused.value)


def test_both_ends_notice_within_a_minute_that_the_other_is_gone(database: Database) -> None:
    connection = Server.of(database.url).connect()
    try:
        with connection.cursor() as cursor:
            for name in ("idle", "interval", "count"):
                cursor.execute(f"show tcp_keepalives_{name}")
                (value,) = cursor.fetchone()
                assert int(value) == int(connection.info.dsn_parameters[f"keepalives_{name}"])
        idle, interval, count = (
            int(connection.info.dsn_parameters[f"keepalives_{name}"])
            for name in ("idle", "interval", "count")
        )
    finally:
        connection.close()

    assert idle + interval * count < 60


def test_a_held_lock_rests_on_one_connection_that_does_nothing(
    database: Database, lock: Path
) -> None:
    with held(lock, "loading"):
        rows = database.rows(
            "select state, query from pg_stat_activity where application_name = 'lead_pipeline'"
        )
        assert [state for state, _ in rows] == ["idle"]
        assert PASSWORD not in str(rows)
    until(lambda: sessions(database) == [])


def test_locks_that_a_pooler_shares_are_refused(
    database: Database, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advisory, "_proven", set())
    shared: list[object] = []

    class Lent:
        """What a pooler in transaction mode gives: for every client the same connection."""

        def __init__(self, connection: object) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> object:
            return (lambda: None) if name == "close" else getattr(self._connection, name)

    connect = Server.connect

    def lend(server: Server) -> object:
        if not shared:
            shared.append(connect(server))
        return Lent(shared[0])

    monkeypatch.setattr(Server, "connect", lend)
    with (
        pytest.raises(ConfigurationError, match="a pooler in session mode"),
        held(lock, "loading"),
    ):
        raise AssertionError("two could be inside")
    shared[0].close()  # type: ignore[attr-defined]


def test_a_folder_has_one_identity_for_all_who_write_in_it(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(identity_of_folder(tmp_path / "home")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert identity_of_folder(tmp_path / "another") not in found
    assert [path.name for path in (tmp_path / "home" / ".locks").iterdir()] == ["home.id"]


def test_psycopg2_says_what_messages_are_made_of(database: Database) -> None:
    import psycopg2

    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(database.url.rpartition("/")[0] + "/nowhere")


def test_a_database_that_is_not_there_is_told(database: Database) -> None:
    with pytest.raises(ConfigurationError, match='database "nowhere" does not exist'):
        Server.of(database.url.rpartition("/")[0] + "/nowhere").connect()


def test_locks_of_a_team_are_known_by_name(database: Database, tmp_path: Path) -> None:
    locks = TeamLocks(Server.of(database.url), STORE)
    kinds = {
        name: type(locks.at(tmp_path / ".locks" / name)).__name__
        for name in ("account-mega", "warehouse", "publish", "alerts", "erasure-key", "demo")
    }

    assert kinds == {
        "account-mega": "TeamLock",
        "warehouse": "TeamLock",
        "publish": "TeamLock",
        "alerts": "TeamLock",
        "erasure-key": "TeamLock",
        "demo": "LockFile",
    }
