"""What readers have: the published file's own statements about itself, read-only.

Belongs here: reading them. Does not belong here: judging them (`findings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.publication import refreshed
from lead_pipeline.storage.sql import read_sql


@dataclass(frozen=True)
class Unmapped:
    """A status and stage of an account that has no canonical stage, as readers see it."""

    account: str
    value: str
    leads: int
    since: datetime | None


@dataclass(frozen=True)
class PublishedState:
    """The file at `bi/leads.duckdb`. Everything is empty where it `is_readable` not."""

    is_readable: bool
    run_id: str | None = None
    published_at: datetime | None = None
    version: str | None = None
    """Of lead-pipeline, which wrote it."""
    complete_through: Mapping[str, datetime | None] | None = None
    """By account; None where the file knows the account and nothing of it is complete."""
    leads: Mapping[str, int] | None = None
    unmapped: tuple[Unmapped, ...] = ()

    def through(self, account: str) -> datetime | None:
        """Until when readers have all of the account; None: nothing is complete."""
        return (self.complete_through or {}).get(account)


def published_state(path: Path) -> PublishedState | None:
    """What the published file at `path` says of itself; None when there is none."""
    if not refreshed(path).exists():
        return None
    try:
        with closing(connect_utc(path, read_only=True)) as connection:
            return _read(connection)
    except (duckdb.Error, KeyError):
        return PublishedState(is_readable=False)


def _read(connection: duckdb.DuckDBPyConnection) -> PublishedState:
    rows = _rows(connection, "from meta.publish")
    first = rows[0] if rows else {}
    unmapped = _rows(connection, read_sql("health", "unmapped"))
    return PublishedState(
        is_readable=True,
        run_id=first.get("run_id"),
        published_at=first.get("published_at"),
        version=first.get("lead_pipeline_version"),
        complete_through={row["account"]: row["complete_through"] for row in rows},
        leads={row["account"]: row["leads"] for row in rows},
        unmapped=tuple(
            Unmapped(row["account"], _value(row), row["leads"], row["since"]) for row in unmapped
        ),
    )


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found = connection.execute(query)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


LONGEST_VALUE = 60
"""Characters of a status and stage that are worth showing; they are whatever a provider serves."""


def _value(row: Mapping[str, Any]) -> str:
    status, stage = row["provider_status"], row["provider_stage"]
    text = f"{f'{status} / ' if status else ''}{stage or '(no stage)'}"
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
