"""Homes with persons in every kind of landed file, and looking for persons in homes.

Belongs here: what tests of erasures share. Does not belong here: what they expect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from lead_pipeline.erasure.erase import (
    Order,
    begin,
    conclude,
    erase_elsewhere,
    erase_landing,
    prove,
)
from lead_pipeline.erasure.persons import Persons, find_persons
from lead_pipeline.erasure.receipt import Receipt
from lead_pipeline.landing.commits import CommitRecord, commit_records, save
from lead_pipeline.landing.compaction import compact_landing
from lead_pipeline.landing.journal import Journal, JournalPage
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline.storage.warehouse import warehouse_at
from lead_pipeline_tests.normalized.landings import CrawlPlan, Landing, Row, all_tables
from lead_pipeline_tests.normalized.test_stage_history import event
from lead_pipeline_tests.pulling import at, settings_in

PERSON = 1
"""The number of the lead that is forgotten, in each account."""
NIGHTS = 9
LATER = datetime(2026, 4, 1, tzinfo=UTC)
CONTACT = {"email": "jane.q.public@forgotten.example", "phone": "+1 415 555 0172"}
FORMER = "jane.maiden@former.example"
NAME = "Jane Quintessa Public"


@dataclass(frozen=True)
class ErasureHome:
    """A home, and what was known of it before."""

    settings: Settings

    @property
    def landing(self) -> Path:
        return self.settings.landing_path

    def forget(self, *who: str, **options: Any) -> Receipt:
        """Everything but the publication, as the command does it."""
        persons = self.persons(*who)
        pending = begin(self.settings, persons, Order(**options))
        return self.complete(pending, persons)

    def persons(self, *who: str) -> Persons:
        return find_persons(self.settings, who, account=None, with_linked=False)

    def complete(self, pending: Any, persons: Persons) -> Receipt:
        pending = erase_landing(self.settings, pending, lambda message: None)
        if warehouse_at(self.settings.warehouse_path).exists():
            load_landing(self.settings)
        elsewhere = erase_elsewhere(self.settings, pending, persons.texts, lambda message: None)
        proof = prove(self.settings, pending, persons.texts)
        receipt, _ = conclude(self.settings, pending, elsewhere, proof)
        return receipt


def of_person(provider: str, moment: datetime, **fields: Any) -> dict[str, Any]:
    """A state of the person's lead; the first one had another address."""
    contact = {"email": FORMER if moment <= at(5) else CONTACT["email"]}
    if provider == "mega":
        own = {"contact_name": NAME, "contact_email": contact["email"]}
        return dict(
            mega_lead(PERSON, at(1), moment, **own, contact_phone=CONTACT["phone"], **fields)
        )
    if provider == "vorel":
        own = {"name": NAME, "email": contact["email"], "phone": CONTACT["phone"]}
        return dict(vorel_lead(PERSON, at(1), moment, **own, **fields))
    return dict(expert_ai_labs_lead(PERSON, at(1), moment, name=NAME, **contact, **fields))


def night(landing: Landing, number: int) -> None:
    """What each account brought: the person's state, others', events, ids only seen, what is rejected."""
    moment = at(5) + timedelta(minutes=10 * number)
    began_at = at(6) + timedelta(minutes=number)
    broken = {**of_person("vorel", moment), "updated_at": f"soon {number}"}
    plans: list[tuple[str, str, list[Any]]] = [
        (
            "mega",
            "leads",
            [of_person("mega", moment, score=number), mega_lead(number + 2, at(1), moment)],
        ),
        (
            "expert_ai_labs",
            "lead_events",
            [event(number + 1, moment, "new", "contacted"), *_event_of_other(number, moment)],
        ),
        ("expert_ai_labs", "leads", [of_person("expert_ai_labs", moment)]),
        ("expert_ai_labs", "lead_details", [expert_ai_labs_lead(2, at(1), moment)]),
        (
            "vorel",
            "leads",
            # The first is met without being landed, the third has no usable time.
            [vorel_lead(4, at(1), at(4)), of_person("vorel", moment), broken]
            if number
            else [of_person("vorel", at(4)), vorel_lead(5, at(1), moment)],
        ),
        ("vorel", "stale_leads", [of_person("vorel", at(4)), vorel_lead(3, at(1), at(2))]),
    ]
    for provider, stream, records in plans:
        landing.land(
            CrawlPlan(
                f"20260106T{number:02}-{stream}",
                provider,
                [records],
                stream,
                at=began_at,
                is_full=provider == "vorel" and stream == "leads",
                keep_from=at(5) if stream == "leads" else None,
            )
        )


def _event_of_other(number: int, moment: datetime) -> list[Any]:
    """An event of another lead: the next one, if any."""
    record = dict(event(100 + number, moment, "new", "qualified"))
    record["payload"] = {**record["payload"], "lead_id": lead_id(2)}
    return [record]


def live(home: Path, *, compacted: bool = True) -> ErasureHome:
    """Some nights of three accounts, loaded."""
    settings = settings_in(home)
    landing = Landing(settings)
    for number in range(NIGHTS):
        night(landing, number)
    crawl = next(iter(commit_records(settings.landing_path, "mega")))
    landing.search(crawl, lead_id(PERSON), lead_id(7))
    if compacted:
        compact_landing(settings, LATER, lambda message: None)
    leave_unfinished(settings)
    load_landing(settings)
    return ErasureHome(settings)


def leave_unfinished(settings: Settings) -> None:
    """A crawl of MEGA that was killed with a page in its journal: the person's, and another's."""
    moment = at(5, 20)
    commit = CommitRecord(
        crawl_id="20260107T00-leads",
        account="mega",
        provider="mega",
        stream="leads",
        window=CrawlPlan("", "mega", []).window,
        started_at=at(7),
    )
    save(settings.landing_path, commit)
    records = [of_person("mega", moment, score=77), mega_lead(60, at(1), moment)]
    body = {"leads": records, "data": records, "next_cursor": "later", "total": 2}
    page = JournalPage(1, None, at(7, 1), json.dumps(body).encode(), at(7, 1))
    Journal(settings.landing_path, commit).append(page)


def rows_of(settings: Settings) -> list[dict[str, Any]]:
    """Every landed row, whatever file it lies in, in a fixed order."""
    rows = []
    for path in sorted(settings.landing_path.rglob("*.parquet")):
        with path.open("rb") as source:
            folder = path.relative_to(settings.landing_path).parts[1]
            rows += [{"folder": folder, **row} for row in pq.ParquetFile(source).read().to_pylist()]
    return sorted(rows, key=repr)


def tables_without(settings: Settings, *lead_keys: str) -> dict[str, list[Row]]:
    """All tables of the warehouse without the rows of these leads, and without the ledger."""
    tables = dict(all_tables(settings))
    for name in ("loaded_files", "crawls", "contract_drift", "fingerprint"):
        tables.pop(name, None)
    return {
        name: [row for row in rows if row.get("lead_key") not in lead_keys]
        for name, rows in tables.items()
    }


def bytes_of_home(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file of the home with its bytes, and those of Parquet and DuckDB files unpacked."""
    for path in sorted(home.rglob("*")):
        if not path.is_file():
            continue
        yield path, path.read_bytes()
        if path.suffix == ".parquet":
            with path.open("rb") as source:
                yield path, repr(pq.ParquetFile(source).read().to_pylist()).encode()
        elif path.suffix == ".duckdb":
            yield path, repr(_tables(path)).encode()


def _tables(path: Path) -> list[Any]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute(
            "select schema_name, table_name from duckdb_tables() where not internal"
        ).fetchall()
        return [
            connection.execute(f'select * from "{schema}"."{table}"').fetchall()  # noqa: S608
            for schema, table in names
        ]


def holding(home: Path, *texts: str) -> list[str]:
    """The files of the home that hold one of the texts."""
    wanted = [text.lower().encode() for text in texts]
    found = {
        path.relative_to(home).as_posix()
        for path, content in bytes_of_home(home)
        for text in wanted
        if text in content.lower()
    }
    return sorted(found)
