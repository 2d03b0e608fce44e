"""Putting together what is known of one lead.

    records + other evidence ──by our clock──▶ numbered timeline ──▶ changes, sources of values

Provider times are not compared with our clock, and sightings have no provider time: so the order
is that in which things came.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lead_pipeline.explain.catalog import AccountFiles, relative
from lead_pipeline.explain.changes import DETAILS, Compared, Comparison, compare, field_of
from lead_pipeline.explain.document import CurrentValue, Entry, Explanation, StageInterval
from lead_pipeline.explain.evidence import other_evidence
from lead_pipeline.explain.find import LeadRef
from lead_pipeline.explain.loaded import ChosenRecord, LoadedLead, read_loaded
from lead_pipeline.explain.mapped import JSON_COLUMNS, MappedRecord
from lead_pipeline.explain.person import Person, read_person
from lead_pipeline.providers.payload import leaf_text, leaves
from lead_pipeline.settings import Settings

_KEYS = frozenset({"lead_key", "provider", "account", "lead_id"})
_FOLLOWS_FROM = {
    "email_normalized": "email",
    "phone_e164": "phone",
    "phone_extension": "phone",
    "phone_type": "phone",
}
_LOADABLE = frozenset({"record", "event", "seen"})

Records = Mapping[int, MappedRecord]
"""The records of a lead by the number of their entry."""


def explain_lead(
    settings: Settings,
    files: AccountFiles,
    ref: LeadRef,
    records: Sequence[MappedRecord],
    tell: Callable[[str], None],
) -> Explanation:
    """Everything that was observed of the lead, of which these are the landed records.

    `tell` is told for whom the warehouse is waited for. Raises `LoadError` naming a landed file
    that cannot be read.
    """
    met = [(record.fetched_at, record.crawl_id) for record in records]
    others = other_evidence(files, ref.lead_id, met)
    loaded = read_loaded(settings, ref.account, ref.lead_key, tell)
    person = read_person(settings, ref.lead_key)
    return _explanation(files, ref, _numbered(files, records, others, loaded), loaded, person)


def _numbered(
    files: AccountFiles,
    records: Sequence[MappedRecord],
    others: Sequence[Entry],
    loaded: LoadedLead,
) -> list[tuple[Entry, MappedRecord | None]]:
    """All entries in the order in which they came, from 1."""
    found: list[tuple[Entry, MappedRecord | None]] = [(entry, None) for entry in others]
    found += [(_entry(files, record), record) for record in records]
    found.sort(key=lambda item: (item[0].observed_at, item[0].crawl_id, item[0].page or 0))
    return [
        (replace(entry, number=number, is_loaded=_is_loaded(files, entry, loaded)), record)
        for number, (entry, record) in enumerate(found, start=1)
    ]


def _entry(files: AccountFiles, record: MappedRecord) -> Entry:
    return Entry(
        number=0,
        kind="record",
        observed_at=record.fetched_at,
        provider_at=record.updated_at,
        stream=record.stream,
        crawl_id=record.crawl_id,
        page=record.page,
        file=relative(files.landing, record.file),
        is_loaded=None,
        note=None,
        changes=(),
        payload=record.payload,
    )


def _is_loaded(files: AccountFiles, entry: Entry, loaded: LoadedLead) -> bool | None:
    if loaded.unreadable or entry.kind not in _LOADABLE:
        return None
    return loaded.paths.issuperset(files.listed(entry.file, entry.crawl_id))


def _explanation(
    files: AccountFiles,
    ref: LeadRef,
    numbered: Sequence[tuple[Entry, MappedRecord | None]],
    loaded: LoadedLead,
    person: Person,
) -> Explanation:
    records = {entry.number: record for entry, record in numbered if record is not None}
    comparison = compare(files.provider, records.items())
    timeline = [
        _with_changes(entry, comparison.compared.get(entry.number)) for entry, _ in numbered
    ]
    waiting = [entry for entry in timeline if entry.is_loaded is False]
    if waiting:
        left_out = {entry.number for entry in waiting}
        in_tables = {n: record for n, record in records.items() if n not in left_out}
        comparison = compare(files.provider, in_tables.items())
    return Explanation(
        lead_key=ref.lead_key,
        provider=files.provider,
        account=ref.account,
        lead_id=ref.lead_id,
        current_values=tuple(
            _current_values(files.provider, loaded, timeline, records, comparison)
        ),
        stage_intervals=tuple(_intervals(loaded, timeline, records)),
        person_links=tuple(person.links),
        timeline=tuple(timeline),
        not_loaded=None if loaded.unreadable else len(waiting),
        notes=tuple(_notes(loaded, person, records, len(waiting))),
    )


def _with_changes(entry: Entry, compared: Compared | None) -> Entry:
    if compared is None:
        return entry
    note = None
    if compared.updated_before is not None:
        note = f"updated_at went back behind that of #{compared.updated_before}; served last, this counts"
    elif compared.same_time_as is not None:
        note = f"the same updated_at as #{compared.same_time_as}, other content"
    elif compared.is_update_only:
        note = "only updated_at has moved"
    return replace(entry, changes=compared.changes, note=note)


def _current_values(
    provider: str,
    loaded: LoadedLead,
    timeline: Sequence[Entry],
    records: Records,
    comparison: Comparison,
) -> Iterator[CurrentValue]:
    newest = _number_of(loaded.newest, records)
    details = _number_of(loaded.details, records)
    for column, value in (loaded.row or {}).items():
        if value is None or column in _KEYS:
            continue
        if column in JSON_COLUMNS:
            if newest is not None:
                yield from _parts(provider, column, newest, records[newest], comparison)
        elif column in ("first_seen_at", "last_seen_at", "missing_since"):
            yield CurrentValue(column, None, value, _met_at(column, value, timeline), None)
        else:
            entry = details if column in DETAILS else newest
            since = comparison.since.get(_FOLLOWS_FROM.get(column, column))
            if column == "updated_at":
                since = next((n for n, r in records.items() if r.updated_at == value), None)
            yield CurrentValue(column, None, value, entry, since)


def _parts(
    provider: str, column: str, number: int, record: MappedRecord, comparison: Comparison
) -> Iterator[CurrentValue]:
    """The parts of a JSON column, with their texts as they landed."""
    for path, text in leaves(record.payload).items():
        found = field_of(provider, path)
        if found is not None and found[0] == column:
            label = "".join(found)
            yield CurrentValue(label, path, text, number, comparison.since.get(label))


def _number_of(chosen: ChosenRecord | None, records: Records) -> int | None:
    for number, record in records.items():
        where = ChosenRecord(record.stream, record.crawl_id, record.page, record.payload)
        if where == chosen:
            return number
    return None


def _met_at(column: str, moment: Any, timeline: Sequence[Entry]) -> int | None:
    kinds = {"not_met", "not_listed"} if column == "missing_since" else {"record", "seen"}
    return next((e.number for e in timeline if e.kind in kinds and e.observed_at == moment), None)


def _intervals(
    loaded: LoadedLead, timeline: Sequence[Entry], records: Records
) -> Iterator[StageInterval]:
    for row in loaded.intervals:
        at_that_time = [entry for entry in timeline if entry.provider_at == row["entered_at"]]
        events = (e.number for e in at_that_time if _logs(e, row["provider_stage"]))
        showing = (e.number for e in at_that_time if _shows(records.get(e.number), row))
        either = itertools.chain(events, showing)
        yield StageInterval(**row, entry=next(either, None))


def _logs(entry: Entry, provider_stage: str | None) -> bool:
    """Whether it is an event that changed something to the stage."""
    after = [change.after for change in entry.changes]
    return entry.kind == "event" and leaf_text(provider_stage) in after


def _shows(record: MappedRecord | None, interval: Mapping[str, Any]) -> bool:
    """Whether it is a record with the stage and status of the interval."""
    words = ("provider_status", "provider_stage")
    return record is not None and all(record.columns[word] == interval[word] for word in words)


def _notes(loaded: LoadedLead, person: Person, records: Records, waiting: int) -> Iterator[str]:
    if loaded.unreadable:
        yield loaded.unreadable
    if not records:
        yield "No record of this lead has landed, so the tables do not have it."
    if waiting:
        yield (
            f"Not loaded yet: {waiting:,} of these observations, so the tables do not show them. The "
            "next run loads them; `lead-pipeline rebuild` does it without pulling."
        )
    if loaded.row and person.unreadable:
        yield person.unreadable
