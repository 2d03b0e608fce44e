"""Dagster's runs, events and schedules in the team's PostgreSQL, in a schema of their own.

    dagster.yaml: storage.custom ──▶ TeamStorage ──LEAD_PIPELINE_DATABASE──▶ schema lead_pipeline_dagster

The URL comes from the settings of each process that opens the instance. So it is in no file, and in no
reference to the instance, which Dagster gives its subprocesses on their command line.

Of several processes that open a fresh database at once, one makes the tables and the others wait. What
a killed process has left of them is completed by the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psycopg2
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy.engine import make_url

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import load_settings
from lead_pipeline.storage.team.postgres import VARIABLE, Database
from lead_pipeline.storage.team.turns import turn

SCHEMA = "lead_pipeline_dagster"
COMPLETE = "Dagster's runs, events and schedules of lead-pipeline: complete"
"""The comment of a schema in which every table has been made."""
MAKER_SECONDS = 120.0
"""How long another process may take that makes the tables, or has died while it did."""


class TeamStorage(DagsterPostgresStorage):
    """Dagster's storage in PostgreSQL, told where it is by `LEAD_PIPELINE_DATABASE`."""

    @classmethod
    def config_type(cls) -> Any:
        """Nothing is configured in `dagster.yaml`."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> TeamStorage:
        """The storage, its tables made where there are none.

        Raises `ConfigurationError` where the variable is missing or the server refuses,
        `StoreUnavailable` where it does not answer.
        """
        del config_value
        setting = load_settings().database
        if setting is None:
            raise ConfigurationError(
                f"dagster.yaml keeps Dagster's runs in the team's PostgreSQL, and {VARIABLE} is not "
                "set. Set it to postgresql://user:password@host:5432/name, in the environment or in "
                ".env, for every process of Dagster."
            )
        database = Database.of(setting.get_secret_value())
        _make_tables(database)
        return cls(url_of_storage(database), should_autocreate_tables=False, inst_data=inst_data)


def url_of_storage(database: Database) -> str:
    """What SQLAlchemy connects to: our driver, whatever its default is, and the schema of Dagster."""
    url = make_url(database.url)
    given = url.query.get("options", "")
    options = given if isinstance(given, str) else " ".join(given)
    url = url.set(drivername="postgresql+psycopg2").update_query_dict(
        {"options": f"{options} -c search_path={SCHEMA}".strip()}
    )
    return url.render_as_string(hide_password=False)


def _make_tables(database: Database) -> None:
    """Make the schema and its tables, or complete them, unless they are complete."""
    with closing(database.connect()) as connection:
        if _is_complete(connection):
            return
        try:
            with turn(database, SCHEMA, "making Dagster's tables", MAKER_SECONDS):
                if not _is_complete(connection):
                    _make_schema(connection, database)
                    _complete(DagsterPostgresStorage(url_of_storage(database)))
                    _execute(connection, f"comment on schema {SCHEMA} is %s", [COMPLETE])
        except TimeoutError as holder:
            raise ConfigurationError(
                f"Dagster's tables in PostgreSQL at {database.where} are being made by {holder} for "
                f"more than {MAKER_SECONDS:,.0f} s. End that process."
            ) from None


def _is_complete(connection: Any) -> bool:
    comment = "select obj_description(to_regnamespace(%s), 'pg_namespace') = %s"
    return bool(_execute(connection, comment, [SCHEMA, COMPLETE]))


def _make_schema(connection: Any, database: Database) -> None:
    if _execute(connection, "select to_regnamespace(%s) is not null", [SCHEMA]):
        return
    try:
        _execute(connection, f"create schema {SCHEMA}", [])
    except psycopg2.errors.InsufficientPrivilege:
        raise ConfigurationError(
            f"The user of {VARIABLE} may not make the schema {SCHEMA} in PostgreSQL at "
            f"{database.where}. Let an administrator of it run: grant create on database … to …, or "
            f"create schema {SCHEMA} authorization …"
        ) from None


def _complete(storage: DagsterPostgresStorage) -> None:
    """Mark what Dagster marks in a storage that it has just made, also if that was a killed process."""
    storage.run_storage.migrate()
    storage.run_storage.optimize()
    storage.event_log_storage.reindex_events()
    storage.event_log_storage.reindex_assets()
    storage.schedule_storage.migrate()
    storage.schedule_storage.optimize()


def _execute(connection: Any, statement: str, values: list[str]) -> Any:
    """Execute the statement; returns the first value of its first row, if it has rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0] if cursor.description else None
