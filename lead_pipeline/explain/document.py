"""The form of what `explain` answers: these dataclasses are the document of `--json`.

Times are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Kind = Literal["record", "event", "seen", "rejected", "not_found", "not_met", "not_listed"]
"""`seen`: met, but not landed. `not_found`: its single record answered 404. `not_met`: a complete
walk over the whole list did not show it. `not_listed`: a search by counts did not find it."""


@dataclass(frozen=True)
class Change:
    """One value before and after; null before it was known and once it is gone."""

    field: str
    """The column, the path in a JSON column, or `payload.` and the path of what no column takes."""
    path: str | None
    """Null for a column. Else where it lies in the payload; the values are JSON texts as landed."""
    before: Any
    after: Any


@dataclass(frozen=True)
class Entry:
    """One thing that was observed of the lead."""

    number: int
    """From 1, in the order of `observed_at`; 0 until all are known."""
    kind: Kind
    observed_at: datetime
    """By our clock: when the page came, or when the walk that did not show the lead ended."""
    provider_at: datetime | None
    """By the provider's clock: `updated_at` of a record, `created_at` of an event."""
    stream: str
    crawl_id: str
    page: int | None
    file: str
    """Below the landing folder: Parquet, or the crawl's commit record."""
    is_loaded: bool | None
    """Whether the tables hold the file; null where the warehouse was not asked or never will be."""
    note: str | None
    changes: tuple[Change, ...]
    """Of a record, against all records before it; of an event, as it says itself."""
    payload: str | None
    """As landed; bytes of a rejected record that are no UTF-8 are replaced."""


@dataclass(frozen=True)
class CurrentValue:
    """A value of `normalized.leads` that is not null, and where it comes from."""

    column: str
    path: str | None
    """Null; else the part of the payload that a JSON column takes, with its JSON text as landed."""
    value: Any
    entry: int | None
    """The number of the timeline's entry that it was taken from."""
    since: int | None
    """The number of the entry since which it has been so."""


@dataclass(frozen=True)
class StageInterval:
    """A row of `normalized.lead_stage_history`, and what shows its beginning."""

    stage_number: int
    stage: str
    provider_status: str | None
    provider_stage: str | None
    provider_stage_name: str | None
    entered_after: datetime | None
    entered_at: datetime
    exited_at: datetime | None
    evidence: str
    entry: int | None
    """The number of the first event or record that shows the stage at `entered_at`."""


@dataclass(frozen=True)
class PersonLink:
    """What joined another lead of the same person: a row of `marts.person_links`."""

    lead_key: str
    """The other lead."""
    linked_to: str
    """The lead that it shares something with: the one explained, or one between the two."""
    identifier_kind: str
    """What the two share; never the address or number itself."""
    is_same_name: bool
    strength: int


@dataclass(frozen=True)
class Explanation:
    """Everything that was observed of one lead, and what the tables make of it."""

    lead_key: str
    provider: str
    account: str
    lead_id: str
    current_values: tuple[CurrentValue, ...]
    stage_intervals: tuple[StageInterval, ...]
    person_links: tuple[PersonLink, ...]
    """What joined each other lead of the person, nearest first, as last published."""
    timeline: tuple[Entry, ...]
    not_loaded: int | None
    """Entries whose files the tables do not hold yet; null where the warehouse was not asked."""
    notes: tuple[str, ...]
    """What could not be read, and what is not loaded."""


@dataclass(frozen=True)
class LeadMatch:
    """A lead that was found, as its newest record shows it; null where only ids are known."""

    lead_key: str
    provider: str
    full_name: str | None
    email: str | None
    updated_at: datetime | None
    records: int


@dataclass(frozen=True)
class ErasedLead:
    """A lead that was erased: what its tombstone says."""

    account: str
    erased_at: datetime
    reference: str | None


@dataclass(frozen=True)
class Answer:
    """What `explain` found: one lead explained, or several leads to choose from."""

    query: str
    matches: tuple[LeadMatch, ...]
    lead: Explanation | None
    """Null when there is more than one match."""
    erased: tuple[ErasedLead, ...] = ()
    """Where nothing was found: what was asked for has been erased, as far as keyed hashes tell."""
    linked: tuple[Explanation, ...] = ()
    """The other leads of the person, each explained in full, where that was asked for."""
    not_linked: str | None = None
    """Why linked leads could not be told, where they were asked for."""
