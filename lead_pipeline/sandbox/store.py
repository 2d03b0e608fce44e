"""The records behind each API, kept in the order in which pages are served.

A record is replaced, never changed in place, so what a page has taken stays as it
was. Do not change a dict after putting it.
"""

from __future__ import annotations

import threading
import uuid
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from lead_pipeline.sandbox.messages import Record, iso, read_time
from lead_pipeline.sandbox.tenants import EXPERT_AI_LABS_KEY_ID

Key = tuple[datetime, str]
Matches = Callable[[Record], bool]

# One more write than this between two reads, and sorting again is cheaper than inserting.
_WRITES_WORTH_INSERTING = 256
_AFTER_EVERY_ID = "\U0010ffff"


class RecordStore:
    """Records by `id`, each with sorted indexes on its time fields."""

    def __init__(self, *time_fields: str) -> None:
        self.lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._fields = time_fields
        self._indexes: dict[str, list[Key]] = {}
        self._writes = 0

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """Every record, in the order of first arrival."""
        with self.lock:
            return iter([dict(record) for record in self._records.values()])

    def get(self, record_id: str) -> Record | None:
        """A copy of the record, None when there is none."""
        with self.lock:
            record = self._records.get(record_id)
            return None if record is None else dict(record)

    def put(self, record: Mapping[str, Any]) -> None:
        """Add the record, or replace the one with its `id`.

        Raises KeyError without an `id` or a time field, ValueError for a time that
        cannot be read: pages with such records are made by `faults`.
        """
        copy = dict(record)
        keys = {field: _key(copy, field) for field in self._fields}
        with self.lock:
            self._unindex(copy["id"])
            self._records[copy["id"]] = copy
            for field, index in self._indexes.items():
                insort(index, keys[field])

    def put_all(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Put many records: the fast way for a hundred thousand."""
        with self.lock:
            self._indexes.clear()
            for record in records:
                self.put(record)

    def delete(self, record_id: str) -> None:
        """Let the record vanish. Raises KeyError when there is none."""
        with self.lock:
            if record_id not in self._records:
                raise KeyError(record_id)
            self._unindex(record_id)
            del self._records[record_id]

    def page(
        self,
        field: str,
        size: int,
        *,
        descending: bool = False,
        after: Key | None = None,
        low: datetime | None = None,
        high: datetime | None = None,
        matches: Matches | None = None,
        skip: int = 0,
    ) -> tuple[list[Record], bool]:
        """Up to `size` records in the order of (`field`, id), and whether more follow.

        `after` is the key of the last record already seen; `low` and `high` bound the
        field, both included; `skip` leaves out that many matching records.
        """
        with self.lock:
            keys = self._index(field)
            begin, end = _span(keys, low, high)
            if after is not None and descending:
                end = min(end, bisect_left(keys, after))
            elif after is not None:
                begin = max(begin, bisect_right(keys, after))
            positions = range(end - 1, begin - 1, -1) if descending else range(begin, end)
            found = self._collect(keys, positions, size + 1, matches, skip)
            return found[:size], len(found) > size

    def count(self, field: str, low: datetime | None, matches: Matches | None) -> int:
        """How many records match, with `field` at or after `low`."""
        with self.lock:
            keys = self._index(field)
            begin, end = _span(keys, low, None)
            if matches is None:
                return end - begin
            return sum(matches(self._records[keys[at][1]]) for at in range(begin, end))

    def _collect(
        self, keys: list[Key], positions: range, size: int, matches: Matches | None, skip: int
    ) -> list[Record]:
        if matches is None:
            return [self._records[keys[at][1]] for at in positions[skip : skip + size]]
        found: list[Record] = []
        for position in positions:
            record = self._records[keys[position][1]]
            if matches(record):
                found.append(record)
                if len(found) == skip + size:
                    break
        return found[skip:]

    def _index(self, field: str) -> list[Key]:
        self._writes = 0
        if field not in self._indexes:
            self._indexes[field] = sorted(_key(record, field) for record in self._records.values())
        return self._indexes[field]

    def _unindex(self, record_id: str) -> None:
        """Take the record out of the indexes, or drop them when much is being written."""
        self._writes += 1
        if self._writes > _WRITES_WORTH_INSERTING:
            self._indexes.clear()
        record = self._records.get(record_id)
        if record is not None:
            for field, index in self._indexes.items():
                del index[bisect_left(index, _key(record, field))]


class LeadStore(RecordStore):
    """Leads, in the order of their creation or of their latest change."""

    def __init__(self) -> None:
        super().__init__("created_at", "updated_at")


class VorelStore(LeadStore):
    """Leads, and beside them when their conversations last had a message."""

    def __init__(self) -> None:
        super().__init__()
        self._last_messages: dict[str, datetime] = {}

    def set_last_message(self, lead_id: str, at: datetime | None) -> None:
        """Remember when the lead's conversation was last heard of; None: never."""
        with self.lock:
            if at is None:
                self._last_messages.pop(lead_id, None)
            else:
                self._last_messages[lead_id] = at

    def last_message(self, lead_id: str) -> datetime | None:
        """When the lead's conversation last had a message; None: never."""
        return self._last_messages.get(lead_id)


class ExpertAiLabsStore(LeadStore):
    """Leads as full records, and the audit log of their changes (`events`)."""

    WRITABLE = frozenset(
        {
            "name",
            "company",
            "email",
            "source",
            "lead_score",
            "pipeline_stage",
            "industry",
            "company_size",
            "pain_points",
            "timeline",
            "budget_range",
            "ai_reasoning",
        }
    )

    def __init__(self) -> None:
        super().__init__()
        self.events = RecordStore("created_at")

    def update(
        self,
        lead_id: str,
        changes: Mapping[str, Any],
        at: datetime,
        *,
        source: str = "api",
    ) -> None:
        """Change some fields of a lead and write the `lead.updated` event with the diff.

        `updated_at` of the lead and `created_at` of the event are the same moment.
        `qualification_completed_at` is the system's own and is not part of the diff.
        Raises KeyError without such a lead, ValueError for a field that no one may write.
        """
        strangers = changes.keys() - self.WRITABLE - {"qualification_completed_at"}
        if strangers:
            raise ValueError(f"not a field that an update may write: {sorted(strangers)}")
        with self.lock:
            old = self._records[lead_id]
            diff = {
                field: {"from": old.get(field), "to": value}
                for field, value in changes.items()
                if field in self.WRITABLE and old.get(field) != value
            }
            self.put({**old, **changes, "updated_at": iso(at)})
            self.events.put(_update_event(old, diff, at, source))


def _update_event(lead: Record, diff: Record, at: datetime, source: str) -> Record:
    name = f"{lead['id']} {iso(at)} {sorted(diff)}"
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"event {name}")),
        "organization_id": lead["organization_id"],
        "action": "lead.updated",
        "source": source,
        "correlation_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"correlation {name}")),
        "payload": {"lead_id": lead["id"], "diff": diff, "key_id": EXPERT_AI_LABS_KEY_ID},
        "created_at": iso(at),
    }


def _key(record: Record, field: str) -> Key:
    return read_time(record[field]), record["id"]


def _span(keys: list[Key], low: datetime | None, high: datetime | None) -> tuple[int, int]:
    begin = 0 if low is None else bisect_left(keys, (low, ""))
    end = len(keys) if high is None else bisect_right(keys, (high, _AFTER_EVERY_ID))
    return begin, end
