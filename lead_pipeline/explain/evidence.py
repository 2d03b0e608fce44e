"""What landing tells of a lead besides its records: events, sightings, rejections, absences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

import duckdb

from lead_pipeline.explain.catalog import AccountFiles, relative
from lead_pipeline.explain.document import Change, Entry, Kind
from lead_pipeline.explain.mapped import in_utc, read_landed
from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.landing.naming import named_leads
from lead_pipeline.landing.rejected import KeptRecord
from lead_pipeline.providers import PROVIDERS


def other_evidence(
    files: AccountFiles, lead_id: str, met: Sequence[tuple[datetime, str]]
) -> list[Entry]:
    """Everything but records. `met` is when crawls landed the lead, and the ids of these crawls."""
    with closing(duckdb.connect()) as connection:
        seen = list(_sightings(connection, files, lead_id))
        others = [
            *_events(connection, files, lead_id),
            *_rejected(connection, files, lead_id),
            *_not_found(files, lead_id),
            *_not_listed(files, lead_id),
        ]
    met = [*met, *((entry.observed_at, entry.crawl_id) for entry in seen)]
    return [*seen, *others, *_not_met(files, met)]


def _rows(
    connection: duckdb.DuckDBPyConnection, name: str, files: list[str], lead_id: str
) -> Iterator[dict[str, Any]]:
    if not files:
        return
    cursor = read_landed(connection, name, files=files, lead_id=lead_id)
    names = [column[0] for column in cursor.description or []]
    for row in cursor.fetchall():
        yield {name: in_utc(value) for name, value in zip(names, row, strict=True)}


def _sightings(
    connection: duckdb.DuckDBPyConnection, files: AccountFiles, lead_id: str
) -> Iterator[Entry]:
    streams = {crawl.crawl_id: crawl.stream for crawl in files.crawls}
    for row in _rows(connection, "sightings_of_lead", files.seen, lead_id):
        stream = streams[row["crawl_id"]]
        yield _entry(files, "seen", {**row, "stream": stream, "page": None})


def _events(
    connection: duckdb.DuckDBPyConnection, files: AccountFiles, lead_id: str
) -> Iterator[Entry]:
    provider = PROVIDERS[files.provider]
    for row in _rows(connection, "events_naming_lead", files.events, lead_id):
        event = provider.logged_event(row["payload"])
        if event is not None and event.lead_id == lead_id:
            changes = tuple(Change(c.field, c.path, c.before, c.after) for c in event.changes)
            yield _entry(files, "event", row, changes=changes)


def _rejected(
    connection: duckdb.DuckDBPyConnection, files: AccountFiles, lead_id: str
) -> Iterator[Entry]:
    provider = PROVIDERS[files.provider]
    replays = {digest: crawl.crawl_id for crawl in files.crawls for digest in crawl.replayed}
    for row in _rows(connection, "rejected_naming_lead", files.rejected, lead_id):
        named = named_leads(provider, row["stream"], row["payload"])
        if named and lead_id not in named:
            continue
        kept = KeptRecord(
            row["stream"], row["kind"], row["reason"], row["payload"], row["fetched_at"]
        )
        replay = replays.get(kept.digest)
        note = kept.reason + (f"; filed after all by {replay}" if replay else "")
        text = kept.payload.decode(errors="replace")
        yield _entry(files, "rejected", {**row, "payload": text}, note=note)


def _not_found(files: AccountFiles, lead_id: str) -> Iterator[Entry]:
    for crawl in files.crawls:
        if lead_id in crawl.missing_ids:
            yield _of_crawl("not_found", crawl, crawl.started_at)


def _not_listed(files: AccountFiles, lead_id: str) -> Iterator[Entry]:
    """Searches by counts of which a page did not show the lead that had to."""
    for crawl in files.crawls:
        for lead in crawl.absences.vanished if crawl.absences else []:
            if lead.lead_id == lead_id:
                yield _of_crawl("not_listed", crawl, lead.at)


def _not_met(files: AccountFiles, met: Sequence[tuple[datetime, str]]) -> Iterator[Entry]:
    """Complete walks over the whole list that began after the lead was known, without it."""
    if not met:
        return
    records = PROVIDERS[files.provider].records_stream.name
    first_met = min(moment for moment, _ in met)
    showing = {crawl_id for _, crawl_id in met}
    for crawl in files.crawls:
        is_walk = crawl.shows_absence and crawl.stream == records
        if is_walk and crawl.started_at > first_met and crawl.crawl_id not in showing:
            yield _of_crawl("not_met", crawl, crawl.finished_at or crawl.started_at)


def _of_crawl(kind: Kind, crawl: CommitRecord, moment: datetime) -> Entry:
    return Entry(
        number=0,
        kind=kind,
        observed_at=in_utc(moment),
        provider_at=None,
        stream=crawl.stream,
        crawl_id=crawl.crawl_id,
        page=None,
        file=f"{crawl.account}/_crawls/{crawl.crawl_id}.json",
        is_loaded=None,
        note=None,
        changes=(),
        payload=None,
    )


def _entry(
    files: AccountFiles,
    kind: Kind,
    row: Mapping[str, Any],
    *,
    note: str | None = None,
    changes: tuple[Change, ...] = (),
) -> Entry:
    return Entry(
        number=0,
        kind=kind,
        observed_at=row["fetched_at"],
        provider_at=row.get("updated_at"),
        stream=row["stream"],
        crawl_id=row["crawl_id"],
        page=row["page"],
        file=relative(files.landing, row["filename"]),
        is_loaded=None,
        note=note,
        changes=changes,
        payload=row.get("payload"),
    )
