"""The identities of all records of a page at once, where nothing in them is out of the ordinary.

    records ──one decode──▶ values ──written again, the same bytes?──▶ columns of ids and times
                                          └─ no ─▶ None: each record is read on its own (`fields.py`)

Most pages are like this, and the careful way takes longer for them than the network. What is read here
is what the careful way reads; what it would refuse, or might read otherwise, is left to it.

Belongs here: reading a page's records together. Does not belong here: what is wrong with a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, cast

import msgspec

from lead_pipeline.providers.base import Identity
from lead_pipeline.providers.fields import (
    MAX_ID_CHARACTERS,
    MAX_RECORD_BYTES,
    USABLE_YEARS,
    has_many_commas,
    read_identity,
)

_DEPTH = 8
"""How deep values may stand in each other here: far less than is refused elsewhere."""


def _nested(depth: int) -> object:
    """The type of any JSON value in which arrays and objects stand at most `depth` deep."""
    kind: object = str | int | float | bool | None
    for _ in range(depth):
        kind = str | int | float | bool | None | list[kind] | dict[str, kind]  # type: ignore[valid-type]
    return kind


# Decoding into this type is as fast as into any, and shows how deep a record is.
_decoder = msgspec.json.Decoder(list[dict[str, _nested(_DEPTH)]])  # type: ignore[misc]
_encoder = msgspec.json.Encoder()
_times = list[datetime]

_LONGEST_TIME = len("2026-01-01T00:00:00.000000Z")
_FIRST_TIME, _END_OF_TIME = f"{USABLE_YEARS.start}", f"{USABLE_YEARS.stop}"


class PageIdentities(NamedTuple):
    """What files the records of a page: one column for each part, in the order of the records.

    Times are texts `YYYY-MM-DDTHH:MM:SS[.ffffff]Z` of moments that exist, in usable years.
    """

    record_ids: Sequence[str]
    updated_at: Sequence[str]
    created_at: Sequence[str | None]
    tenant_ids: frozenset[str]
    """All tenants that the records name."""


@dataclass(frozen=True)
class IdentityFields:
    """The fields of a record that file it: its id as text, its times in ISO 8601, its tenant."""

    record_id: str = "id"
    updated_at: str = "updated_at"
    created_at: str = "created_at"
    tenant_id: str | None = None

    def read(self, record: msgspec.Raw) -> Identity:
        """The identity of one record. Raises `UnusableRecord`."""
        return read_identity(
            record,
            record_id=self.record_id,
            updated_at=self.updated_at,
            created_at=self.created_at,
            tenant_id=self.tenant_id,
        )

    def read_page(self, records: Sequence[bytes]) -> PageIdentities | None:
        """The identities of `records`, each of which `read` would take; None where that is not certain.

        None is no fault: `read` then says what each record is.
        """
        values = _plain_values(records)
        if not values:
            return None
        try:
            record_ids = [value[self.record_id] for value in values]
            updated_at = [value[self.updated_at] for value in values]
            tenants = {value.get(self.tenant_id) for value in values} if self.tenant_id else set()
        except (KeyError, TypeError):
            # No such field; or a tenant that is no text, nor anything else that a set can hold.
            return None
        created_at = [value.get(self.created_at) for value in values]
        stated = created_at
        if None in created_at:
            stated = [text for text in created_at if text is not None]
        if not (_are_ids(record_ids) and _are_plain_times(updated_at) and _are_plain_times(stated)):
            return None
        return PageIdentities(
            cast("list[str]", record_ids),
            cast("list[str]", updated_at),
            cast("list[str | None]", created_at),
            frozenset(tenant for tenant in tenants if isinstance(tenant, str)),
        )


def _plain_values(records: Sequence[bytes]) -> list[dict[str, object]] | None:
    """What the records say, if each is an object written as msgspec writes it, and not deep.

    Written again as it was, nothing in it was said twice, and nothing is broken: `plain_value` of
    `json_text.py` for many at once.
    """
    text = b"[%b]" % b",".join(records)
    if len(text) > MAX_RECORD_BYTES or has_many_commas(text):
        return None
    try:
        values: list[dict[str, object]] = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    # A line each, which holds no line break: as many values as records with the same lines are the
    # same, each.
    is_same = len(values) == len(records) and (
        _encoder.encode_lines(values) == b"%b\n" % b"\n".join(records)
    )
    return values if is_same else None


def _are_ids(values: Sequence[object]) -> bool:
    if set(map(type, values)) != {str}:
        return False
    texts = cast("Sequence[str]", values)
    return all(map(str.strip, texts)) and max(map(len, texts)) <= MAX_ID_CHARACTERS


def _are_plain_times(values: Sequence[object]) -> bool:
    """Whether all are texts of usable times in UTC, in the one form that Arrow reads as Python does."""
    if not values:
        return True
    if set(map(type, values)) != {str}:
        return False
    texts = cast("Sequence[str]", values)
    try:
        # Refuses days and hours that do not exist. A blank, or a small letter, may stand for T and Z.
        msgspec.convert(texts, _times)
    except msgspec.ValidationError:
        return False
    return (
        {text[10] + text[-1] for text in texts} == {"TZ"}
        and max(map(len, texts)) <= _LONGEST_TIME
        and min(texts) >= _FIRST_TIME
        and max(texts) < _END_OF_TIME
    )
