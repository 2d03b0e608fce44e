"""What each record changed of what was known of the lead before it.

    records, as they came ──▶ Compared each ──▶ since which record each value has been so

A record is compared with all that the records before it have told, not only with the last one:
single records have fields that lists lack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from lead_pipeline.explain.document import Change
from lead_pipeline.explain.mapped import JSON_COLUMNS, MappedRecord
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.contract import mapped_paths
from lead_pipeline.providers.payload import leaves

DETAILS = frozenset(
    {"timeline", "budget_range", "pain_points", "ai_reasoning", "qualification_completed_at"}
)
"""Columns that count only where a record has details; see normalized/sql/load/7_leads/leads.sql."""
_IDENTITY = frozenset({"lead_id", "updated_at"})
"""Columns that are shown of every record anyway."""


@dataclass(frozen=True)
class Compared:
    """One record against what was known before it."""

    changes: tuple[Change, ...]
    updated_before: int | None
    """The number of the record before it, where that has a later `updated_at`: it went backwards."""
    same_time_as: int | None
    """The number of the record before it that has other content at the same `updated_at`."""
    is_update_only: bool
    """Nothing but `updated_at` differs."""


@dataclass(frozen=True)
class Comparison:
    """All records of a lead compared, by number."""

    compared: Mapping[int, Compared]
    since: Mapping[str, int]
    """By column: the record since which its value has been what it is."""


@dataclass
class _Known:
    """What the records so far have told."""

    newest_at: datetime | None = None
    newest_number: int = 0
    newest_stream: str | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    leaves: dict[str, str] = field(default_factory=dict)
    paths_by_stream: dict[str, set[str]] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)


def compare(provider: str, records: Iterable[tuple[int, MappedRecord]]) -> Comparison:
    """Compare numbered records, given in the order in which they came.

    What was served last is what is known, also where its `updated_at` went backwards.
    """
    known = _Known()
    compared = {number: _compare(provider, known, number, record) for number, record in records}
    return Comparison(compared, known.since)


@cache
def _mapped_paths(provider: str) -> Mapping[str, str]:
    return mapped_paths(PROVIDERS[provider])


def field_of(provider: str, path: str) -> tuple[str, str] | None:
    """The column that takes the part of a payload at `path`, and the rest of the path in it."""
    mapped = _mapped_paths(provider)
    end = len(path)
    while end > 0:
        if path[:end] in mapped:
            return mapped[path[:end]], path[end:]
        end = max(path.rfind(".", 0, end), path.rfind("[", 0, end))
    return None


def _compare(provider: str, known: _Known, number: int, record: MappedRecord) -> Compared:
    served = leaves(record.payload)
    columns = [
        Change(name, None, known.columns.get(name), value)
        for name, value in _counting(record).items()
        if known.columns.get(name) != value
    ]
    hidden = _IDENTITY | {change.field for change in columns}
    changes = (*columns, *_changed_parts(provider, known, record.stream, served, hidden))
    newest_at, newest = known.newest_at, known.newest_number
    went_back = newest_at is not None and record.updated_at < newest_at
    updated_before = newest if went_back else None
    is_other = any(_is_conflict(change, record.stream == known.newest_stream) for change in changes)
    same_time_as = newest if is_other and record.updated_at == newest_at else None
    is_update_only = not changes and record.updated_at != newest_at
    _learn(known, number, record, served, changes)
    return Compared(changes, updated_before, same_time_as, is_update_only)


def _is_conflict(change: Change, is_same_stream: bool) -> bool:
    """Whether two records of one `updated_at` cannot both be right; others may just tell more."""
    tells_more = change.field in DETAILS or (change.path is not None and change.before is None)
    return is_same_stream or not tells_more


def _counting(record: MappedRecord) -> dict[str, Any]:
    """The record's columns that say something: those of JSON are told part by part."""
    return {
        name: value
        for name, value in record.columns.items()
        if name not in JSON_COLUMNS and (record.has_details or name not in DETAILS)
    }


def _changed_parts(
    provider: str, known: _Known, stream: str, served: Mapping[str, str], hidden: Iterable[str]
) -> list[Change]:
    """Changes of the payload that no changed column (of `hidden`) shows."""
    is_first = stream not in known.paths_by_stream
    gone = sorted(known.paths_by_stream.get(stream, set()) - set(served))
    changes = []
    for path in (*served, *gone):
        before, after = known.leaves.get(path), served.get(path)
        column, rest = field_of(provider, path) or (path, "")
        if before == after or column in hidden:
            continue
        if is_first and before is None and after == "null":
            continue
        label = column + rest if column in JSON_COLUMNS else f"payload.{path}"
        changes.append(Change(label, path, before, after))
    return changes


def _learn(
    known: _Known,
    number: int,
    record: MappedRecord,
    served: Mapping[str, str],
    changes: Iterable[Change],
) -> None:
    known.newest_at, known.newest_number = record.updated_at, number
    known.newest_stream = record.stream
    known.since.update({change.field: number for change in changes})
    known.columns.update(_counting(record))
    for path in known.paths_by_stream.get(record.stream, set()) - set(served):
        known.leaves.pop(path, None)
    known.leaves.update(served)
    known.paths_by_stream[record.stream] = set(served)
