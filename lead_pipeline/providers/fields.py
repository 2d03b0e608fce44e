"""Reading the few fields of a record or a page that the pipeline itself needs.

Everything else in a record stays bytes. Belongs here: strict reading with reasons that hold
none of the record's values. Does not belong here: any provider's field names.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from lead_pipeline.errors import MalformedPage
from lead_pipeline.providers.base import Identity, UnusableRecord

MAX_ID_CHARACTERS = 512

_Envelope = TypeVar("_Envelope")
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode_envelope(body: bytes, decoder: msgspec.json.Decoder[_Envelope]) -> _Envelope:
    """The page's envelope, its records left as the bytes that came.

    Raises `MalformedPage` with what was expected. The message shows nothing of the body but
    whether it is markup, since bodies hold personal data.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPage(f"{describe_body(body)}: {_reason(error)}") from None


def describe_body(body: bytes) -> str:
    """What a body looks like, in words that are safe to show: its size and its kind."""
    start = body[:256].lstrip()
    if start.startswith(b"<"):
        # Only the name of the first tag: error pages may quote the request.
        tag = start.split(b">", 1)[0][:32].decode("ascii", "replace").split(" ")[0]
        kind = f"markup starting with {tag!r}"
    elif start[:1] in (b"{", b"["):
        kind = f"JSON starting with {chr(start[0])!r}"
    elif not start:
        kind = "empty"
    else:
        kind = "neither JSON nor markup"
    return f"a body of {len(body):,} bytes, {kind}"


def _reason(error: Exception) -> str:
    # msgspec names types and paths, never values.
    return str(error) if isinstance(error, msgspec.DecodeError) else "not UTF-8 text"


def read_identity(
    record: msgspec.Raw,
    *,
    updated_at: str = "updated_at",
    created_at: str = "created_at",
    tenant_id: str | None = None,
) -> Identity:
    """The identity of `record`, read from `id` and the named fields.

    A `created_at` that is absent or unusable is None; a lead is not lost for it. Raises
    `UnusableRecord` when the record is no object, has no usable `id` or no usable time.
    """
    try:
        fields = _fields_decoder.decode(record)
    except (msgspec.DecodeError, RecursionError):
        raise UnusableRecord("the record is not a JSON object") from None
    record_id = _value(fields, "id")
    if not isinstance(record_id, str) or not record_id.strip():
        raise UnusableRecord("no id: `id` must be a text that is not empty")
    if len(record_id) > MAX_ID_CHARACTERS:
        raise UnusableRecord(f"`id` is longer than {MAX_ID_CHARACTERS} characters")
    updated = parse_time(_value(fields, updated_at))
    if updated is None:
        raise UnusableRecord(f"no usable time: `{updated_at}` must be an ISO-8601 time", record_id)
    if not _is_readable(record):
        raise UnusableRecord("the record is not valid JSON throughout", record_id)
    tenant = _value(fields, tenant_id) if tenant_id else None
    return Identity(
        record_id=record_id,
        updated_at=updated,
        created_at=parse_time(_value(fields, created_at)),
        tenant_id=tenant if isinstance(tenant, str) else None,
    )


def _is_readable(record: msgspec.Raw) -> bool:
    """Whether the whole record can be mapped later. Half of a cut-off emoji does not matter."""
    try:
        msgspec.json.decode(record)
    except (msgspec.DecodeError, RecursionError):
        try:
            json.loads(bytes(record))
        except (ValueError, RecursionError):
            return False
    return True


def _value(fields: dict[str, msgspec.Raw], name: str) -> Any:
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def parse_time(value: object) -> datetime | None:
    """An ISO-8601 date-time as UTC, or None. A time without an offset is taken as UTC."""
    if not isinstance(value, str) or len(value) < len("2026-01-01T00:00"):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def format_time(moment: datetime) -> str:
    """A UTC time as the APIs write it: `2026-01-15T00:00:00.000Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
