"""Connections to the team's PostgreSQL that notice when the other end is gone.

    LEAD_PIPELINE_DATABASE ──▶ Database ──connect──▶ connection │ what is wrong, without the password

Belongs here: connecting, and the words for what goes wrong. Does not belong here: what a connection
is for (`advisory.py`).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2.extensions import parse_dsn

from lead_pipeline.errors import ConfigurationError, StoreUnavailable
from lead_pipeline.storage.sql import read_sql

VARIABLE = "LEAD_PIPELINE_DATABASE"

_SCHEMES = ("postgresql://", "postgres://")
_ATTEMPTS = 3
_PAUSE_SECONDS = 1.0
_NOTICE = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 45_000,
}
"""The client's half: within 45 seconds (milliseconds in the last) it knows of a server that is gone."""

_WRONG = re.compile(
    r"password authentication failed|no pg_hba\.conf entry|no password supplied"
    r"|database .* does not exist|role .* does not exist|permission denied"
    r"|root certificate file|server does not support SSL|certificate verify failed"
)
"""What no second attempt makes good. None of it quotes a password."""
_PASSING = re.compile(
    r"Connection refused|timeout expired|could not translate host name|No route to host"
    r"|Network is unreachable|too many clients|remaining connection slots are reserved"
    r"|the database system is \w+( \w+)?|server closed the connection|Connection reset"
)


@dataclass(frozen=True)
class Database:
    """Where the team's PostgreSQL is. Its representation shows no password."""

    url: str = field(repr=False)
    where: str
    """Host, port and name of the database, for messages."""
    variable: str = VARIABLE
    """The setting that names it."""

    @classmethod
    def of(cls, url: str, variable: str = VARIABLE) -> Database:
        """The database of a URL. Raises `ConfigurationError`, without the URL, where it is none."""
        try:
            parts = parse_dsn(url) if url.startswith(_SCHEMES) else {}
        except psycopg2.ProgrammingError:
            # libpq quotes what it could not read.
            parts = {}
        if not parts:
            raise ConfigurationError(
                f"{variable} is not a URL of PostgreSQL: postgresql://user:password@host:5432/name, "
                "with characters such as @, : or / in user and password written as %40, %3A or %2F."
            ) from None
        host, port = parts.get("host", "the local socket"), parts.get("port", "5432")
        return cls(url, f"{host}:{port}/{parts.get('dbname', parts.get('user', ''))}", variable)

    def connect(self) -> Any:
        """A connection of psycopg2 that commits each statement; the caller closes it.

        Raises `ConfigurationError` where the server refuses, `StoreUnavailable` where it does not
        answer within a few attempts.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._connect()
            except psycopg2.Error as error:
                if wrong := _WRONG.search(str(error)):
                    raise ConfigurationError(
                        f"PostgreSQL at {self.where} refuses the pipeline: {wrong.group()}. Correct "
                        f"{self.variable}, or the rights in the database."
                    ) from None
                if attempt == _ATTEMPTS:
                    raise self.unavailable(error) from None
                time.sleep(_PAUSE_SECONDS)
        raise AssertionError("an attempt ends the loop")

    def unavailable(self, error: psycopg2.Error) -> StoreUnavailable:
        """That the server does not answer, and why, as far as that can be told."""
        said = _PASSING.search(str(error))
        return StoreUnavailable(
            f"PostgreSQL at {self.where} ({self.variable}) does not answer: "
            f"{said.group() if said else type(error).__name__}. Nothing is lost; run the same again "
            "when it is back."
        )

    def _connect(self) -> Any:
        connection = psycopg2.connect(
            self.url, fallback_application_name="lead_pipeline", **_missing(self.url, _NOTICE)
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(read_sql("storage/team", "session"))
        except psycopg2.Error:
            connection.close()
            raise
        return connection


def _missing(url: str, wanted: dict[str, int]) -> dict[str, int]:
    """Those that the user's URL does not set itself."""
    given = parse_dsn(url)
    return {name: value for name, value in wanted.items() if name not in given}
