"""One look at the published file: a connection, the zone of its days, and how far it reaches.

Belongs here: what all parts of the pages ask of the file. Does not belong here: their figures
(`sections/`, `sql/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import duckdb

from lead_pipeline.addresses import LEAD_ID
from lead_pipeline.settings import ReportNames
from lead_pipeline.storage.sql import read_sql

Row = SimpleNamespace
"""A row of a result, by the names of its columns. Times are those of the file's zone, without one."""


@dataclass(frozen=True)
class AccountReach:
    """How far one account's data reaches."""

    account: str
    provider: str
    leads: int
    complete_from: datetime | None
    complete_through: datetime | None
    watched_from: datetime | None
    poll_seconds: int | None
    note: str | None
    last_day: date | None
    """The last day of which all is there; None: nothing is complete yet."""
    first_watched_day: date | None
    """The first day whose changes were all seen, to within a poll."""


@dataclass(frozen=True)
class PublishedFile:
    """The file, opened read-only, and what may be shown of it."""

    connection: duckdb.DuckDBPyConnection
    zone: str
    accounts: Sequence[AccountReach]
    published_at: datetime | None
    run_id: str
    tests_passed: int
    is_masked: bool
    names: ReportNames
    lead_urls: Mapping[str, str]

    @property
    def last_day(self) -> date | None:
        """ "Yesterday": the last day that any account's data reaches to its end."""
        return max((found.last_day for found in self.accounts if found.last_day), default=None)

    @property
    def behind(self) -> list[AccountReach]:
        """Accounts of which that day is not over yet: they are in no figure of it."""
        return [found for found in self.accounts if found.last_day != self.last_day]

    @property
    def current(self) -> list[str]:
        """The other accounts, by name."""
        return [found.account for found in self.accounts if found.last_day == self.last_day]

    def rows(self, name: str, **parameters: object) -> list[Row]:
        """What the query of that name answers."""
        result = self.connection.execute(read_sql("report", name), parameters or None)
        columns = [column[0] for column in result.description or []]
        return [Row(**dict(zip(columns, row, strict=True))) for row in result.fetchall()]

    def days_before(self, days: int) -> date | None:
        """So many days before the last whole one."""
        return None if self.last_day is None else self.last_day - timedelta(days=days)

    def owner(self, owner_id: str | None, name: str | None, role: str | None = None) -> str:
        """What an owner is called: by name only if the settings say so and the file has names."""
        if owner_id is None:
            return "unassigned"
        if self.names != "none" and name and not self.is_masked:
            return name
        # Long enough to tell owners apart, short enough for a phone.
        return f"{role or 'owner'} {owner_id[:8]}"

    def link(self, account: str, lead_id: str) -> str:
        """The page of a lead in the CRM; empty where nobody has said where that is."""
        return self.lead_urls.get(account, "").replace(LEAD_ID, quote(lead_id, safe=""))


@contextmanager
def opened(
    published: Path, names: ReportNames = "none", lead_urls: Mapping[str, str] | None = None
) -> Iterator[PublishedFile]:
    """The published file, from one connection, so of one build. Raises `duckdb.Error`."""
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        zone = _zone(connection)
        # Days are those of the zone in all that follows.
        connection.execute("set TimeZone = $zone", {"zone": zone})
        accounts = _records(connection, "accounts")
        build = _records(connection, "build")[0]
        reach = [AccountReach(**vars(row)) for row in accounts]
        yield PublishedFile(
            connection, zone, reach, **vars(build), names=names, lead_urls=lead_urls or {}
        )


def _zone(connection: duckdb.DuckDBPyConnection) -> str:
    """The zone of the file's days; of an earlier version of it, UTC."""
    columns = connection.execute(read_sql("report", "zone_column")).fetchall()
    if not columns:
        return "UTC"
    (found,) = connection.execute(read_sql("report", "zone")).fetchone() or (None,)
    return "UTC" if found is None else str(found)


def _records(connection: duckdb.DuckDBPyConnection, name: str) -> list[Any]:
    result = connection.execute(read_sql("report", name))
    columns = [column[0] for column in result.description or []]
    return [Row(**dict(zip(columns, row, strict=True))) for row in result.fetchall()]
