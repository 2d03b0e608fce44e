"""Landed records with the columns that loading makes of them, in a database of their own.

landed files ──select──▶ landed_records ──steps of the load──▶ observed ──▶ MappedRecord
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from lead_pipeline.contacts.emails import normalized_email
from lead_pipeline.landing.unreadable import READING_FAILED, unreadable
from lead_pipeline.normalized.declared_steps import COLLECTED, MAP_LEADS, REPAIR, STREAMS
from lead_pipeline.normalized.schema import fill_stages
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.stages import StageMapping
from lead_pipeline.normalized.step_runner import StepRunner
from lead_pipeline.normalized.steps import StepContext
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.storage.sql import read_sql

JSON_COLUMNS = frozenset({"custom_fields"})
"""Columns that hold a part of the payload as JSON."""
_BOOKKEEPING = frozenset(
    {
        "observation", "file", "version_id", "lead_key", "provider", "account", "lead_id", "stream",
        "fetched_at", "served_at", "crawl_id", "page", "record_row", "payload", "updated_at", "has_details",
        # These follow from `email` and `phone`, always.
        "email_normalized", "phone_e164", "phone_extension", "phone_type",
    }
)  # fmt: skip


@dataclass(frozen=True)
class MappedRecord:
    """One landed record, where it lies, and its lead columns; times are UTC."""

    account: str
    lead_id: str
    stream: str
    file: str
    crawl_id: str
    page: int
    fetched_at: datetime
    updated_at: datetime
    payload: str
    has_details: bool
    columns: Mapping[str, Any]
    """By name; none of the keys, of `updated_at`, or of what only loading adds."""


def mapped_records(
    provider: str, files: Sequence[str], lead_ids: Sequence[str], stages: Sequence[StageMapping]
) -> list[MappedRecord]:
    """The records of these leads of one provider, in the order in which they came."""
    if not files:
        return []
    with _observed(
        provider, stages, "records_of_leads", files=list(files), lead_ids=list(lead_ids)
    ) as connection:
        cursor = connection.execute(read_sql("explain", "observed_records"))
        names = [column[0] for column in cursor.description or []]
        rows = [
            {name: in_utc(value) for name, value in zip(names, row, strict=True)}
            for row in cursor.fetchall()
        ]
    return [_record(row) for row in rows]


def leads_with_email(provider: str, files: Sequence[str], email: str) -> list[tuple[str, str]]:
    """(account, lead id) of the provider's leads that have or had the email, however written."""
    mailbox = normalized_email(email)
    if not files or mailbox is None:
        return []
    pattern = f"%{re.sub('[^a-z0-9]+', '%', mailbox.partition('@')[0])}%"
    with _observed(
        provider, (), "records_naming_email", files=list(files), pattern=pattern
    ) as connection:
        return connection.execute(
            read_sql("explain", "leads_with_email"), {"email": mailbox}
        ).fetchall()


def read_landed(
    connection: duckdb.DuckDBPyConnection, name: str, **parameters: Any
) -> duckdb.DuckDBPyConnection:
    """Execute `explain/sql/<name>.sql`, which reads landed files.

    Raises `LoadError` naming the file that cannot be read.
    """
    try:
        return connection.execute(read_sql("explain", name), parameters)
    except READING_FAILED as error:
        raise unreadable(error, parameters.get("files", ())) from None


def in_utc(value: Any) -> Any:
    """A time in UTC; anything else as it is."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value


@contextmanager
def _observed(
    provider: str, stages: Sequence[StageMapping], selection: str, **parameters: Any
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with `observed`: what loading makes of the selected records."""
    with closing(duckdb.connect()) as connection:
        connection.execute("set TimeZone = 'UTC'")
        session = Session(connection)
        session.run("schema")
        session.run("load/session")
        fill_stages(session, stages)
        read_landed(connection, selection, **parameters)
        runner = StepRunner(session, given=["landed_records"])
        runner.run(
            (STREAMS, COLLECTED, *REPAIR, *MAP_LEADS), StepContext(provider=PROVIDERS[provider])
        )
        yield connection


def _record(row: Mapping[str, Any]) -> MappedRecord:
    return MappedRecord(
        account=row["account"],
        lead_id=row["lead_id"],
        stream=row["stream"],
        file=row["file"],
        crawl_id=row["crawl_id"],
        page=row["page"],
        fetched_at=row["fetched_at"],
        updated_at=row["updated_at"],
        payload=row["payload"],
        has_details=row["has_details"],
        columns={name: value for name, value in row.items() if name not in _BOOKKEEPING},
    )
