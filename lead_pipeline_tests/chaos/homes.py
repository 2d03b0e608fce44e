"""The home in which all stages can be done, and what is compared of it afterwards.

Belongs here: making it, digests, what readers have, what is left over. Does not belong here: kills.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from lead_pipeline.bi.gate import PublishRules
from lead_pipeline.landing.commits import accounts_with_landing, commit_records
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.normalized.landings import CrawlPlan, Landing, files_below
from lead_pipeline_tests.normalized.test_stage_history import event
from lead_pipeline_tests.pulling import at, settings_in
from lead_pipeline_tests.sample_builds import Bi

RULES = PublishRules(retained_builds=2)
POLLS = 9
"""Enough small files of one day to be put together."""
LATER = datetime(2026, 4, 1, tzinfo=UTC)
"""All days of the home are closed by then."""
OWN_COLUMNS = frozenset(
    {
        *("first_seen_at", "last_seen_at", "watched_from", "missing_since", "fetched_at"),
        *("entered_at", "entered_after", "exited_at", "crawl_id", "served_at", "page"),
    }
)
"""What the time of a pull decides, or which crawl it was: of these only whether they are there."""
MOMENTS = frozenset({"published_at", "tested_at", "row_count"})
"""The same of a build; how many rows there are is compared with the rows."""
COUNTED = "select schema_name || '.' || table_name, row_count from meta.tables"
COMPARED = ("leads", "lead_versions", "lead_stage_history")


@dataclass(frozen=True)
class Home:
    """A folder, and the account that can be pulled into it."""

    folder: Path
    account: Account

    @property
    def settings(self) -> Settings:
        """The settings of all stages."""
        return settings_in(self.folder)

    @property
    def bi(self) -> Bi:
        """The same folder as `sample_builds` sees it."""
        return Bi(self.folder)


def make_home(home: Home) -> None:
    """Two publications, a third one tested; polls of three accounts, the last of them not loaded."""
    landing = Landing(home.settings)
    for number in range(POLLS):
        _poll(landing, number)
        if number in (0, POLLS // 2, POLLS - 2):
            load_landing(home.settings)
        if number in (0, POLLS // 2):
            run_id = "older" if number == 0 else "old"
            home.bi.build_loaded(run_id=run_id)
            home.bi.publish(run_id, RULES, published_at=at(1 + number, 3))
    home.bi.build_loaded(run_id="new")


def _poll(landing: Landing, number: int) -> None:
    """What changed of three accounts, the log of it, ids that were only seen, a rejected record."""
    moment, began_at = at(5, number), at(6, number)
    plans: list[tuple[str, str, list[Any]]] = [
        ("mega", "leads", [mega_lead(n, at(1), moment, score=number) for n in (1, number + 1)]),
        ("expert_ai_labs", "lead_events", [event(number + 1, moment, "new", "contacted")]),
        ("expert_ai_labs", "lead_details", [expert_ai_labs_lead(1, at(1), moment)]),
        (
            "vorel",
            "leads",
            [vorel_lead(1, at(1), at(4)), vorel_lead(2, at(1), moment), b'{"id":1}'],
        ),
    ]
    for provider, stream, records in plans:
        plan = CrawlPlan(
            f"20260106T{number:02}0000000000Z-{stream}-0000000{number}",
            provider,
            [records],
            stream,
            at=began_at + timedelta(seconds=1),
            keep_from=at(5) if stream == "leads" else None,
        )
        landing.land(plan)


def digest_of(value: object) -> str:
    """A short digest; equal only for what is equal."""
    return sha256(repr(value).encode()).hexdigest()[:16]


def landing_digest(home: Home) -> str:
    """All that has landed, without when and by which crawl; with rows that one crawl has twice."""
    rows: set[Any] = set()
    twice = 0
    for account, path in _landed_files(home.settings):
        found = pq.ParquetFile(path).read().to_pylist()
        own = [(row["crawl_id"], row.get("record_id"), row.get("updated_at")) for row in found]
        named = [key for key in own if key[1] is not None and path.parent.name != "_seen"]
        twice += len(named) - len(set(named))
        for row in found:
            kept = {name: value for name, value in row.items() if name not in OWN_COLUMNS}
            rows.add((account, repr(sorted(kept.items()))))
    return digest_of((sorted(rows), twice))


def _landed_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    for path in sorted(settings.landing_path.glob("*/**/*.parquet")):
        if not path.name.startswith("."):
            yield path.relative_to(settings.landing_path).parts[0], path


def tables_digest(home: Home, own: frozenset[str] = frozenset()) -> str:
    """The normalized tables; of the columns `own` only whether they are there."""
    with closing(connect_utc(home.settings.warehouse_path, read_only=True)) as connection:
        return digest_of([rows_of(connection, f"normalized.{name}", own) for name in COMPARED])


def loaded_digest(home: Home) -> str:
    """The tables once all that has landed is loaded, without what the time of a pull decides."""
    load_landing(home.settings)
    return tables_digest(home, OWN_COLUMNS)


def published_digest(home: Home) -> str:
    """What readers have, without when it was published: whole, tested, and as it says itself.

    Raises what DuckDB raises, and `AssertionError` where the file is not what it says.
    """
    path = home.settings.published_path
    with closing(connect_utc(path, read_only=True)) as connection:
        counts = dict(connection.execute(COUNTED).fetchall())
        digest = digest_of([rows_of(connection, name, MOMENTS) for name in sorted(counts)])
        assert connection.execute("select tests_passed from meta.build").fetchall() == [(1,)]
        for name, rows in counts.items():
            found = connection.table(name).shape[0]
            assert name == "meta.tables" or found == rows, f"{name} has {found} rows, not {rows}"
    return digest


def rows_of(
    connection: duckdb.DuckDBPyConnection, table: str, own: frozenset[str] = frozenset()
) -> list[str]:
    """The rows of a table as texts, in order; of the columns `own` only whether they are there."""
    cursor = connection.execute(f"select * from {table}")  # noqa: S608
    names = [column[0] for column in cursor.description or []]
    return sorted(
        str(
            [
                value is None if name in own else value
                for name, value in zip(names, row, strict=True)
            ]
        )
        for row in cursor.fetchall()
    )


_KNOWN = re.compile(
    r"warehouse\.duckdb|\.locks/[\w-]+\.lock|bi/leads\.duckdb|bi/(report|explore/index)\.html"
    r"|bi/\.builds/[\w-]+\.(duckdb|held)|bi/\.sources/leads\.duckdb"
    r"|bi/\.candidate/(leads\.duckdb|\w+\.tested)"
    r"|landing/[\w-]+/(_quota\.json|_crawls\.summary|_crawls/[\w-]+\.json)"
)
"""Files that stay. All else must be listed by a commit record."""


def leftovers(home: Home) -> list[str]:
    """Files that nothing needs, in order."""
    landing = home.settings.landing_path
    listed = set()
    for account in accounts_with_landing(landing):
        for record in commit_records(landing, account):
            if record.state == "running":
                listed.add(f"unfinished: {record.crawl_id}")
            for file in (*record.files, *record.seen_files, *record.rejected_files):
                listed.add(f"landing/{file.path}")
    return [
        *(
            path
            for path in files_below(home.folder)
            if not _KNOWN.fullmatch(path) and path not in listed
        ),
        *sorted(line for line in listed if line.startswith("unfinished")),
    ]


LANDING, TABLES, CANDIDATE, PUBLISHED = PARTS = ("landing", "tables", "candidate", "published")
"""What is compared of a home."""


def files_of(home: Home, part: str) -> list[Path]:
    """The files of a part, in order."""
    settings = home.settings
    if part == LANDING:
        return [path for path in sorted(settings.landing_path.rglob("*")) if path.is_file()]
    path = {
        TABLES: settings.warehouse_path,
        CANDIDATE: settings.candidate_path,
        PUBLISHED: settings.published_path,
    }[part]
    return [path] if path.exists() else []


def bytes_digest(home: Home, part: str) -> str:
    """The names and bytes of the files of a part: equal where nobody has touched it."""
    found = [(path.name, sha256(path.read_bytes()).digest()) for path in files_of(home, part)]
    return digest_of(found)


def candidate_digest(home: Home) -> str:
    """The leads of the candidate, and whether it is tested; empty where there is none."""
    path = home.settings.candidate_path
    if not path.exists():
        return ""
    with closing(connect_utc(path, read_only=True)) as connection:
        tables = ("normalized.leads", "normalized.lead_stage_history", "marts.lead_facts")
        tested = connection.execute("select run_id, tests_passed from meta.build").fetchall()
        return digest_of([tested, *(rows_of(connection, name) for name in tables)])


DIGESTS: Mapping[str, Callable[[Home], str]] = {
    LANDING: landing_digest,
    TABLES: tables_digest,
    CANDIDATE: candidate_digest,
    PUBLISHED: published_digest,
}
"""By what the parts are the same, whoever made them, and when."""
