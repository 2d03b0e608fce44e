"""Landed records into `lead_versions`, `lead_stage_events` and what else is told by records.

    landed files ──read──▶ landed ──<provider>/leads.sql──▶ observed ──merge──▶ lead_versions
                              │     …/stage_events.sql ──▶ mapped_events ────▶ lead_stage_events
                              └──▶ contract_drift, provider_stale_leads; touched, sighted

Files are taken in batches, so that memory does not grow with what is loaded. Belongs here: the
steps of one batch. Does not belong here: what follows from versions and events (`load.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lead_pipeline.errors import LoadError
from lead_pipeline.normalized.cleaning import repair_json, to_e164
from lead_pipeline.normalized.drift import count_drift
from lead_pipeline.normalized.ledger import NewFile
from lead_pipeline.normalized.mapped_stages import map_records
from lead_pipeline.normalized.session import Session
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Provider
from lead_pipeline.providers.contract import KnownField
from lead_pipeline.storage.sql import read_sql

BATCH_ROWS = 200_000
"""Rows mapped at a time: some 500 MB of DuckDB's memory."""

Batch = list[NewFile]


def load_records(
    session: Session,
    landing: Path,
    files: Sequence[NewFile],
    known_fields: Sequence[KnownField],
    phone_region: str,
    tell: Callable[[str], None],
) -> None:
    """Merge the records of `files` into the tables; note touched and sighted leads.

    Raises `LoadError` naming what cannot be read.
    """
    total = sum(file.rows for file in files)
    done = 0
    for mapping, batch in _batches(files):
        paths = [str(landing / file.path) for file in batch]
        if mapping is None:
            _read_files(session, read_sql("normalized", "seen_records"), paths)
        else:
            _read_landed(session, paths)
            _count_rows(session, landing, batch)
            count_drift(session, known_fields)
            provider = PROVIDERS[mapping.provider]
            if mapping.is_log:
                _load_events(session, provider)
            else:
                _load_versions(session, provider, phone_region)
        done += sum(file.rows for file in batch)
        if total > BATCH_ROWS:
            tell(f"Loaded {done:,} of {total:,} landed records.")
    session.run("merge_sightings")


class _Mapping(NamedTuple):
    """What files are read with: their provider's mapping of leads, or that of its audit log."""

    provider: str
    is_log: bool


def _batches(files: Sequence[NewFile]) -> Iterator[tuple[_Mapping | None, Batch]]:
    """Files of one mapping (None: of seen ids), up to `BATCH_ROWS` rows at a time."""
    by_mapping: dict[_Mapping | None, Batch] = {}
    for file in files:
        by_mapping.setdefault(_mapping(file), []).append(file)
    for mapping, of_mapping in sorted(by_mapping.items(), key=lambda item: item[0] or ("", False)):
        batch: Batch = []
        rows = 0
        for file in of_mapping:
            if batch and rows + file.rows > BATCH_ROWS:
                yield mapping, batch
                batch, rows = [], 0
            batch.append(file)
            rows += file.rows
        yield mapping, batch


def _mapping(file: NewFile) -> _Mapping | None:
    if file.is_seen:
        return None
    provider = PROVIDERS[file.crawl.provider]
    return _Mapping(provider.slug, file.crawl.stream in provider.streams_of("events"))


def _read_landed(session: Session, paths: list[str]) -> None:
    _read_files(session, read_sql("normalized", "landed_records"), paths)
    broken = session.fetch(
        "select rowid, raw_payload from landed_records where not json_valid(raw_payload)"
    )
    if broken:
        session.connection.executemany(
            "update landed_records set repaired_payload = ? where rowid = ?",
            [(repair_json(payload), rowid) for rowid, payload in broken],
        )


def _count_rows(session: Session, landing: Path, batch: Batch) -> None:
    """Raise `LoadError` when a file holds fewer rows, or more, than its crawl has written."""
    if session.count("landed_records") == sum(file.rows for file in batch):
        return
    for file in batch:
        found = pq.read_metadata(landing / file.path).num_rows
        if found != file.rows:
            raise LoadError(
                f"{landing / file.path} holds {found:,} rows, its crawl wrote {file.rows:,}. "
                "Restore the file from a backup."
            )


def _read_files(session: Session, sql: str, paths: list[str]) -> None:
    """Execute a statement that reads the landed files `$files`."""
    try:
        session.execute(sql, {"files": paths})
    except duckdb.Error as error:
        raise LoadError(
            f"Landed files cannot be read ({type(error).__name__}: "
            f"{str(error).splitlines()[0]}). Restore the file from a backup."
        ) from None


def _load_versions(session: Session, provider: Provider, phone_region: str) -> None:
    map_records(session, provider)
    _normalize_phones(session, phone_region)
    session.run("merge_versions")
    session.run("merge_stale_leads")


def _load_events(session: Session, provider: Provider) -> None:
    session.execute(
        "create or replace temp table mapped_events as " + provider.read_file("stage_events.sql")
    )
    session.run("merge_stage_events")


def _normalize_phones(session: Session, region: str) -> None:
    """Each distinct phone number once, to E.164 by the `phonenumbers` library."""
    phones = [
        phone
        for (phone,) in session.fetch("select distinct phone from observed where phone is not null")
    ]
    table = pa.table(
        {
            "phone": pa.array(phones, pa.string()),
            "phone_e164": pa.array([to_e164(phone, region) for phone in phones], pa.string()),
        }
    )
    session.connection.register("phone_arrow", table)
    session.execute("create or replace temp table phones as select * from phone_arrow")
    session.connection.unregister("phone_arrow")
