"""Builds as dbt leaves them, without dbt: the marts are stand-ins, as small as they can be.

Belongs here: making candidates, publishing them, looking into files. Does not belong here:
fixtures and expectations.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from lead_pipeline.bi.calendar import UTC_DAYS, Calendar
from lead_pipeline.bi.candidate import mark_tested, prepare_candidate
from lead_pipeline.bi.gate import REQUIRED_TABLES, PublishRules
from lead_pipeline.bi.masking import Mask
from lead_pipeline.bi.publish import Publication, publish
from lead_pipeline.landing.coverage import AccountCoverage
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.sample_warehouse import SAMPLE, SampleLead, write_warehouse

MARTS = """
create schema staging; create schema marts;
create view staging.stg_leads as from leads.normalized.leads;
create view main.stray as select 1 as one;
create table main.stray_table as select 1 as one;
create table marts.lead_facts as from staging.stg_leads;
create view marts.leads as from marts.lead_facts;
create view marts.lead_stage_history as from normalized.lead_stage_history;
"""
LEADS = {"normalized.leads", "normalized.lead_stage_history", "marts.lead_facts"}
"""Tables that are made of the warehouse's leads."""
VIEW = "marts.lead_daily_history"
STAND_INS = [
    table for table in REQUIRED_TABLES if table not in {*LEADS, VIEW} and table.startswith("marts.")
]
MASK = Mask.of_key("a key that nobody can guess, really")


def make_stand_ins(connection: duckdb.DuckDBPyConnection) -> None:
    """What dbt would have made in the candidate of the connection, which is called `leads`."""
    connection.execute(MARTS)
    connection.execute("create schema if not exists meta")
    for table in STAND_INS:
        connection.execute(f"create table {table} as select 1 as one")
        connection.execute(f"comment on column {table}.one is 'A stand-in.'")
    connection.execute(f"create view {VIEW} as from marts.lead_day_segments")
    connection.execute(f"comment on view {VIEW} is 'A stand-in of a view.'")


@dataclass(frozen=True)
class Bi:
    """A home with a warehouse, a candidate and a published file."""

    home: Path

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def candidate(self) -> Path:
        return self.home / "bi" / ".candidate" / "leads.duckdb"

    @property
    def published(self) -> Path:
        return self.home / "bi" / "leads.duckdb"

    @property
    def kept(self) -> list[Path]:
        """The files that are kept for a rollback, oldest first."""
        return sorted((self.home / "bi" / ".builds").glob("*.duckdb"))

    def load(
        self, leads: Sequence[SampleLead] = SAMPLE, coverage: Sequence[AccountCoverage] = ()
    ) -> None:
        """Write the warehouse."""
        self.home.mkdir(parents=True, exist_ok=True)
        write_warehouse(self.warehouse, leads)
        with closing(connect_utc(self.warehouse)) as connection:
            for account in coverage:
                connection.execute(
                    "insert into normalized.coverage values (?, ?, ?, ?, ?)",
                    list(astuple(account)),
                )

    def build(
        self,
        leads: Sequence[SampleLead] = SAMPLE,
        *,
        run_id: str = "run",
        coverage: Sequence[AccountCoverage] = (),
        mask: Mask | None = None,
        calendar: Calendar = UTC_DAYS,
    ) -> None:
        """Load, and make a tested candidate."""
        self.load(leads, coverage)
        self.build_loaded(run_id=run_id, mask=mask, calendar=calendar)

    def build_loaded(
        self,
        *,
        run_id: str = "run",
        mask: Mask | None = None,
        stamp: str | None = None,
        calendar: Calendar = UTC_DAYS,
    ) -> None:
        """Make a tested candidate of the warehouse; `stamp` is written into the leads' names."""
        prepare_candidate(self.warehouse, self.candidate, mask, calendar)
        with closing(connect_utc(self.candidate)) as connection:
            if stamp is not None:
                connection.execute("update normalized.leads set full_name = ?", [stamp])
                connection.execute(
                    "update normalized.lead_stage_history set provider_stage_name = ?", [stamp]
                )
            make_stand_ins(connection)
        mark_tested(self.candidate, run_id=run_id, tests_passed=1)

    def publish(
        self,
        run_id: str = "run",
        rules: PublishRules | None = None,
        published_at: datetime | None = None,
    ) -> Publication:
        """Publish the candidate."""
        return publish(
            self.candidate,
            self.published,
            run_id=run_id,
            rules=rules,
            published_at=published_at,
        )

    def build_and_publish(
        self,
        leads: Sequence[SampleLead] = SAMPLE,
        *,
        run_id: str = "run",
        rules: PublishRules | None = None,
        mask: Mask | None = None,
        published_at: datetime | None = None,
    ) -> Publication:
        """All of it."""
        self.build(leads, run_id=run_id, mask=mask)
        return self.publish(run_id, rules, published_at)


def as_an_earlier_version_masked_it(path: Path) -> None:
    """Change a build as if made by a version that did not note the rules of its masking."""
    path.chmod(0o644)
    with closing(connect_utc(path)) as connection:
        connection.execute("alter table meta.build drop column masking_rules_id")


def read(path: Path, query: str) -> list[Any]:
    """The rows of a query on a file, opened read-only."""
    with closing(connect_utc(path, read_only=True)) as connection:
        return connection.execute(query).fetchall()


def run_of(path: Path) -> str:
    """The run that published the file."""
    [(run_id,)] = read(path, "select distinct run_id from meta.publish")
    return str(run_id)


def leads_of(account: str, count: int) -> tuple[SampleLead, ...]:
    """As many leads of one account."""
    return tuple(SampleLead(str(number), account=account) for number in range(count))
