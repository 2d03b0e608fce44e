"""Landing without a server: crawls of records that a test names, through the real writers.

Here: writing crawls, loading them, reading tables. Not here: what tests expect of the tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from lead_pipeline.landing.absences import record_of
from lead_pipeline.landing.commits import (
    AbsenceSearch,
    CommitRecord,
    Vanished,
    Window,
    load,
    save,
)
from lead_pipeline.landing.files import write_flush
from lead_pipeline.landing.records import file_records
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Page, Walk
from lead_pipeline.providers.fields import parse_epoch_milliseconds, parse_time
from lead_pipeline.providers.http import Counters
from lead_pipeline.sandbox.messages import Record
from lead_pipeline.settings import Settings

POLL = datetime(2026, 2, 1, tzinfo=UTC)
"""When the first crawl asks, unless a test says otherwise: after everything in January."""
EVERYTHING = Window(None, POLL)

Row = dict[str, Any]


@dataclass(frozen=True)
class CrawlPlan:
    """A crawl as it will land: `flushes` are the pages, each flushed on its own.

    `seen` are ids that the crawl met without landing them.
    """

    name: str
    provider: str
    flushes: Sequence[Sequence[Record | bytes]]
    stream: str = "leads"
    account: str | None = None
    at: datetime = POLL
    served_at: datetime | None = None
    """By the provider's clock; None: as it says nothing."""
    window: Window = EVERYTHING
    complete: bool = True
    is_full: bool = False
    full: bool = False
    reads_to_start: bool = False
    keep_from: datetime | None = None
    tenant_id: str | None = None

    @property
    def account_name(self) -> str:
        """The account, named after its provider where nothing else is said."""
        return self.account or self.provider

    def begin(self) -> CommitRecord:
        """The commit record before the first page."""
        return CommitRecord(
            crawl_id=self.name,
            account=self.account_name,
            provider=self.provider,
            stream=self.stream,
            window=self.window,
            started_at=self.at,
            served_from=self.served_at,
            is_full=self.is_full,
            full=self.full,
            reads_to_start=self.reads_to_start,
            tenant_id=self.tenant_id,
        )


def last_change(records: Sequence[Record | bytes]) -> datetime | None:
    """The newest usable `updated_at` (of events `created_at`); None where there is none."""
    moments = []
    for record in records:
        try:
            fields = json.loads(as_bytes(record))
        except ValueError:
            continue
        if isinstance(fields, dict):
            moments.append(
                parse_time(fields.get("updated_at") or fields.get("created_at"))
                or parse_epoch_milliseconds(fields.get("at"))
            )
    return max((moment for moment in moments if moment is not None), default=None)


@dataclass
class Landing:
    """The landing folder of `settings`, to which crawls are added flush by flush."""

    settings: Settings
    _crawls: int = field(default=0)

    def land(self, plan: CrawlPlan) -> CommitRecord:
        """The whole crawl at once."""
        commit = self.flush(plan, 0)
        for number in range(1, len(plan.flushes)):
            commit = self.flush(plan, number)
        return commit

    def leads(
        self,
        provider: str,
        *records: Record | bytes,
        at: datetime | None = None,
        **fields: Any,
    ) -> CommitRecord:
        """One more crawl with one page of these records, a minute after the last.

        Unless `at` says when, the provider has served them at the moment of their last change.
        """
        self._crawls += 1
        moment = at or POLL + timedelta(minutes=self._crawls)
        if at is None:
            fields.setdefault("served_at", last_change(records))
        name = f"crawl-{self._crawls:03d}"
        return self.land(CrawlPlan(name, provider, [records], at=moment, **fields))

    def search(self, crawl: CommitRecord, *vanished: str) -> CommitRecord:
        """A search by counts after `crawl`, a minute later, that found these leads to have gone."""
        at = crawl.started_at + timedelta(minutes=1)
        found = AbsenceSearch(
            outcome="found",
            reason=f"{len(vanished)} leads have vanished",
            crawl_id=crawl.crawl_id,
            held=len(vanished),
            created_until=crawl.started_at,
            vanished=[Vanished(lead, at) for lead in vanished],
        )
        record = record_of(found, crawl, Counters(), at)
        save(self.settings.landing_path, record)
        return record

    def flush(self, plan: CrawlPlan, number: int) -> CommitRecord:
        """Page `number` (from 0) of the crawl, durable and in its commit record."""
        landing = self.settings.landing_path
        path = landing / plan.account_name / "_crawls" / f"{plan.name}.json"
        commit = load(path) if path.exists() else plan.begin()
        walk = Walk("/leads", {}, lambda body: Page([], None), keep_from=plan.keep_from)
        page = file_records(
            PROVIDERS[plan.provider],
            plan.stream,
            walk,
            [msgspec.Raw(as_bytes(record)) for record in plan.flushes[number]],
            plan.tenant_id,
            number=number + 1,
            fetched_at=plan.at + timedelta(seconds=number + 1),
            served_at=plan.served_at,
        )
        files = write_flush(landing, commit, [page])
        commit.files += files.records
        commit.seen_files += files.seen
        commit.rejected_files += files.rejected
        commit.rejected += len(page.rejected)
        commit.pages = number + 1
        if number == len(plan.flushes) - 1 and plan.complete:
            commit.complete = True
            commit.state = "complete"
            commit.finished_at = plan.at + timedelta(seconds=number + 2)
        save(landing, commit)
        return commit


def as_bytes(record: Record | bytes) -> bytes:
    """The record as a server would send it, or just as the test wrote it."""
    return record if isinstance(record, bytes) else msgspec.json.encode(record)


def query(settings: Settings, sql: str, *parameters: Any) -> list[Row]:
    """Rows of the warehouse by column name; times in UTC."""
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        cursor = connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description or []]
        return [
            {name: _utc(value) for name, value in zip(names, row, strict=True)}
            for row in cursor.fetchall()
        ]


def table(settings: Settings, name: str) -> list[Row]:
    """All rows of `normalized.<name>`, in the order of their columns."""
    return query(settings, f"select * from normalized.{name} order by all")  # noqa: S608


def all_tables(settings: Settings) -> Mapping[str, list[Row]]:
    """Every table of the schema; of the ledger not when a file was loaded."""
    names = [
        row["table_name"]
        for row in query(
            settings,
            "select table_name from information_schema.tables where table_schema = 'normalized'",
        )
    ]
    tables = {name: table(settings, name) for name in sorted(names)}
    for row in tables["loaded_files"]:
        del row["loaded_at"]
    return tables


def without_digests(settings: Settings) -> None:
    """Let the commit records be those of an earlier release, which kept no digests."""
    for path in settings.landing_path.glob("*/_crawls/*.json"):
        document = json.loads(path.read_bytes())
        for name in ("record_sha256", "previous", "previous_sha256"):
            document.pop(name, None)
        for name in ("files", "seen_files", "rejected_files"):
            for file in document[name]:
                file.pop("sha256", None)
        path.write_text(json.dumps(document))


def files_below(folder: Path) -> Iterable[str]:
    """The paths of all files, relative and in order."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
