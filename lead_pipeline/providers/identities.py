"""The identities of all records of a page at once, where nothing in them is out of the ordinary.

    records ──one decode──▶ values ──written again, as many names?──▶ columns of ids and times
                                          └─ no ─▶ None: each record is read on its own (`fields.py`)

Most pages are like this, and the careful way takes longer for them than the network. What is read here
is what the careful way reads; what it would refuse, or might read otherwise, is left to it. The records
of a list mostly have the same fields in the same order, too: by a type with these fields a page is read
in half the time, and one that has others is not written again with all of its names.

Belongs here: reading a page's records together. Does not belong here: what is wrong with a record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, cast

import msgspec
from msgspec.structs import fields as struct_fields

from lead_pipeline.providers.base import Identity
from lead_pipeline.providers.fields import (
    MAX_ID_CHARACTERS,
    MAX_RECORD_BYTES,
    USABLE_YEARS,
    has_many_commas,
    read_identity,
)
from lead_pipeline.providers.json_text import has_as_many_names, without_blanks

_DEPTH = 5
"""How deep values may stand in each other here: far less than is refused elsewhere. msgspec takes twice as
long for one more to make a decoder."""
_SCALAR = str | int | float | bool | None


def _nested(depth: int) -> object:
    """The type of any JSON value in which arrays and objects stand at most `depth` deep."""
    kind: object = _SCALAR
    for _ in range(depth):
        kind = str | int | float | bool | None | list[kind] | dict[str, kind]  # type: ignore[valid-type]
    return kind


# Decoding into these types is as fast as into any, and shows how deep a record is.
_ANY_VALUE, _ANY_INNER_VALUE = _nested(_DEPTH), _nested(_DEPTH - 1)
_any_decoder = msgspec.json.Decoder(list[dict[str, _ANY_VALUE]])  # type: ignore[valid-type]
_encoder = msgspec.json.Encoder()
_MOST_FORMS = 16
"""As often the form of a list's records is learned: where they differ more often, it does not pay."""
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

    def read_page(
        self, records: Sequence[bytes], forms: Forms | None = None
    ) -> PageIdentities | None:
        """The identities of `records`, each of which `read` would take; None where that is not certain.

        None is no fault: `read` then says what each record is. `forms` are those of the list.
        """
        text = b"[%b]" % b",".join(records)
        names = (self.record_id, self.updated_at, self.created_at, self.tenant_id or "")
        is_path = any("." in name for name in names)
        if is_path or len(text) > MAX_RECORD_BYTES or has_many_commas(text):
            return None
        values, column = (forms or Forms()).read(text, records)
        if not values:
            return None
        record_ids, updated_at = column(self.record_id), column(self.updated_at)
        created_at = column(self.created_at)
        try:
            tenants = set(column(self.tenant_id) if self.tenant_id else ())
        except TypeError:
            # A tenant that is an object or a list.
            return None
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


_Column = Callable[[str], Sequence[Any]]
"""What the records of a page have in a field, each; None where they have none."""


class _Form(NamedTuple):
    """Records with the same fields in the same order."""

    decoder: msgspec.json.Decoder[list[Any]]
    getters: Mapping[str, Callable[[Any], Any]]


class Forms:
    """Reads the pages of one list, and remembers the form of the records of the last one that had one."""

    def __init__(self) -> None:
        self._form: _Form | None = None
        self._may_learn = _MOST_FORMS
        self._is_first = True

    def read(self, text: bytes, records: Sequence[bytes]) -> tuple[Sequence[object], _Column]:
        """What the records, which together are `text`, say; nothing where one is not plain."""
        form = self._form
        if form is not None:
            values = _written_again(form.decoder, text, records)
            if values:
                return values, lambda name: _column(form, values, name)
        values = _written_again(_any_decoder, text, records)
        # Of a list of one page there is nothing to remember.
        if values and not self._is_first:
            self._learn(values)
        self._is_first = False
        return values, lambda name: [value.get(name) for value in values]

    def _learn(self, values: Sequence[Mapping[str, object]]) -> None:
        self._may_learn -= 1
        self._form = _form_of(values) if self._may_learn >= 0 else None


def _written_again(
    decoder: msgspec.json.Decoder[list[Any]], text: bytes, records: Sequence[bytes]
) -> list[Any]:
    """What the records say, if nothing in them is said twice or left out; else nothing.

    `plain_value` of `json_text.py` for many at once. As many values as records, each of which is JSON by
    itself, are those of the records.
    """
    try:
        values = decoder.decode(text)
        if len(values) != len(records):
            return []
        # A line each, which holds no line break: the same lines are the same records.
        written = _encoder.encode_lines(values)
        if written == b"%b\n" % b"\n".join(records):
            return values
        compact = b"\n".join(map(without_blanks, records))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return values if has_as_many_names(compact, written) else []


def _form_of(values: Sequence[Mapping[str, object]]) -> _Form | None:
    """The form of the records, if they have one."""
    kind = _struct_of(values, _kind_of_field)
    if kind is None:
        return None
    getters = {item.encode_name: attrgetter(item.name) for item in struct_fields(kind)}
    return _Form(msgspec.json.Decoder(list[kind]), getters)  # type: ignore[valid-type]


def _kind_of_field(values: Sequence[object]) -> object:
    if _are_scalars(values):
        return _SCALAR
    objects = [value for value in values if isinstance(value, dict)]
    if all(value is None or isinstance(value, dict) for value in values):
        kind = _struct_of(
            objects, lambda inner: _SCALAR if _are_scalars(inner) else _ANY_INNER_VALUE
        )
        if kind is not None:
            return kind | None
    return _ANY_VALUE


def _are_scalars(values: Sequence[object]) -> bool:
    return not any(isinstance(value, dict | list) for value in values)


def _struct_of(
    values: Sequence[Mapping[str, object]], kind_of: Callable[[Sequence[object]], object]
) -> type[msgspec.Struct] | None:
    """The type of objects with the very names of `values`, in their order; None where they differ."""
    names = list(values[0])
    if any(list(value) != names for value in values):
        return None
    try:
        return msgspec.defstruct(
            "Form",
            [
                (f"field_{number}", kind_of([v[name] for v in values]), msgspec.field(name=name))
                for number, name in enumerate(names)
            ],
            gc=False,
        )
    except ValueError:
        # A name that msgspec does not write, such as one with a quote.
        return None


def _column(form: _Form, values: Sequence[object], name: str) -> Sequence[Any]:
    getter = form.getters.get(name)
    return [None] * len(values) if getter is None else list(map(getter, values))


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
    together = "".join(texts)
    # None has more than one of each, and where it has it.
    return (
        together.count("T") == together.count("Z") == len(texts)
        and max(map(len, texts)) <= _LONGEST_TIME
        and min(texts) >= _FIRST_TIME
        and max(texts) < _END_OF_TIME
    )
