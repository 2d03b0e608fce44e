"""MEGA's public CRM lead API: parameters, cursors, errors, as its guide and OpenAPI document say."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from lead_pipeline.sandbox import messages
from lead_pipeline.sandbox.messages import InvalidParameterError, Record, Request, Response
from lead_pipeline.sandbox.store import Key, LeadStore, Matches
from lead_pipeline.sandbox.tenants import MEGA_CUSTOMER_ID, MEGA_TOKEN

LEADS = "/api/agents/crm/leads"
SORTS = ("created_at", "updated_at", "last_interaction_at")
DIRECTIONS = ("asc", "desc")
READ = "public_api:leads:read"

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "authorization_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class _Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a page ended: the sort it belongs to, the last value and the last id."""

    sort_by: str
    sort_dir: str
    value: str
    id: str


@dataclass(frozen=True)
class _Query:
    """The parameters of one request, checked."""

    sort_by: str
    sort_dir: str
    limit: int
    offset: int
    after: Key | None
    updated_since: datetime | None
    created_since: datetime | None
    matches: Matches | None
    with_custom_fields: bool


@dataclass
class MegaApi:
    """The API of one customer. Take `READ` out of `scopes` for a key without the right."""

    store: LeadStore = field(default_factory=LeadStore)
    token: str = MEGA_TOKEN
    customer_id: str = MEGA_CUSTOMER_ID
    scopes: set[str] = field(default_factory=lambda: {READ})
    records_key: str = "leads"
    tenant_field: str | None = "customer_id"
    score_field: str = "score"

    def respond(self, request: Request) -> Response:
        """The answer to one request."""
        refusal = self._refuse(request)
        if refusal is not None:
            return refusal
        if request.path != LEADS or request.method != "GET":
            return self.error(404, "No such resource.")
        try:
            query = _read_query(request.query)
        except InvalidParameterError as problem:
            return self.error(400, str(problem))
        return messages.json_response(self._page(query))

    def error(self, status: int, message: str) -> Response:
        """An error in this provider's envelope."""
        kind = ERROR_TYPES.get(status, "api_error")
        envelope = {"error": {"type": kind, "code": status, "message": message}}
        return messages.json_response(envelope, status)

    def unknown_cursor(self, number: int) -> str:
        """A cursor of the right form that leads nowhere."""
        return _encode({"sort_by": "nothing", "sort_dir": "asc", "value": "", "id": str(number)})

    def _refuse(self, request: Request) -> Response | None:
        customer = request.headers.get("x-customer-id")
        if request.bearer() != self.token:
            return self.error(401, "Missing or invalid token.")
        if customer is None or not messages.is_uuid(customer):
            return self.error(401, "Missing or invalid x-customer-id.")
        if customer.lower() != self.customer_id:
            return self.error(403, "The key is locked to a different customer.")
        if READ not in self.scopes:
            return self.error(403, f"The key lacks the scope {READ}.")
        return None

    def _page(self, query: _Query) -> Record:
        with self.store.lock:
            if query.sort_by == "last_interaction_at":
                return self._page_by_interaction(query)
            records, more = self.store.page(
                query.sort_by,
                query.limit,
                descending=query.sort_dir == "desc",
                after=query.after,
                low=_bound(query, query.sort_by),
                matches=_with_other_bound(query, query.sort_by),
                skip=0 if query.after else query.offset,
            )
            return self._envelope(query, records, _next_cursor(query, records, more))

    def _page_by_interaction(self, query: _Query) -> Record:
        """No cursor for this sort: the guide offers them for the other two only."""
        matches = _with_other_bound(query, "updated_at")
        everything, _ = self.store.page(
            "updated_at", len(self.store), low=query.updated_since, matches=matches
        )
        spoken = [record for record in everything if record.get("last_interaction_at")]
        silent = [record for record in everything if not record.get("last_interaction_at")]
        spoken.sort(
            key=lambda record: (record["last_interaction_at"], record["id"]),
            reverse=query.sort_dir == "desc",
        )
        page = (spoken + silent)[query.offset : query.offset + query.limit]
        return self._envelope(query, page, None)

    def _envelope(self, query: _Query, records: list[Record], cursor: str | None) -> Record:
        # By the index that serves a bound: counts since a creation are asked for in large numbers.
        indexed = "updated_at" if query.created_since is None else "created_at"
        total = self.store.count(indexed, _bound(query, indexed), _with_other_bound(query, indexed))
        return {
            "leads": [_served(record, query.with_custom_fields) for record in records],
            "total": total,
            "limit": query.limit,
            "offset": query.offset,
            "next_cursor": cursor,
        }


def _read_query(query: Mapping[str, str]) -> _Query:
    sort_by = messages.one_of(query, "sort_by", SORTS) or "updated_at"
    sort_dir = messages.one_of(query, "sort_dir", DIRECTIONS) or "asc"
    with_custom_fields = messages.one_of(query, "include_custom_fields", ("true", "false"))
    return _Query(
        sort_by=sort_by,
        sort_dir=sort_dir,
        limit=messages.integer(query, "limit", 20, 1, 100),
        offset=messages.integer(query, "offset", 0, 0),
        after=_read_cursor(query.get("cursor"), sort_by, sort_dir),
        updated_since=messages.moment(query, "updated_since"),
        created_since=messages.moment(query, "created_since"),
        matches=_read_filters(query),
        with_custom_fields=with_custom_fields == "true",
    )


def _read_cursor(text: str | None, sort_by: str, sort_dir: str) -> Key | None:
    if text is None:
        return None
    if sort_by == "last_interaction_at":
        raise InvalidParameterError("cursor is not supported when sorting by last_interaction_at")
    try:
        padded = text + "=" * (-len(text) % 4)
        cursor = msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=_Cursor)
        if (cursor.sort_by, cursor.sort_dir) == (sort_by, sort_dir):
            return messages.read_time(cursor.value), cursor.id
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise InvalidParameterError("cursor is not valid") from None
    raise InvalidParameterError("cursor was made under another sort_by or sort_dir")


def _next_cursor(query: _Query, records: list[Record], more: bool) -> str | None:
    if not more:
        return None
    value, record_id = records[-1][query.sort_by], records[-1]["id"]
    return _encode(
        {"sort_by": query.sort_by, "sort_dir": query.sort_dir, "value": value, "id": record_id}
    )


def _encode(cursor: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _read_filters(query: Mapping[str, str]) -> Matches | None:
    """One predicate out of the filters that no index serves; None without any."""
    stage_id = messages.identifier(query, "stageId")
    lead_line = messages.one_of(query, "lead_line", ("buyer", "seller"))
    tests: list[Matches] = []
    if "status" in query:
        tests.append(lambda record: bool(record.get("status") == query["status"]))
    if stage_id is not None:
        tests.append(lambda record: (record.get("current_stage") or {}).get("id") == stage_id)
    if lead_line is not None:
        tests.append(lambda record: _custom_fields(record).get("lead_line") == lead_line)
    if query.get("search"):
        tests.append(_searching(query["search"]))
    return _all_of(tests)


def _searching(text: str) -> Matches:
    """Free text on name and e-mail; on the phone by digits alone, whatever its format."""
    words, digits = text.lower(), re.sub(r"\D", "", text)
    looks_like_phone = bool(digits) and re.fullmatch(r"[\d\s().+-]+", text) is not None

    def matches(record: Record) -> bool:
        texts = (record.get("contact_name"), record.get("contact_email"))
        if any(words in (value or "").lower() for value in texts):
            return True
        phone = re.sub(r"\D", "", record.get("contact_phone") or "")
        return looks_like_phone and digits in phone

    return matches


def _bound(query: _Query, name: str) -> datetime | None:
    return query.updated_since if name == "updated_at" else query.created_since


def _with_other_bound(query: _Query, indexed: str) -> Matches | None:
    """The filters, with the lower bound on the time field that the index does not serve."""
    other = "created_at" if indexed == "updated_at" else "updated_at"
    bound = _bound(query, other)
    if bound is None:
        return query.matches
    low = bound
    tests: list[Matches] = [lambda record: messages.read_time(record[other]) >= low]
    return _all_of([*tests, query.matches] if query.matches else tests)


def _all_of(tests: list[Callable[[Record], bool]]) -> Matches | None:
    if not tests:
        return None
    return lambda record: all(test(record) for test in tests)


def _custom_fields(record: Record) -> Record:
    fields: Record = record.get("custom_fields") or {}
    return fields


def _served(record: Record, with_custom_fields: bool) -> Record:
    """The record as a page shows it: `custom_fields` when asked for, and then always."""
    served = {name: value for name, value in record.items() if name != "custom_fields"}
    if with_custom_fields:
        served["custom_fields"] = _custom_fields(record)
    return served
