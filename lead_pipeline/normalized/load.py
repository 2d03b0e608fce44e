"""Loading landed files into `warehouse.duckdb`, in one transaction.

    landed files not loaded yet ──▶ map per provider ──▶ lead_versions ─┬─▶ leads
                 audit log events ──▶ lead_stage_events ────────────────┴─▶ lead_stage_history

The tables are a pure function of the set of landed files: any order of loads, and any
repetition, ends in the same rows. Belongs here: the order of the steps. Does not belong here:
what they compute (`sql/`), and how a provider's fields map to columns (`sql/map_*.sql`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import duckdb
import phonenumbers
import pyarrow as pa

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import CommitRecord, accounts_with_landing, commit_records
from lead_pipeline.landing.coverage import ProvenWindow, coverage_of, merged_windows
from lead_pipeline.partitions import UpdatedWindow
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.settings import Settings
from lead_pipeline.sql import read_sql
from lead_pipeline.warehouse import open_warehouse

SCHEMA_VERSION = "3"
"""Raise it when the tables or the mapping change: the next load builds them again."""
EVENT_STREAMS = {"lead_events"}
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
STAGES_PATH = files("lead_pipeline").joinpath("normalized", "stages.csv")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class UnmappedStage:
    """A provider's status and stage that `stages.csv` does not know."""

    provider: str
    provider_status: str | None
    provider_stage: str | None
    leads: int

    def __str__(self) -> str:
        value = " / ".join(v for v in (self.provider_status, self.provider_stage) if v)
        return f"{self.provider}: {value or '(no stage)'} ({self.leads:,} leads)"


@dataclass(frozen=True)
class LoadResult:
    """What a load did, and what the tables hold after it."""

    files: int
    rows: int
    leads_touched: int
    rebuilt: bool
    table_rows: dict[str, int]
    leads_by_stage: tuple[tuple[str, str, int], ...]
    """(provider, stage, leads), ordered."""
    unmapped: tuple[UnmappedStage, ...]
    disagreeing_newest: int
    """Leads whose newest interval shows another stage than the lead; a defect if not 0."""
    audit_disagreements: int
    """Intervals that were observed but are unknown to an audit log that covers their time."""


def load_landing(
    settings: Settings, *, rebuild: bool = False, tell: Callable[[str], None] = _logger.info
) -> LoadResult:
    """Bring the normalized tables up to date with landing; all of it or nothing.

    With `rebuild`, or when the schema, `stages.csv` or the phone region have changed, the
    tables are built again from all landed files. Raises `LoadError` naming what cannot be read.
    """
    with open_warehouse(settings, "loading landed files", tell) as connection:
        connection.execute("begin")
        try:
            result = _Load(settings, connection, tell).run(rebuild=rebuild)
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise
    return result


class _Load:
    """One load inside an open transaction."""

    def __init__(
        self,
        settings: Settings,
        connection: duckdb.DuckDBPyConnection,
        tell: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._landing = settings.landing_path
        self._connection = connection
        self._tell = tell

    def run(self, *, rebuild: bool) -> LoadResult:
        rebuilt = self._prepare(rebuild)
        records = self._new_records()
        loaded = self._loaded_paths(records)
        new_files = [
            (record, file.path, file.rows)
            for record in records
            for file in (*record.files, *record.seen_files)
            if file.path not in loaded
        ]
        self._execute("create or replace temp table touched (lead_key varchar)")
        self._execute(
            "create or replace temp table sighted (lead_key varchar, seen_at timestamptz)"
        )
        self._load_files(new_files)
        self._run("merge_sightings")
        self._record_crawls(records, new_files)
        self._update_coverage({record.account: record.provider for record in records})
        self._execute("create or replace temp table touched as select distinct * from touched")
        self._run("replace_leads")
        self._run("replace_stage_history")
        self._update_missing(records)
        return LoadResult(
            files=len(new_files),
            rows=sum(rows for _, _, rows in new_files),
            leads_touched=self._count("touched"),
            rebuilt=rebuilt,
            table_rows={
                name: self._count(f"normalized.{name}")
                for name in ("lead_versions", "leads", "lead_stage_history")
            },
            leads_by_stage=tuple(self._query("leads_by_stage")),
            unmapped=tuple(UnmappedStage(*row) for row in self._query("unmapped_stages")),
            disagreeing_newest=int(self._query("disagreeing_newest")[0][0]),
            audit_disagreements=int(self._query("audit_disagreements")[0][0]),
        )

    # Preparing -------------------------------------------------------------------------------

    def _prepare(self, rebuild: bool) -> bool:
        """Make the tables; empty and new when they were built with other settings."""
        wanted = {
            "schema_version": SCHEMA_VERSION,
            "stages_digest": hashlib.sha256(STAGES_PATH.read_bytes()).hexdigest(),
            "phone_region": self._settings.phone_region,
        }
        self._run("session")
        known = self._known_settings()
        rebuilt = rebuild or (known is not None and known != wanted)
        if rebuilt:
            self._tell("Building the normalized tables again from all landed files.")
            self._execute("drop schema if exists normalized cascade")
        if rebuilt or known is None:
            self._run("schema")
            self._run("comments")
            self._fill_stages()
            self._connection.executemany(
                "insert into normalized.settings values (?, ?)", list(wanted.items())
            )
        return rebuilt

    def _known_settings(self) -> dict[str, str] | None:
        tables = self._fetch(
            "select 1 from information_schema.tables "
            "where table_schema = 'normalized' and table_name = 'settings'"
        )
        if not tables:
            return None
        return dict(self._fetch("select name, value from normalized.settings"))

    def _fill_stages(self) -> None:
        rows = read_stages(STAGES_PATH.read_text("utf-8"))
        self._connection.executemany(
            "insert into normalized.stages values (?, ?, ?, ?, ?, ?)", rows
        )

    def _new_records(self) -> list[CommitRecord]:
        """Commit records that are new or have grown since they were last loaded."""
        finished = {
            row[0]
            for row in self._fetch(
                "select crawl_id from normalized.crawls where finished_at is not null"
            )
        }
        return [
            record
            for account in accounts_with_landing(self._landing)
            for record in commit_records(self._landing, account, leave_out=finished)
        ]

    def _loaded_paths(self, records: Sequence[CommitRecord]) -> set[str]:
        crawl_ids = [record.crawl_id for record in records]
        rows = self._fetch(
            "select path from normalized.loaded_files where crawl_id in (select unnest(?::varchar[]))",
            [crawl_ids],
        )
        return {row[0] for row in rows}

    # Loading ---------------------------------------------------------------------------------

    def _load_files(self, new_files: Sequence[tuple[CommitRecord, str, int]]) -> None:
        seen: list[str] = []
        by_mapping: dict[str, list[str]] = {}
        for record, path, _ in new_files:
            absolute = str(self._landing / path)
            if "/_seen/" in f"/{path}":
                seen.append(absolute)
            else:
                mapping = f"map_{PROVIDERS[record.provider].slug}"
                if record.stream in EVENT_STREAMS:
                    mapping += "_events"
                by_mapping.setdefault(mapping, []).append(absolute)
        for mapping, paths in sorted(by_mapping.items()):
            self._read_landed(paths)
            if mapping.endswith("_events"):
                self._load_events(mapping)
            else:
                self._load_versions(mapping)
        if seen:
            self._read_files(
                "insert into sighted select account || ':' || record_id, fetched_at "
                "from read_parquet($files, hive_partitioning = false)",
                seen,
            )

    def _read_landed(self, paths: list[str]) -> None:
        self._read_files(read_sql("normalized", "landed_records"), paths)
        broken = self._fetch("select rowid, payload from landed where not json_valid(payload)")
        if broken:
            self._connection.executemany(
                "update landed set payload = ? where rowid = ?",
                [(repair_json(payload), rowid) for rowid, payload in broken],
            )

    def _read_files(self, sql: str, paths: list[str]) -> None:
        """Execute a statement that reads the landed files `$files`."""
        try:
            self._execute(sql, {"files": paths})
        except duckdb.Error as error:
            raise LoadError(
                f"Landed files cannot be read ({type(error).__name__}: "
                f"{str(error).splitlines()[0]}). Restore the file from a backup."
            ) from None

    def _load_versions(self, mapping: str) -> None:
        self._create_as("mapped", read_sql("normalized", mapping))
        self._run("normalize")
        self._normalize_phones()
        self._run("merge_versions")
        self._run("replace_versions")
        self._execute("insert into touched select distinct lead_key from observed")
        self._execute("insert into sighted select lead_key, fetched_at from observed")

    def _load_events(self, mapping: str) -> None:
        self._create_as("mapped_events", read_sql("normalized", mapping))
        self._run("merge_stage_events")
        self._execute("insert into touched select distinct lead_key from mapped_events")

    def _normalize_phones(self) -> None:
        """Each distinct phone number once, to E.164 by the `phonenumbers` library."""
        phones = [
            row[0]
            for row in self._fetch("select distinct phone from observed where phone is not null")
        ]
        region = self._settings.phone_region
        table = pa.table(
            {
                "phone": pa.array(phones, pa.string()),
                "phone_e164": pa.array([to_e164(phone, region) for phone in phones], pa.string()),
            }
        )
        self._connection.register("phone_arrow", table)
        self._create_as("phones", "select * from phone_arrow")
        self._connection.unregister("phone_arrow")

    # Ledgers ---------------------------------------------------------------------------------

    def _record_crawls(
        self, records: Sequence[CommitRecord], new_files: Sequence[tuple[CommitRecord, str, int]]
    ) -> None:
        if not records:
            return
        self._execute(
            "delete from normalized.crawls where crawl_id in (select unnest(?::varchar[]))",
            [[record.crawl_id for record in records]],
        )
        self._connection.executemany(
            "insert into normalized.crawls values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    record.crawl_id,
                    record.account,
                    record.provider,
                    record.stream,
                    record.proven_from,
                    record.proven_until,
                    record.started_at,
                    record.finished_at,
                    record.complete,
                    record.is_full and record.stream == "leads",
                    record.note,
                )
                for record in records
            ],
        )
        if new_files:
            now = datetime.now(UTC)
            ledger = pa.table(
                {
                    "path": [path for _, path, _ in new_files],
                    "crawl_id": [record.crawl_id for record, _, _ in new_files],
                    "loaded_rows": [rows for _, _, rows in new_files],
                    "loaded_at": [now] * len(new_files),
                }
            )
            self._connection.register("ledger_arrow", ledger)
            self._execute("insert into normalized.loaded_files by name select * from ledger_arrow")
            self._connection.unregister("ledger_arrow")

    def _update_coverage(self, accounts: Mapping[str, str]) -> None:
        """What the loaded crawls prove, per account (its name and provider)."""
        for account, provider in sorted(accounts.items()):
            proven = [
                ProvenWindow(*row)
                for row in self._fetch(read_sql("normalized", "proven_windows"), [account])
            ]
            coverage = coverage_of(account, provider, proven)
            self._execute("delete from normalized.coverage where account = ?", [account])
            self._execute(
                "insert into normalized.coverage values (?, ?, ?, ?, ?)",
                [
                    account,
                    provider,
                    coverage.complete_from,
                    coverage.complete_through,
                    coverage.note,
                ],
            )
            self._update_audit_coverage(account, merged_windows(proven, "lead_events"))

    def _update_audit_coverage(self, account: str, windows: Sequence[UpdatedWindow]) -> None:
        new = {(window.start or BEGINNING, window.end) for window in windows}
        old = {
            (row[0], row[1])
            for row in self._fetch(
                "select covered_from, covered_until from normalized.audit_coverage "
                "where account = ?",
                [account],
            )
        }
        if new == old:
            return
        for changed_from, changed_until in _differences(old, new):
            self._execute(
                read_sql("normalized", "touch_audit_coverage"),
                {
                    "account": account,
                    "changed_from": changed_from,
                    "changed_until": changed_until,
                },
            )
        self._execute("delete from normalized.audit_coverage where account = ?", [account])
        if new:
            self._connection.executemany(
                "insert into normalized.audit_coverage values (?, ?, ?)",
                [(account, start, end) for start, end in sorted(new)],
            )

    def _update_missing(self, records: Sequence[CommitRecord]) -> None:
        self._execute(
            "create or replace temp table new_crawls as select unnest(?::varchar[]) as crawl_id",
            [[record.crawl_id for record in records]],
        )
        self._run("update_missing")

    # Small helpers ---------------------------------------------------------------------------

    def _run(self, name: str) -> None:
        self._connection.execute(read_sql("normalized", name))

    def _execute(self, sql: str, parameters: Any = None) -> None:
        self._connection.execute(sql, parameters)

    def _create_as(self, name: str, query: str) -> None:
        self._connection.execute(f"create or replace temp table {name} as {query}")

    def _fetch(self, sql: str, parameters: Any = None) -> list[Any]:
        return self._connection.execute(sql, parameters).fetchall()

    def _query(self, name: str) -> list[Any]:
        return self._fetch(read_sql("normalized", name))

    def _count(self, table: str) -> int:
        return int(self._fetch(f"select count(*) from {table}")[0][0])  # noqa: S608 - our own names


def _differences(
    old: set[tuple[datetime, datetime]], new: set[tuple[datetime, datetime]]
) -> list[tuple[datetime, datetime]]:
    """The stretches that are covered by one of the two sets of windows only."""
    bounds = sorted({bound for window in old | new for bound in window})
    pieces = itertools.pairwise(bounds)

    def covered(windows: set[tuple[datetime, datetime]], piece: tuple[datetime, datetime]) -> bool:
        return any(start <= piece[0] and piece[1] <= end for start, end in windows)

    return [piece for piece in pieces if covered(old, piece) != covered(new, piece)]


def read_stages(text: str) -> list[tuple[str, str, str, str, int, bool]]:
    """The rows of `stages.csv`. Raises `LoadError` naming the line that cannot be used."""
    canonical = {
        "new", "engaged", "qualified", "booked", "won", "lost", "nurture", "archived", "unmapped",
    }  # fmt: skip
    rows: list[tuple[str, str, str, str, int, bool]] = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        try:
            entry = (
                row["provider"].strip(),
                row["field"].strip(),
                row["value"].strip().lower(),
                row["stage"].strip(),
                int(row["stage_order"]),
                {"true": True, "false": False}[row["is_terminal"].strip().lower()],
            )
        except (KeyError, ValueError, AttributeError):
            raise LoadError(
                f"stages.csv, line {number}: write provider,field,value,stage,stage_order,"
                "is_terminal with a whole number and true or false."
            ) from None
        if entry[0] not in PROVIDERS or entry[1] not in ("status", "stage"):
            raise LoadError(
                f"stages.csv, line {number}: provider must be one of {', '.join(PROVIDERS)} and "
                "field status or stage."
            )
        if entry[3] not in canonical:
            raise LoadError(
                f"stages.csv, line {number}: {entry[3]!r} is no canonical stage; use one of "
                f"{', '.join(sorted(canonical))}."
            )
        if any(other[:3] == entry[:3] for other in rows):
            raise LoadError(f"stages.csv, line {number}: {entry[2]!r} is mapped twice.")
        rows.append(entry)
    return rows


def to_e164(phone: str, region: str) -> str | None:
    """The number in E.164 form, or None when it cannot be a phone number of any region."""
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def repair_json(payload: str) -> str:
    """JSON that DuckDB reads, from a payload that only lenient parsers take.

    Half of a cut-off emoji becomes the replacement character, a number beyond any range null.
    """

    def finite(text: str) -> float | None:
        number = float(text)
        return number if math.isfinite(number) else None

    value = json.loads(payload, parse_float=finite, parse_constant=lambda _: None)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
