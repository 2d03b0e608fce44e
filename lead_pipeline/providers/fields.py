"""Reading the few fields of a record or a page that the pipeline itself needs.

Everything else in a record stays bytes. Belongs here: strict reading with reasons that hold
none of the record's values. Does not belong here: any provider's field names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import msgspec

from lead_pipeline.causes import cause_of
from lead_pipeline.errors import MalformedPage
from lead_pipeline.providers.base import Identity, UnusableRecord

MAX_ID_CHARACTERS = 512
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
    """The page's envelope, its records left as the bytes that came.

    Raises `MalformedPage` with what was expected. The message shows nothing of the body but
    whether it is markup, since bodies hold personal data.
    """
    try:
        return decoder.decode(body)
    except _UNREADABLE as error:
        whole = with_whole_characters(body)
        if whole != body:
            with suppress(*_UNREADABLE):
                envelope = decoder.decode(whole)
                _restore_records(envelope, whole, body)
                return envelope
        raise MalformedPage(f"{describe_body(body)}: {_reason(error)}") from None


def with_whole_characters(text: bytes) -> bytes:
    """JSON of the same length in which no escape is half of a surrogate pair.

    JavaScript servers write such halves where they cut a text in the middle of an emoji; msgspec
    takes none. The replacement character stands for them.
    """
    return _ESCAPE.sub(lambda match: b"\\ufffd" if match[1] else match[0], text)


def _restore_records(envelope: object, whole: bytes, body: bytes) -> None:
    """Give the records of an envelope decoded from `whole` the bytes that came in `body`."""
    position = 0
    for name in getattr(envelope, "__struct_fields__", ()):
        records = getattr(envelope, name)
        for number, record in enumerate(records if isinstance(records, list) else []):
            content = bytes(record)
            position = whole.index(content, position)
            records[number] = msgspec.Raw(body[position : position + len(content)])
            position += len(content)


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
    if not isinstance(error, msgspec.DecodeError):
        return "not UTF-8 text"
    return cause_of(error).partition(": ")[2]


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
    Raises `UnusableRecord` when the record is no object, has no usable id or no usable time.
    """
    read_time = read_time or parse_time
    try:
        fields = _read_fields(record)
    except _UNREADABLE:
        raise UnusableRecord("the record is not a JSON object") from None
    found_id = _id(_value(fields, record_id), record_id, integer_ids)
    updated = read_time(_value(fields, updated_at))
    created = read_time(_value(fields, created_at))
    if updated is None:
        kind = "an ISO-8601 time" if read_time is parse_time else "a time"
        raise UnusableRecord(f"no usable time: `{updated_at}` must be {kind}", found_id, created)
    if not _is_readable(record):
        raise UnusableRecord("the record is not valid JSON throughout", found_id, created)
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


def _read_fields(record: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _fields_decoder.decode(record)
    except msgspec.DecodeError:
        return _fields_decoder.decode(with_whole_characters(bytes(record)))


def _is_readable(record: msgspec.Raw) -> bool:
    """Whether the whole record can be mapped later. Half of a cut-off emoji does not matter."""
    try:
        msgspec.json.decode(record)
    except _UNREADABLE:
        try:
            json.loads(bytes(record))
        except (ValueError, RecursionError):
            return False
    return True


def _value(fields: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none, or it cannot be read."""
    name, _, rest = path.partition(".")
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        value = msgspec.json.decode(raw) if isinstance(raw, msgspec.Raw) else raw
    except _UNREADABLE:
        return None
    if not rest:
        return value
    return _value(value, rest) if isinstance(value, dict) else None


def parse_time(value: object) -> datetime | None:
    """An ISO-8601 date-time as UTC, or None. A time without an offset is taken as UTC.

    Times that no lead can have (an empty date written as year 1, "never" as year 9999) are None
    too: calendars are built between the first and the last day.
    """
    if not isinstance(value, str) or len(value) < len("2026-01-01T00:00"):
        return None
    try:
        moment = datetime.fromisoformat(value)
        utc = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
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
