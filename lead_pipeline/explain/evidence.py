"""What landing tells of a lead besides its records: events, sightings, rejections, absences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

import duckdb

from lead_pipeline.explain.catalog import AccountFiles, relative
from lead_pipeline.explain.document import Change, Entry, Kind
from lead_pipeline.explain.mapped import in_utc, read_landed
from lead_pipeline.explain.payload import leaves, read_json
from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.landing.rejected import KeptRecord

_DIFF = re.compile(r"payload\.diff\.?(?P<field>.+?)\.(?P<side>from|to)(?P<rest>(?:[.\[].*)?)")


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
    for row in _rows(connection, "events_naming_lead", files.events, lead_id):
        if _lead_of(_parsed(row["payload"])) == lead_id:
            yield _entry(files, "event", row, changes=_logged_changes(row["payload"]))


def _logged_changes(payload: str) -> tuple[Change, ...]:
    """The `diff` of an audit log event, in the provider's own words."""
    sides: dict[str, dict[str, str]] = {}
    for path, text in leaves(payload).items():
        if found := _DIFF.fullmatch(path):
            sides.setdefault(found["field"] + found["rest"], {})[found["side"]] = text
    return tuple(
        Change(name, f"payload.diff.{name}", side.get("from"), side.get("to"))
        for name, side in sides.items()
    )


def _rejected(
    connection: duckdb.DuckDBPyConnection, files: AccountFiles, lead_id: str
) -> Iterator[Entry]:
    replays = {digest: crawl.crawl_id for crawl in files.crawls for digest in crawl.replayed}
    for row in _rows(connection, "rejected_naming_lead", files.rejected, lead_id):
        record = _parsed(row["payload"])
        if isinstance(record, dict) and lead_id not in (record.get("id"), _lead_of(record)):
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


def _not_met(files: AccountFiles, met: Sequence[tuple[datetime, str]]) -> Iterator[Entry]:
    """Complete walks over the whole list that began after the lead was known, without it."""
    if not met:
        return
    first_met = min(moment for moment, _ in met)
    showing = {crawl_id for _, crawl_id in met}
    for crawl in files.crawls:
        is_walk = crawl.complete and crawl.is_full and crawl.stream == "leads"
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


def _parsed(payload: str | bytes) -> Any:
    """The JSON value, or None when it is none."""
    try:
        return read_json(payload)
    except (ValueError, RecursionError):
        return None


def _lead_of(event: Any) -> Any:
    """The lead that an audit log event names."""
    content = event.get("payload") if isinstance(event, dict) else None
    return content.get("lead_id") if isinstance(content, dict) else None
