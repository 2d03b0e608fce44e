"""Vorel's API: the list of leads, and one lead, as its OpenAPI document says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lead_pipeline.sandbox import messages
from lead_pipeline.sandbox.messages import InvalidParameterError, Record, Request, Response
from lead_pipeline.sandbox.store import Key, Matches, VorelStore
from lead_pipeline.sandbox.tenants import VOREL_API_KEY

LEADS = "/api/v1/leads"

ERROR_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    429: "rate_limited",
}


@dataclass
class VorelApi:
    """The API of one tenant, whose records do not name it."""

    store: VorelStore = field(default_factory=VorelStore)
    api_key: str = VOREL_API_KEY
    scopes: set[str] = field(default_factory=lambda: {"read"})
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    records_key: str = "data"
    tenant_field: str | None = None
    score_field: str = "qualification_score"

    def respond(self, request: Request) -> Response:
        """The answer to one request."""
        if request.bearer() != self.api_key:
            return self.error(401, "Missing, malformed, unknown or revoked API key.")
        if "read" not in self.scopes:
            return self.error(403, "The API key lacks the scope read.")
        try:
            return self._route(request)
        except InvalidParameterError as problem:
            return self.error(400, str(problem))

    def error(self, status: int, message: str) -> Response:
        """An error in this provider's envelope."""
        code = ERROR_CODES.get(status, "internal_error")
        return messages.json_response({"error": {"code": code, "message": message}}, status)

    def unknown_cursor(self, number: int) -> str:
        """A uuid that no lead has."""
        return f"00000000-0000-4000-8000-{number:012x}"

    def _route(self, request: Request) -> Response:
        if request.method == "GET" and request.path == LEADS:
            return messages.json_response(self._page(request.query))
        if request.method == "GET" and request.path.startswith(f"{LEADS}/"):
            record = self.store.get(request.path.removeprefix(f"{LEADS}/"))
            if record is not None:
                return messages.json_response(record)
        return self.error(404, "Not found.")

    def _page(self, query: Mapping[str, str]) -> Record:
        # "Server caps at 100": more than that is not an error, unlike at the other two.
        limit = min(100, messages.integer(query, "limit", 25, 1))
        matches = self._staleness(query)
        with self.store.lock:
            records, more = self.store.page(
                "created_at", limit, descending=True, after=self._after(query), matches=matches
            )
        cursor = records[-1]["id"] if more else None
        return {"data": records, "next_cursor": cursor, "has_more": more}

    def _after(self, query: Mapping[str, str]) -> Key | None:
        """The place of the lead that the cursor names. A lead that is gone has no place."""
        lead_id = messages.identifier(query, "cursor")
        if lead_id is None:
            return None
        record = self.store.get(lead_id)
        if record is None:
            raise InvalidParameterError("cursor does not name a lead")
        return messages.read_time(record["created_at"]), lead_id

    def _staleness(self, query: Mapping[str, str]) -> Matches | None:
        if "stale_for_days" not in query:
            return None
        days = messages.integer(query, "stale_for_days", 1, 1, 365)
        quiet_since = self.clock() - timedelta(days=days)

        def stale(record: Record) -> bool:
            last_message_at = self.store.last_message(record["id"])
            quiet = last_message_at is None or last_message_at < quiet_since
            return record["status"] == "qualified" and quiet

        return stale
