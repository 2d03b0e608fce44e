"""Expert AI Labs' API: health, leads and the audit log.

The read side only; changes come through `ExpertAiLabsStore.update`, which also writes the log.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from lead_pipeline.sandbox import messages
from lead_pipeline.sandbox.messages import InvalidParameterError, Record, Request, Response
from lead_pipeline.sandbox.store import ExpertAiLabsStore, Key, RecordStore
from lead_pipeline.sandbox.tenants import EXPERT_AI_LABS_API_KEY, EXPERT_AI_LABS_ORGANIZATION_ID

HEALTH = "/api/v1/health"
LEADS = "/api/v1/leads"
AUDIT_LOG = "/api/v1/audit-log"

# What only the single-record GET shows.
DETAIL_FIELDS = frozenset(
    {"pain_points", "timeline", "budget_range", "ai_reasoning", "qualification_completed_at"}
)

# The codes are not documented; the envelope around them is.
ERROR_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    429: "rate_limited",
}


class _Cursor(msgspec.Struct, frozen=True):
    created_at: str
    id: str


@dataclass
class ExpertAiLabsApi:
    """The API of one organization.

    `audit_log_open` False: the key may not read the audit log (403). `end_at_included`
    is what nobody documents: whether `end_at` itself belongs to the range asked for.
    """

    store: ExpertAiLabsStore = field(default_factory=ExpertAiLabsStore)
    api_key: str = EXPERT_AI_LABS_API_KEY
    organization_id: str = EXPERT_AI_LABS_ORGANIZATION_ID
    scopes: set[str] = field(default_factory=lambda: {"read"})
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    audit_log_open: bool = True
    end_at_included: bool = True
    records_key: str = "data"
    tenant_field: str | None = "organization_id"
    score_field: str = "lead_score"

    def respond(self, request: Request) -> Response:
        """The answer to one request."""
        if request.path == HEALTH and request.bearer() is None:
            return messages.json_response(self._health(with_key=False))
        if request.bearer() != self.api_key:
            return self.error(401, "Missing or invalid API key.")
        if "read" not in self.scopes:
            return self.error(403, "The API key lacks the scope read.")
        if request.method != "GET":
            return self.error(404, "No such resource.")
        try:
            return self._route(request)
        except InvalidParameterError as problem:
            return self.error(400, str(problem))

    def error(self, status: int, message: str) -> Response:
        """An error in this provider's envelope."""
        code = ERROR_CODES.get(status, "internal_error")
        envelope = {"error": {"code": code, "message": message, "details": {}}}
        return messages.json_response(envelope, status)

    def unknown_cursor(self, number: int) -> str:
        """A cursor of the right form that leads nowhere."""
        return _encode({"created_at": "never", "id": str(number)})

    def _route(self, request: Request) -> Response:
        if request.path == HEALTH:
            return messages.json_response(self._health(with_key=True))
        if request.path == LEADS:
            return self._page(self.store, request.query, ("pipeline_stage", "source"), _listed)
        if request.path.startswith(f"{LEADS}/"):
            return self._single(self.store, request.path.removeprefix(f"{LEADS}/"))
        if request.path != AUDIT_LOG and not request.path.startswith(f"{AUDIT_LOG}/"):
            return self.error(404, "No such resource.")
        if not self.audit_log_open:
            return self.error(403, "The audit log is not open to this API key.")
        if request.path == AUDIT_LOG:
            return self._page(self.store.events, request.query, ("action", "source"), dict)
        return self._single(self.store.events, request.path.removeprefix(f"{AUDIT_LOG}/"))

    def _health(self, *, with_key: bool) -> Record:
        health = {"status": "ok", "version": "1.0.0", "timestamp": messages.iso(self.clock())}
        if not with_key:
            return health
        return {
            **health,
            "tenant_id": self.organization_id,
            "environment": "sandbox",
            "scopes": sorted(self.scopes),
        }

    def _single(self, store: RecordStore, record_id: str) -> Response:
        record = store.get(record_id)
        if record is None or record["organization_id"] != self.organization_id:
            return self.error(404, "Not found.")
        return messages.json_response(record)

    def _page(
        self,
        store: RecordStore,
        query: Mapping[str, str],
        filters: tuple[str, ...],
        served: Callable[[Record], Record],
    ) -> Response:
        limit = messages.integer(query, "limit", 50, 1, 200)
        after = _read_cursor(query.get("cursor"))
        low, high = messages.moment(query, "start_at"), messages.moment(query, "end_at")
        wanted = {name: query[name] for name in filters if name in query}

        def matches(record: Record) -> bool:
            if any(record.get(name) != value for name, value in wanted.items()):
                return False
            beyond = high is not None and messages.read_time(record["created_at"]) >= high
            return self.end_at_included or not beyond

        records, more = store.page(
            "created_at",
            limit,
            descending=True,
            after=after,
            low=low,
            high=high,
            matches=matches if wanted or (high and not self.end_at_included) else None,
        )
        last = {name: records[-1][name] for name in ("created_at", "id")} if more else None
        page = {
            "data": [served(record) for record in records],
            "next_cursor": None if last is None else _encode(last),
        }
        return messages.json_response(page)


def _listed(record: Record) -> Record:
    return {name: value for name, value in record.items() if name not in DETAIL_FIELDS}


def _encode(cursor: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _read_cursor(text: str | None) -> Key | None:
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        cursor = msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=_Cursor)
        return messages.read_time(cursor.created_at), cursor.id
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise InvalidParameterError("cursor is not valid") from None
