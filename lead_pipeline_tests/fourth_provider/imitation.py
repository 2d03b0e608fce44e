"""The deals API on loopback: tokens that expire, a search by POST, records with their history."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import ApiServer, RecordedRequest
from lead_pipeline.sandbox.limits import Verdict
from lead_pipeline.sandbox.messages import Record, Request, Response, iso, json_response
from lead_pipeline.sandbox.store import RecordStore

SEARCH, TOKEN = "/v2/deals/search", "/oauth/token"
CLIENT = {"client_id": "app-7", "client_secret": "s3cret-of-app-7"}
LARGEST_PAGE = 200
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    """A time as the API writes it."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


class DealStore(RecordStore):
    """Deals in the order of their last change.

    The store of the sandbox orders by texts of times, so each deal is kept with one beside it.
    """

    def __init__(self) -> None:
        super().__init__("at")

    def put_deal(self, deal: Record) -> None:
        """Add a deal, or replace the one with its id."""
        self.put(_kept(deal))

    def deal(self, deal_id: str) -> Record:
        """The deal of that id. Raises `KeyError` if there is none."""
        kept = self.get(deal_id)
        if kept is None:
            raise KeyError(deal_id)
        deal: Record = kept["deal"]
        return deal

    def deals(self) -> list[Record]:
        """All deals."""
        return [kept["deal"] for kept in self]


def _kept(deal: Record) -> Record:
    moment = EPOCH + timedelta(milliseconds=deal["updatedAt"])
    return {"id": str(deal["id"]), "at": iso(moment), "deal": deal}


@dataclass
class DealsApi:
    """The API of one portal."""

    store: DealStore = field(default_factory=DealStore)
    scopes: set[str] = field(default_factory=lambda: {"read"})
    token_seconds: float = 1_800.0
    """How long a token is good for."""
    tokens: dict[str, float] = field(default_factory=dict)
    """The monotonic time at which each token expires."""
    records_key: str = "results"
    tenant_field: str | None = None
    score_field: str = "probability"

    def respond(self, request: Request) -> Response:
        """The answer to one request."""
        if (request.method, request.path) == ("POST", TOKEN):
            return self._token(dict(parse_qsl(request.body.decode())))
        if self.tokens.get(request.bearer() or "", 0.0) <= time.monotonic():
            return self.error(401, "The access token is unknown or has expired.")
        if (request.method, request.path) == ("POST", SEARCH):
            return self._search(msgspec.json.decode(request.body))
        return self.error(404, "Not found.")

    def error(self, status: int, message: str) -> Response:
        """An error in the provider's envelope."""
        return json_response({"status": "error", "message": message}, status)

    def unknown_cursor(self, number: int) -> str:
        """A cursor that no page gave."""
        return f"0-{number}"

    def _token(self, form: Mapping[str, str]) -> Response:
        if form != {"grant_type": "client_credentials", **CLIENT}:
            return json_response({"error": "invalid_client"}, 401)
        token = secrets.token_hex(16)
        self.tokens[token] = time.monotonic() + self.token_seconds
        return json_response(
            {"access_token": token, "token_type": "bearer", "expires_in": self.token_seconds}
        )

    def _search(self, query: Mapping[str, Any]) -> Response:
        size = query.get("limit", 20)
        if query.get("sort") != "updatedAt" or not 1 <= size <= LARGEST_PAGE:
            return self.error(400, "sort must be updatedAt, and limit 1 to 200.")
        since = query.get("filter", {}).get("updatedAt", {}).get("gte", 0)
        low = EPOCH + timedelta(milliseconds=since)
        after = None
        if "after" in query:
            moment, _, deal_id = str(query["after"]).partition("-")
            if not moment.isdecimal():
                return self.error(400, "after is no cursor of this API.")
            after = (EPOCH + timedelta(milliseconds=int(moment)), deal_id)
        with self.store.lock:
            kept, more = self.store.page("at", size, after=after, low=low)
            total = self.store.count("at", low, None)
        deals = [one["deal"] for one in kept]
        page: Record = {"results": deals, "total": total}
        if more:
            last = deals[-1]
            page["paging"] = {"next": {"after": f"{last['updatedAt']}-{last['id']}"}}
        return json_response(page)


class _NoLimits:
    def admit(self) -> Verdict:
        return Verdict(allowed=True, headers={})


def deal(number: int, moment: datetime, **properties: Any) -> Record:
    """A plain deal, created and last changed at `moment`."""
    at = milliseconds(moment)
    return {
        "id": 1_000_000 + number,
        "portal": "portal-1",
        "createdAt": at,
        "updatedAt": at,
        "properties": {
            "name": f"Dana Reed {number}",
            "email": f"dana{number}@example.com",
            "phone": "+12065550123",
            "company": "Reed & Daughters",
            "source": "referral",
            "status": "open",
            "stage": "incoming",
            "stage_label": "Incoming",
            "probability": 0.25,
            "last_contact": None,
            "budget": "10-20k",
            **properties,
        },
        "owner": {"id": 7, "name": "Olga"},
        "history": [
            {"property": "stage", "value": "incoming", "at": at},
            {"property": "status", "value": "open", "at": at},
        ],
    }


def moved(deal: Record, moment: datetime, **properties: Any) -> Record:
    """The deal after a change at `moment`, which its history tells as far as stage and status go."""
    at = milliseconds(moment)
    told = [
        {"property": name, "value": value, "at": at}
        for name, value in properties.items()
        if name in ("stage", "status")
    ]
    return {
        **deal,
        "updatedAt": at,
        "properties": {**deal["properties"], **properties},
        "history": [*deal["history"], *told],
    }


class DealsImitation:
    """A running deals API, as the tests of every provider see it."""

    slug = "deals"
    page_size = LARGEST_PAGE

    def __init__(self, api: DealsApi, server: ApiServer[DealStore]) -> None:
        self.api = api
        self.server = server
        self.account = Account(
            name=self.slug,
            provider=self.slug,
            base_url=server.url,
            credentials=CLIENT,
            credential_names=("DEALS_CLIENT_ID", "DEALS_CLIENT_SECRET"),
        )

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[DealsImitation]:
        """Serve an API without deals until the block ends."""
        api = DealsApi()
        server = ApiServer("deals", api, _NoLimits(), lambda request: api.error(404, ""))
        server.start()
        try:
            yield cls(api, server)
        finally:
            server.stop()

    def variables(self) -> dict[str, str]:
        """The environment variables that point the pipeline at this API."""
        return {
            "DEALS_BASE_URL": self.server.url,
            "DEALS_CLIENT_ID": CLIENT["client_id"],
            "DEALS_CLIENT_SECRET": CLIENT["client_secret"],
        }

    def put(self, number: int, moment: datetime) -> str:
        made = deal(number, moment)
        self.server.store.put_deal(made)
        return str(made["id"])

    def put_many(self, count: int, moment: datetime, first: int = 0) -> None:
        self.server.store.put_all(
            _kept(deal(number, moment + timedelta(seconds=number)))
            for number in range(first, first + count)
        )

    def change(self, lead_id: str, moment: datetime) -> None:
        self.server.store.put_deal(moved(self.server.store.deal(lead_id), moment, probability=0.5))

    def states(self) -> dict[str, datetime]:
        return {
            str(one["id"]): EPOCH + timedelta(milliseconds=one["updatedAt"])
            for one in self.server.store.deals()
        }

    def asked(self) -> list[RecordedRequest]:
        return [request for request in self.server.requests if request.path == SEARCH]

    def asked_page_sizes(self) -> list[int]:
        return [msgspec.json.decode(request.body)["limit"] for request in self.asked()]
