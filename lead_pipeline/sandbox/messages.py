"""Requests and responses as plain values, and how a query string is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

JSON = "application/json"
Record = dict[str, Any]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class InvalidParameterError(Exception):
    """A query parameter with a value that the provider's contract does not allow."""


@dataclass(frozen=True)
class Request:
    """One request. Header names are in lower case; of a repeated parameter the last counts."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def bearer(self) -> str | None:
        """The token of the `Authorization: Bearer` header, None when there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None


@dataclass(frozen=True)
class Response:
    """One answer. `headers` hold no Content-Length: the server counts the body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})

    def with_headers(self, headers: Mapping[str, str]) -> Response:
        """The same answer with these headers added."""
        return replace(self, headers={**self.headers, **headers})

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


def json_response(content: object, status: int = 200) -> Response:
    """`content` as compact JSON. A `msgspec.Raw` value keeps its bytes, such as 1250.50."""
    return Response(status, msgspec.json.encode(content))


def iso(at: datetime) -> str:
    """The time as all three providers write it: UTC, milliseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_time(text: str) -> datetime:
    """An ISO-8601 time with an offset, in UTC. Raises ValueError for anything else."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"a time without an offset: {text!r}")
    return at.astimezone(UTC)


def is_uuid(text: str) -> bool:
    """Whether this is a uuid in its usual form of 36 characters."""
    return _UUID.fullmatch(text) is not None


def integer(
    query: Mapping[str, str], name: str, default: int, low: int, high: int | None = None
) -> int:
    """The parameter as an integer of `low..high`, or `default` when it is not given."""
    text = query.get(name)
    if text is None:
        return default
    if re.fullmatch(r"-?[0-9]{1,15}", text) is None:
        raise InvalidParameterError(f"{name} must be an integer")
    value = int(text)
    if value < low or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise InvalidParameterError(f"{name} must be {bounds}")
    return value


def one_of(query: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str | None:
    """The parameter as one of the allowed words, None when it is not given."""
    value = query.get(name)
    if value is not None and value not in allowed:
        raise InvalidParameterError(f"{name} must be one of {', '.join(allowed)}")
    return value


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """The parameter as a time, None when it is not given."""
    text = query.get(name)
    if text is None:
        return None
    try:
        return read_time(text)
    except ValueError:
        raise InvalidParameterError(f"{name} must be an ISO-8601 time with an offset") from None


def identifier(query: Mapping[str, str], name: str) -> str | None:
    """The parameter as a uuid, None when it is not given."""
    text = query.get(name)
    if text is not None and not is_uuid(text):
        raise InvalidParameterError(f"{name} must be a uuid")
    return text
