"""Reading the few fields of a record or a page that the pipeline itself needs.

Everything else in a record stays bytes. Belongs here: strict reading with reasons that hold
none of the record's values. Does not belong here: any provider's field names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from itertools import islice
from typing import Any, TypeVar, cast

import msgspec
from msgspec.structs import FieldInfo
from msgspec.structs import fields as struct_fields

from lead_pipeline.causes import cause_of
from lead_pipeline.errors import MalformedPage
from lead_pipeline.providers.base import Identity, UnusableRecord
from lead_pipeline.providers.json_text import (
    Untold,
    elements,
    fault_of,
    members,
    plain_value,
    whole,
)

MAX_ID_CHARACTERS = 512
MAX_RECORD_BYTES = 8 * 1024 * 1024
MAX_COMMAS = 500_000
"""Of a record, and of a page that is read at once: each value costs memory when it is read."""
MAX_RECORDS = 10_000
"""Of a page; providers document a few hundred."""
_TOO_MANY = f"a page of more than {MAX_RECORDS:,} records"
MAX_ENVELOPE_BYTES = 1024 * 1024
"""Of a page without its records."""
USABLE_YEARS = range(1970, 2100)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FIRST_TAGS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<?xml")

_Envelope = TypeVar("_Envelope")
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ESCAPE = re.compile(
    # A whole surrogate pair, half of one (the group), or any other escape.
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2})|.)",
    re.DOTALL,
)


def decode_envelope(body: bytes, decoder: msgspec.json.Decoder[_Envelope]) -> _Envelope:
    """The page's envelope, its records left as the bytes that came, broken ones too.

    The records are the one `list[msgspec.Raw]`: a field of the envelope, or of an object in it, or
    the envelope itself. Raises `MalformedPage` with what was expected, also for a name that the envelope says
    twice: which of two cursors is meant, nobody knows. The message shows nothing of the body but
    whether it is markup, since bodies hold personal data.
    """
    path = _path_to_records(cast("type", decoder.type))
    rest: bytes | None = None
    try:
        # Each of them costs memory before they can be counted.
        if not has_many_commas(body):
            envelope = decoder.decode(body)
            rest = _without_records(body, _records(envelope, path))
        if rest is None:
            envelope, rest = _decode_around_records(body, decoder, path)
    except Untold as error:
        raise MalformedPage(f"{describe_body(body)}: {error}") from None
    except _UNREADABLE as error:
        try:
            envelope, rest = _decode_around_records(body, decoder, path)
        except (Untold, *_UNREADABLE):
            raise MalformedPage(f"{describe_body(body)}: {_reason(error)}") from None
    if len(_records(envelope, path)) > MAX_RECORDS:
        raise MalformedPage(_TOO_MANY)
    if len(rest) > MAX_ENVELOPE_BYTES:
        raise MalformedPage(f"more than {MAX_ENVELOPE_BYTES:,} bytes beside the records of a page")
    if fault := fault_of(rest):
        raise MalformedPage(f"{describe_body(body)}: {fault}")
    return envelope


def decode_record(body: bytes) -> msgspec.Raw:
    """The one record that the whole body is, perhaps a broken one.

    Raises `MalformedPage` where it is no object, or does not end with the body.
    """
    try:
        _fields_decoder.decode(body)
    except _UNREADABLE as error:
        try:
            members(body, whole(body))
        except Untold:
            raise MalformedPage(f"{describe_body(body)}: {_reason(error)}") from None
    return msgspec.Raw(body)


def has_many_commas(text: bytes) -> bool:
    """Whether a text holds more than `MAX_COMMAS`; most are too short for that."""
    return len(text) > MAX_COMMAS and text.count(b",") > MAX_COMMAS


@cache
def _path_to_records(kind: type) -> tuple[FieldInfo, ...] | None:
    """The fields that lead from an envelope to its records; None where it has none."""
    if kind == list[msgspec.Raw]:
        return ()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for item in struct_fields(kind):
            deeper = _path_to_records(item.type)
            if deeper is not None:
                return (item, *deeper)
    return None


def _records(envelope: object, path: Sequence[FieldInfo] | None) -> list[msgspec.Raw]:
    value: Any = [] if path is None else envelope
    for item in path or ():
        value = getattr(value, item.name)
    records: list[msgspec.Raw] = value
    return records


def _without_records(body: bytes, records: Sequence[msgspec.Raw]) -> bytes | None:
    """The body without its records; None where they cannot be found by looking for them."""
    if not records:
        return body
    compact = b",".join(records)
    start = body.find(bytes(records[0]))
    if body.startswith(compact, start):
        return b"%bnull%b" % (body[:start], body[start + len(compact) :])
    first = end = -1
    for record in records:
        content = bytes(record)
        start = body.find(content, max(end, 0))
        if end >= 0 and body[end:start].strip() != b",":
            # The first was found elsewhere in the envelope.
            return None
        first, end = (start if first < 0 else first), start + len(content)
    return b"%bnull%b" % (body[:first], body[end:])


def _decode_around_records(
    body: bytes, decoder: msgspec.json.Decoder[_Envelope], path: Sequence[FieldInfo] | None
) -> tuple[_Envelope, bytes]:
    """The envelope, and the body without records; the records told apart by brackets alone.

    Raises `Untold` where that cannot be, and `MalformedPage` where they are too many.
    """
    if path is None:
        raise Untold("it holds no records")
    place = whole(body)
    for item in path:
        named = [member.value for member in members(body, place) if member.name == item.encode_name]
        if len(named) != 1:
            raise Untold(f"not one `{item.encode_name}`")
        place = named[0]
    places = list(islice(elements(body, place), MAX_RECORDS + 1))
    if len(places) > MAX_RECORDS:
        raise MalformedPage(_TOO_MANY)
    rest = b"%b[]%b" % (body[: place.start], body[place.end :])
    envelope = decoder.decode(rest)
    _records(envelope, path)[:] = [msgspec.Raw(body[start:end]) for start, end in places]
    return envelope, rest


def with_whole_characters(text: bytes) -> bytes:
    """JSON of the same length in which no escape is half of a surrogate pair.

    JavaScript servers write such halves where they cut a text in the middle of an emoji; msgspec
    takes none. The replacement character stands for them.
    """
    return _ESCAPE.sub(lambda match: b"\\ufffd" if match[1] else match[0], text)


def describe_body(body: bytes) -> str:
    """What a body looks like, in words that are safe to show: its size and its kind."""
    start = body[:256].lstrip()
    if start.startswith(b"<"):
        # Only the name of a tag that pages start with: anything else may be somebody's.
        known = next((tag for tag in _FIRST_TAGS if start.lower().startswith(tag)), b"<")
        kind = f"markup starting with {known.decode()!r}"
    elif start[:1] in (b"{", b"["):
        kind = f"JSON starting with {chr(start[0])!r}"
    elif not start:
        kind = "empty"
    else:
        kind = "neither JSON nor markup"
    return f"a body of {len(body):,} bytes, {kind}"


def _reason(error: Exception) -> str:
    if isinstance(error, msgspec.DecodeError):
        return cause_of(error).partition(": ")[2]
    return "nested too deep" if isinstance(error, RecursionError) else "not UTF-8 text"


def read_identity(
    record: msgspec.Raw,
    *,
    record_id: str = "id",
    updated_at: str = "updated_at",
    created_at: str = "created_at",
    tenant_id: str | None = None,
    read_time: Callable[[object], datetime | None] | None = None,
    integer_ids: bool = False,
) -> Identity:
    """The identity of `record`, read from the named fields; dots lead into objects.

    `read_time` reads a time (`parse_time` where it is None). With `integer_ids`, ids are whole
    numbers in JSON. A `created_at` that is absent or unusable is None; a lead is not lost for it.
    Raises `UnusableRecord` when the record is no object, has no usable id or no usable time, is
    broken anywhere, or too large.
    """
    read_time = read_time or parse_time
    text = bytes(record)
    fault, fields = _judged(text)
    created = read_time(_value(fields, created_at))
    if fault is not None:
        raise UnusableRecord(fault, _id_if_any(_value(fields, record_id), integer_ids), created)
    found_id = _id(_value(fields, record_id), record_id, integer_ids)
    if "\ufffd" in found_id and with_whole_characters(text) != text:
        # Two ids that differ in such a half would become one.
        raise UnusableRecord(f"no id: `{record_id}` ends or begins with half a character")
    updated = read_time(_value(fields, updated_at))
    if updated is None:
        kind = "an ISO-8601 time" if read_time is parse_time else "a time"
        raise UnusableRecord(f"no usable time: `{updated_at}` must be {kind}", found_id, created)
    tenant = _value(fields, tenant_id) if tenant_id else None
    return Identity(
        record_id=found_id,
        updated_at=updated,
        created_at=created,
        tenant_id=tenant if isinstance(tenant, str) else None,
    )


def _id(value: Any, name: str, integer_ids: bool) -> str:
    if integer_ids:
        if not isinstance(value, int) or isinstance(value, bool):
            raise UnusableRecord(f"no id: `{name}` must be a whole number")
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise UnusableRecord(f"no id: `{name}` must be a text that is not empty")
    if len(value) > MAX_ID_CHARACTERS:
        raise UnusableRecord(f"`{name}` is longer than {MAX_ID_CHARACTERS} characters")
    return value


def _id_if_any(value: Any, integer_ids: bool) -> str | None:
    try:
        return _id(value, "", integer_ids)
    except UnusableRecord:
        return None


def _judged(text: bytes) -> tuple[str | None, Mapping[str, Any]]:
    """What is wrong with a record, if anything is, and its fields, each read or as `msgspec.Raw`.

    Raises `UnusableRecord` where it is no object.
    """
    fault = _size_fault(text)
    try:
        if fault is None:
            value = plain_value(text)
            if isinstance(value, dict):
                return None, value
            fault = _record_fault(text)
        return fault, _read_fields(text) if fault is None else _sound_fields(text)
    except (Untold, *_UNREADABLE):
        raise UnusableRecord("the record is not a JSON object") from None


def _size_fault(text: bytes) -> str | None:
    if len(text) > MAX_RECORD_BYTES:
        return f"the record is larger than {MAX_RECORD_BYTES:,} bytes"
    if has_many_commas(text):
        return f"the record holds more than {MAX_COMMAS:,} values"
    return None


def _record_fault(text: bytes) -> str | None:
    fault = _size_fault(text)
    if fault is None and (broken := fault_of(text)):
        fault = f"broken JSON: {broken}"
    return fault


def _read_fields(text: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _fields_decoder.decode(text)
    except msgspec.DecodeError:
        return _fields_decoder.decode(with_whole_characters(text))


def _sound_fields(text: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a broken record that are whole, and named once. Raises `Untold`."""
    found = members(text, whole(text))
    times = Counter(member.name for member in found)
    values = {member.name: text[member.value.start : member.value.end] for member in found}
    return {
        name: msgspec.Raw(value)
        for name, value in values.items()
        if times[name] == 1 and _record_fault(value) is None
    }


def _value(fields: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none, or it cannot be read."""
    if "." in path:
        name, _, rest = path.partition(".")
        inner = _value(fields, name)
        return _value(inner, rest) if isinstance(inner, dict) else None
    value = fields.get(path)
    if type(value) is not msgspec.Raw:
        return value
    try:
        return msgspec.json.decode(value)
    except _UNREADABLE:
        return None


def parse_time(value: object) -> datetime | None:
    """An ISO-8601 date-time as UTC, or None. A time without an offset is taken as UTC.

    Times that no lead can have (an empty date written as year 1, "never" as year 9999) are None
    too: calendars are built between the first and the last day.
    """
    if not isinstance(value, str) or len(value) < len("2026-01-01T00:00"):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is UTC:
            utc = moment
        elif moment.tzinfo is None:
            utc = moment.replace(tzinfo=UTC)
        else:
            utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return utc if utc.year in USABLE_YEARS else None


def parse_epoch_milliseconds(value: object) -> datetime | None:
    """A whole number of milliseconds since 1970 as UTC, or None; also as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        # Not a division: a float has no room for the milliseconds of far times.
        utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    except OverflowError:
        return None
    return utc if utc.year in USABLE_YEARS else None


@lru_cache(maxsize=16)
def parse_http_date(value: str | None) -> datetime | None:
    """The time of a `Date` header (RFC 9110, whole seconds) as UTC, or None."""
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
        utc = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        # What the standard library raises for texts that are no date.
        return None
    return utc if utc.year in USABLE_YEARS else None


def format_time(moment: datetime) -> str:
    """A UTC time as the APIs write it: `2026-01-15T00:00:00.000Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
