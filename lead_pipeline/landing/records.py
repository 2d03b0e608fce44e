"""From a page's raw records to rows of landing: filed, or rejected with a reason.

    page ──▶ identities of all its records at once ──▶ FiledColumns
         └─▶ or of each, where one is out of the ordinary ──▶ FiledRecord | RejectedRecord

One bad record never costs the page. Belongs here: the two kinds of rows and what decides
between them. Does not belong here: reading a provider's fields, writing files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import Literal, NamedTuple, Self, overload

import msgspec

from lead_pipeline.landing.tombstones import Erased
from lead_pipeline.providers.base import Identity, Provider, UnusableRecord, Walk
from lead_pipeline.providers.fields import parse_time
from lead_pipeline.providers.identities import Forms

RejectionKind = Literal["unusable", "foreign_tenant"]


class FiledRecord(NamedTuple):
    """A record that can be landed: its identity, and its bytes as they came."""

    identity: Identity
    payload: str


@dataclass(frozen=True)
class FiledColumns(Sequence[FiledRecord]):
    """Records that can be landed, as columns: a record is made an object only where it is looked at.

    Times are texts in ISO 8601, in UTC and usable years, that Arrow reads as Python does.
    """

    record_ids: Sequence[str]
    updated_at: Sequence[str]
    created_at: Sequence[str | None]
    payloads: Sequence[bytes]

    @classmethod
    def of(cls, records: Sequence[FiledRecord]) -> FiledColumns:
        """The columns of `records`."""
        if isinstance(records, FiledColumns):
            return records
        identities = [record.identity for record in records]
        return cls(
            [identity.record_id for identity in identities],
            [identity.updated_at.isoformat() for identity in identities],
            [None if (at := i.created_at) is None else at.isoformat() for i in identities],
            [record.payload.encode() for record in records],
        )

    def identity(self, position: int) -> Identity:
        """The identity of the record at `position`, without its tenant."""
        updated_at = parse_time(self.updated_at[position])
        assert updated_at is not None, "only usable times stand in columns"  # noqa: S101
        return Identity(
            self.record_ids[position], updated_at, parse_time(self.created_at[position])
        )

    def where(self, are_wanted: Iterable[bool]) -> Self:
        """The records of which `are_wanted` is true, in their order."""
        wanted = list(are_wanted)
        return type(self)(
            list(compress(self.record_ids, wanted)),
            list(compress(self.updated_at, wanted)),
            list(compress(self.created_at, wanted)),
            list(compress(self.payloads, wanted)),
        )

    def __len__(self) -> int:
        return len(self.record_ids)

    @overload
    def __getitem__(self, index: int) -> FiledRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[FiledRecord]: ...
    def __getitem__(self, index: int | slice) -> FiledRecord | Sequence[FiledRecord]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        return FiledRecord(self.identity(index), self.payloads[index].decode())


class RejectedRecord(NamedTuple):
    """A record that cannot be filed; kept with the reason, counted, replayable."""

    kind: RejectionKind
    reason: str
    payload: bytes
    position: int
    """Its place in the page, counted from 0."""


class FiledPage(NamedTuple):
    """One page's records, told apart: when it came by our clock, and by the server's."""

    number: int
    fetched_at: datetime
    served_at: datetime
    filed: Sequence[FiledRecord]
    """What is landed."""
    rejected: Sequence[RejectedRecord]
    seen_ids: Sequence[str]
    """Ids of records that exist but are not landed: older than asked for, or rejected."""
    unidentified: int
    """How many of the rejected do not even say their id."""
    last: Sequence[Identity]
    """The last two records that could be read, for telling whether the walk is done."""
    erased: int = 0
    """How many records of erased persons came: nothing of them is kept."""


def file_records(
    provider: Provider,
    stream: str,
    walk: Walk,
    records: Sequence[msgspec.Raw],
    tenant_id: str | None,
    *,
    number: int,
    fetched_at: datetime,
    served_at: datetime | None,
    erased: Erased | None = None,
    forms: Forms | None = None,
) -> FiledPage:
    """File the records of one page. `tenant_id` is the only tenant taken; None takes any.

    Of what belongs to the `erased` only the number is kept. `forms` are those of the list, from page to page.
    A page whose `served_at` is None was served, as far as is known, when it was fetched.
    """
    payloads = list(map(bytes, records))
    if not erased and (columns := _read_at_once(provider, stream, payloads, tenant_id, forms)):
        return _filed_at_once(columns, walk, number, fetched_at, served_at or fetched_at)
    filed: list[FiledRecord] = []
    rejected: list[RejectedRecord] = []
    seen_ids: list[str] = []
    unidentified = 0
    of_erased = 0
    read: list[Identity] = []
    for position, (record, payload) in enumerate(zip(records, payloads, strict=True)):
        is_of_erased = erased is not None and erased.is_of(provider, stream, payload)
        of_erased += is_of_erased
        try:
            identity = provider.identity(stream, record)
            text = _text(payload, identity)
        except UnusableRecord as error:
            if is_of_erased:
                # Whose it is says its contact at most: it may stand for any lead that is not met.
                unidentified += error.record_id is None
                continue
            rejected.append(RejectedRecord("unusable", str(error), payload, position))
            if error.record_id is None:
                unidentified += 1
            else:
                seen_ids.append(error.record_id)
            continue
        read.append(identity)
        if is_of_erased:
            continue
        if _is_of_wrong_tenant(identity.tenant_id, tenant_id):
            reason = "the record belongs to another tenant than the key"
            rejected.append(RejectedRecord("foreign_tenant", reason, payload, position))
            continue
        if walk.keeps(identity):
            filed.append(FiledRecord(identity, text))
        else:
            seen_ids.append(identity.record_id)
    return FiledPage(
        number,
        fetched_at,
        served_at or fetched_at,
        filed,
        rejected,
        seen_ids,
        unidentified,
        read[-2:],
        of_erased,
    )


def _text(payload: bytes, identity: Identity) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise UnusableRecord("the record is not UTF-8 text", identity.record_id) from None


def _is_of_wrong_tenant(stated: str | None, tenant_id: str | None) -> bool:
    if tenant_id is None or stated is None:
        return False
    return stated.casefold() != tenant_id.casefold()


def _read_at_once(
    provider: Provider,
    stream: str,
    payloads: Sequence[bytes],
    tenant_id: str | None,
    forms: Forms | None,
) -> FiledColumns | None:
    """All records of a page, where each can be filed; None where one has to be looked at."""
    fields = provider.identity_fields(stream)
    found = None if fields is None else fields.read_page(payloads, forms)
    if found is None or any(_is_of_wrong_tenant(t, tenant_id) for t in found.tenant_ids):
        return None
    return FiledColumns(found.record_ids, found.updated_at, found.created_at, payloads)


def _filed_at_once(
    read: FiledColumns, walk: Walk, number: int, fetched_at: datetime, served_at: datetime
) -> FiledPage:
    last = [read.identity(position) for position in range(max(0, len(read) - 2), len(read))]
    filed = read
    seen_ids: Sequence[str] = ()
    if not walk.keeps_everything:
        kept = [walk.keeps(read.identity(position)) for position in range(len(read))]
        filed = read.where(kept)
        seen_ids = read.where(not is_kept for is_kept in kept).record_ids
    return FiledPage(number, fetched_at, served_at, filed, [], seen_ids, 0, last)
