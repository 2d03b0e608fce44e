"""From a page's raw records to rows of landing: filed, or rejected with a reason.

    page ──▶ identity of each record ──▶ FiledRecord | RejectedRecord

One bad record never costs the page. Belongs here: the two kinds of rows and what decides
between them. Does not belong here: reading a provider's fields, writing files.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from lead_pipeline.landing.tombstones import Erased
from lead_pipeline.providers.base import Identity, Provider, UnusableRecord, Walk

RejectionKind = Literal["unusable", "foreign_tenant"]


class FiledRecord(NamedTuple):
    """A record that can be landed: its identity, and its bytes as they came."""

    identity: Identity
    payload: str


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
) -> FiledPage:
    """File the records of one page. `tenant_id` is the only tenant taken; None takes any.

    Of what belongs to the `erased` only the number is kept.
    A page whose `served_at` is None was served, as far as is known, when it was fetched.
    """
    filed: list[FiledRecord] = []
    rejected: list[RejectedRecord] = []
    seen_ids: list[str] = []
    unidentified = 0
    of_erased = 0
    read: list[Identity] = []
    for position, record in enumerate(records):
        payload = bytes(record)
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
        if _is_of_wrong_tenant(identity, tenant_id):
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


def _is_of_wrong_tenant(identity: Identity, tenant_id: str | None) -> bool:
    if tenant_id is None or identity.tenant_id is None:
        return False
    return identity.tenant_id.casefold() != tenant_id.casefold()
