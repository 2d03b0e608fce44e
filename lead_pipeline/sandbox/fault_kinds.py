"""Every kind of fault: one small function each, and the table that names them.

Faults on records put an extra, bad record into the page. No good record is lost by
them, so a client that rejects the bad one must still have all that the store holds.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from lead_pipeline.sandbox.faults import Delivery, Exchange, FaultFunction
from lead_pipeline.sandbox.messages import JSON, Record, Response, json_response

_HTML = (
    b"<!DOCTYPE html><html><head><title>Just a moment</title></head>"
    b"<body>We are checking your connection.</body></html>"
)


def _status(exchange: Exchange) -> Delivery:
    status = exchange.fault.status
    if status == 502:
        # A bad gateway is told by the proxy in front of the API, in the proxy's words.
        page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
        return Delivery(Response(502, page, {"Content-Type": "text/html"}))
    return Delivery(exchange.api.error(status, "A fault that was asked for."))


def _refused_cursor(exchange: Exchange) -> Delivery:
    return Delivery(exchange.api.error(400, "cursor is not valid"))


def _too_many_requests(exchange: Exchange) -> Delivery:
    seconds = str(exchange.fault.retry_after)
    response = exchange.api.error(429, "Too many requests.")
    return Delivery(response.with_headers({"Retry-After": seconds}))


def _too_many_requests_with_date(exchange: Exchange) -> Delivery:
    until = exchange.now + timedelta(seconds=exchange.fault.retry_after)
    response = exchange.api.error(429, "Too many requests.")
    return Delivery(response.with_headers({"Retry-After": format_datetime(until, usegmt=True)}))


def _too_many_requests_without_retry_after(exchange: Exchange) -> Delivery:
    return Delivery(exchange.api.error(429, "Too many requests."))


def _too_many_requests_with_headers(exchange: Exchange) -> Delivery:
    response = exchange.api.error(429, "Too many requests.")
    return Delivery(response.with_headers(exchange.fault.headers))


def _reset_before_answer(exchange: Exchange) -> Delivery:
    return Delivery(exchange.response, ending="reset", answered=False)


def _reset_in_body(exchange: Exchange) -> Delivery:
    return Delivery(exchange.response, sent=len(exchange.response.body) // 2, ending="reset")


def _closed_in_body(exchange: Exchange) -> Delivery:
    return Delivery(exchange.response, sent=len(exchange.response.body) // 2, ending="close")


def _truncated_json(exchange: Exchange) -> Delivery:
    """Half of the body, with the Content-Length of that half: only the JSON is broken."""
    body = exchange.response.body
    return Delivery(replace(exchange.response, body=body[: len(body) // 2]))


def _html_page(exchange: Exchange) -> Delivery:
    return Delivery(Response(200, _HTML, {"Content-Type": "text/html; charset=utf-8"}))


def _wrong_content_type(exchange: Exchange) -> Delivery:
    return Delivery(exchange.response.with_headers({"Content-Type": "text/plain"}))


def _slow_body(exchange: Exchange) -> Delivery:
    fault = exchange.fault
    return Delivery(exchange.response, delay=fault.delay, chunk=fault.chunk)


def _duplicate_page(exchange: Exchange) -> Delivery:
    """The page before once more, but with the next cursor of this one, which is skipped."""
    if exchange.page_before is None:
        return Delivery(exchange.response)
    key = exchange.api.records_key
    return _altered_page(exchange, **{key: exchange.page_before.json()[key]})


def _repeated_records(exchange: Exchange) -> Delivery:
    """The records of the page before, and after them those of this one: nothing is skipped."""
    if exchange.page_before is None:
        return Delivery(exchange.response)
    key = exchange.api.records_key
    both = [*exchange.page_before.json()[key], *exchange.response.json()[key]]
    return _altered_page(exchange, **{key: both})


def _looping_cursor(exchange: Exchange) -> Delivery:
    """A, A: the page asked for with a cursor names that same cursor as the next."""
    return _with_next_cursor(exchange, exchange.request.query.get("cursor"))


def _alternating_cursor(exchange: Exchange) -> Delivery:
    """A, B, A: the page names the cursor of the request before as the next."""
    return _with_next_cursor(exchange, exchange.cursor_before)


def _empty_pages(exchange: Exchange) -> Delivery:
    """An empty page with a cursor never seen before."""
    template = exchange.page_before or exchange.response
    page = {
        **template.json(),
        exchange.api.records_key: [],
        "next_cursor": exchange.api.unknown_cursor(exchange.number),
    }
    return Delivery(json_response(page if "has_more" not in page else {**page, "has_more": True}))


def _null_record(exchange: Exchange) -> Delivery:
    return _with_extra_record(exchange, lambda record: None)


def _missing_id(exchange: Exchange) -> Delivery:
    return _with_extra_record(
        exchange, lambda record: {name: value for name, value in record.items() if name != "id"}
    )


def _malformed_updated_at(exchange: Exchange) -> Delivery:
    value = "not a time" if exchange.fault.value is None else exchange.fault.value
    return _with_extra_record(exchange, lambda record: {**record, "updated_at": value})


def _wrong_type(exchange: Exchange) -> Delivery:
    value = {"unexpected": True} if exchange.fault.value is None else exchange.fault.value
    name = exchange.fault.field or exchange.api.score_field
    return _with_extra_record(exchange, lambda record: {**record, name: value})


def _huge_record(exchange: Exchange) -> Delivery:
    name = exchange.fault.field or "notes"
    return _with_extra_record(exchange, lambda record: {**record, name: "x" * exchange.fault.size})


def _foreign_tenant(exchange: Exchange) -> Delivery:
    name = exchange.api.tenant_field or ""
    stranger = exchange.fault.value or str(uuid.uuid5(uuid.NAMESPACE_URL, "another tenant"))
    return _with_extra_record(exchange, lambda record: {**record, name: stranger})


def _with_next_cursor(exchange: Exchange, cursor: str | None) -> Delivery:
    if cursor is None:
        return Delivery(exchange.response)
    page = exchange.response.json()
    more = {"has_more": True} if "has_more" in page else {}
    return _altered_page(exchange, next_cursor=cursor, **more)


def _with_extra_record(exchange: Exchange, spoil: Callable[[Record], object]) -> Delivery:
    """The page with a damaged copy of its first record; the copy has an id of its own."""
    key = exchange.api.records_key
    page = exchange.response.json()
    if exchange.response.status != 200 or not page.get(key):
        return Delivery(exchange.response)
    records = list(page[key])
    position = exchange.fault.position
    copy_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{records[0]['id']} {exchange.number}"))
    bad = spoil({**records[0], "id": copy_id})
    records.insert(len(records) // 2 if position is None else position, bad)
    return _altered_page(exchange, **{key: records})


def _altered_page(exchange: Exchange, **changes: Any) -> Delivery:
    if exchange.response.status != 200:
        return Delivery(exchange.response)
    altered = json_response({**exchange.response.json(), **changes})
    return Delivery(altered.with_headers({"Content-Type": JSON}))


KINDS: dict[str, FaultFunction] = {
    "status": _status,
    "refused_cursor": _refused_cursor,
    "too_many_requests": _too_many_requests,
    "too_many_requests_with_date": _too_many_requests_with_date,
    "too_many_requests_without_retry_after": _too_many_requests_without_retry_after,
    "too_many_requests_with_headers": _too_many_requests_with_headers,
    "reset_before_answer": _reset_before_answer,
    "reset_in_body": _reset_in_body,
    "closed_in_body": _closed_in_body,
    "truncated_json": _truncated_json,
    "html_page": _html_page,
    "wrong_content_type": _wrong_content_type,
    "slow_body": _slow_body,
    "duplicate_page": _duplicate_page,
    "repeated_records": _repeated_records,
    "looping_cursor": _looping_cursor,
    "alternating_cursor": _alternating_cursor,
    "empty_pages": _empty_pages,
    "null_record": _null_record,
    "missing_id": _missing_id,
    "malformed_updated_at": _malformed_updated_at,
    "wrong_type": _wrong_type,
    "huge_record": _huge_record,
    "foreign_tenant": _foreign_tenant,
}
