"""Dagster's SQLite databases, whole before Dagster opens them.

    history/runs.db, history/runs/index.db, schedules/schedules.db ──▶ made, healed, or set aside

Dagster makes its databases without a lock. Of two processes that made one at the same moment, each
noted another revision in `alembic_version`, and with two rows there Dagster opens it no more.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from dagster import DagsterInstance
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import event
from sqlalchemy.engine import Engine

from lead_pipeline.errors import ConfigurationError

DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
"""Below `DAGSTER_HOME`: runs, what they did to assets, and schedules."""

PATIENCE_SECONDS = 30.0
"""How long to wait for another program that writes to a database."""

ENGINES = 64
"""As many databases are used again without compiling every statement; each run has one of its own."""

_held: dict[str, sqlite3.Connection] = {}
"""Of each database that is held open, by its path, a connection that nobody uses."""
_holders = 0
"""How many blocks hold databases open."""

_STORAGES = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
_FOLDERS = ("history", "schedules")
_UNFINISHED = ".new-"
_MIGRATIONS = "dagster:_core/storage/alembic"


def reuse_engines() -> None:
    """Let Dagster's SQLite storages keep their engines, in this process.

    They make one for each statement, and SQLAlchemy compiles every statement once per engine: that
    was a seventh of the time of a publication. Their engines hold no connection (`NullPool`), so
    nothing else is kept.
    """
    for storage in _STORAGES:
        create = storage.create_engine
        if not hasattr(create, "cache_info"):
            storage.create_engine = _keeping(create)  # type: ignore[attr-defined]


def _keeping(create: Callable[..., Engine]) -> Callable[..., Engine]:
    @lru_cache(maxsize=ENGINES)
    def kept(url: str, connect_args: tuple[tuple[str, Any], ...], **options: Any) -> Engine:
        made = create(url, connect_args=dict(connect_args), **options)
        event.listen(made, "connect", partial(_connected, made.url.database))
        return made

    def engine(url: str, connect_args: Mapping[str, Any] | None = None, **options: Any) -> Engine:
        return kept(url, tuple((connect_args or {}).items()), **options)

    engine.cache_info = kept.cache_info  # type: ignore[attr-defined]
    return engine


def _connected(path: str | None, connection: sqlite3.Connection, record: object) -> None:
    """Let a statement of Dagster not wait for the disk, and its database be held open."""
    del record
    # Both only save time: what is wrong with a database, the statement itself will say.
    with suppress(sqlite3.Error):
        # A crash of the machine can then take the newest entries of the log with it, and nothing else.
        connection.execute("pragma synchronous = normal")
        if _holders and path and path not in _held:
            _hold(path, connection)


def _hold(path: str, connection: sqlite3.Connection) -> None:
    """Keep a connection of our own to the file of `connection`, once that has a write-ahead log."""
    if connection.execute("pragma journal_mode").fetchone() == ("wal",):
        # Nobody uses it, so any thread may be the one that closes it.
        _held[path] = sqlite3.connect(path, check_same_thread=False)
        # Opens the log.
        _held[path].execute("select count(*) from sqlite_master").fetchone()


@contextmanager
def databases_held_open() -> Iterator[None]:
    """For the block, keep open in this process whatever database of Dagster's it uses.

    Dagster opens a connection for each statement. Whenever the last one to a database is closed, SQLite
    writes its log back and waits for the disk: for some thousand statements, that took longer than
    all else that a quiet night does.
    """
    global _holders
    _holders += 1
    try:
        yield
    finally:
        _holders -= 1
        while _held and not _holders:
            _held.popitem()[1].close()


def make_storage(home: Path) -> None:
    """Make the databases below `home` (`DAGSTER_HOME`) that are not there, each whole or not at all.

    Dagster does not complete what a killed process has left of one, so they are made elsewhere and
    renamed. Nothing is made where `dagster.yaml` names another storage.
    """
    for unfinished in home.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(unfinished)
    missing = [folder for folder in _FOLDERS if not (home / folder).exists()]
    if not missing or _is_elsewhere(home / "dagster.yaml"):
        return
    with TemporaryDirectory(prefix=_UNFINISHED, dir=home) as made:
        # Dagster warns of a folder without it.
        Path(made, "dagster.yaml").touch()
        with DagsterInstance.local_temp(made):
            pass
        for folder in missing:
            Path(made, folder).rename(home / folder)


def _is_elsewhere(config: Path) -> bool:
    settings = yaml.safe_load(config.read_text("utf-8")) if config.exists() else None
    return bool({"storage", "run_storage"} & set(settings or ()))


def heal_storage(home: Path, tell: Callable[[str], None]) -> None:
    """Make every database below `home` (`DAGSTER_HOME`) one that Dagster can open.

    One with several revisions keeps the newest, and so all of its runs. One that is no database is
    set aside; `tell` receives one sentence for each of them. Raises `ConfigurationError` where the
    disk or another program refuses the file.
    """
    for name in DATABASES:
        path = home / name
        if path.exists():
            _heal(path, tell)


def _heal(path: Path, tell: Callable[[str], None]) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_SECONDS)) as connection:
            revisions = _revisions(connection)
            newest = _newest(revisions) if len(revisions) > 1 else None
            if newest is not None:
                connection.execute("delete from alembic_version where version_num <> ?", [newest])
                connection.commit()
                tell(
                    f"{path} had been made by two processes at once and could not be opened. It "
                    "is healed; nothing of it is lost."
                )
                return
    except sqlite3.OperationalError as error:
        raise ConfigurationError(
            f"Dagster's database {path} cannot be opened ({error}). Look whether the disk is full, "
            "the file may be written, and which other program has it open."
        ) from None
    except sqlite3.DatabaseError:
        _set_aside(path, tell)
    else:
        if len(revisions) > 1:
            _set_aside(path, tell)


def _revisions(connection: sqlite3.Connection) -> list[str]:
    tables = connection.execute(
        "select 1 from sqlite_master where name = 'alembic_version'"
    ).fetchall()
    # Without revisions Dagster itself completes the database.
    return [row[0] for row in connection.execute("select * from alembic_version")] if tables else []


def _newest(revisions: Sequence[str]) -> str | None:
    """The revision that follows all the others; None where one of them is unknown."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.script.revision import RevisionError

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    # A path with colons would otherwise be split where a legacy separator is guessed.
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    for revision in revisions:
        try:
            before = {script.revision for script in scripts.iterate_revisions(revision, "base")}
        except RevisionError:
            return None
        if before.issuperset(revisions):
            return revision
    return None


def _set_aside(path: Path, tell: Callable[[str], None]) -> None:
    aside = path.with_name(f"{path.name}.broken-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    for part in _parts(path):
        part.rename(aside.with_name(part.name.replace(path.name, aside.name)))
    tell(
        f"{path} cannot be read and is set aside as {aside.name}; Dagster begins a new one. What "
        "it listed (runs or schedules) is no longer shown; what has landed is not concerned."
    )


def _parts(path: Path) -> list[Path]:
    """The database and the logs that SQLite keeps beside it, those that are there."""
    beside = (path.with_name(path.name + ending) for ending in ("", "-wal", "-shm"))
    return [part for part in beside if part.exists()]
