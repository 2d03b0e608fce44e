"""Deals: a search by POST, oldest change first, with the stage history in each record.

Ids are whole numbers, times milliseconds since 1970, the cursor is called `after`, and the access
token expires.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import msgspec

from lead_pipeline.providers.authentication import ExpiringToken
from lead_pipeline.providers.base import (
    Account,
    Credential,
    Identity,
    Landed,
    Limit,
    Option,
    Page,
    Provider,
    PullRequest,
    Stream,
    Walk,
)
from lead_pipeline.providers.fields import (
    decode_envelope,
    parse_epoch_milliseconds,
    read_identity,
)


class _Next(msgspec.Struct, frozen=True):
    after: str


class _Paging(msgspec.Struct, frozen=True):
    next: _Next | None = None


class _Search(msgspec.Struct):
    results: list[msgspec.Raw]
    total: int
    paging: _Paging = _Paging()


_decoder = msgspec.json.Decoder(_Search)


class Deals(Provider):
    """The deals of one portal."""

    slug = "deals"
    title = "Deals"
    default_base_url = "https://deals.example.com"
    credentials = (
        Credential("client_id", "id of the app"),
        Credential("client_secret", "secret of the app"),
    )
    streams = (
        Stream(
            "deals",
            "records",
            "Deals by time of last change, with their history.",
            has_stage_history=True,
        ),
    )
    documented_limits = (Limit(100, 10.0),)
    options = (Option("page_size", "Deals per page.", default=200, minimum=1, maximum=200),)

    def authentication(self, account: Account) -> httpx.Auth:
        """A token for the app, got again whenever it expires."""
        form = {
            "grant_type": "client_credentials",
            "client_id": account.credentials["client_id"],
            "client_secret": account.credentials["client_secret"],
        }
        return ExpiringToken(f"{account.base_url}/oauth/token", form)

    def walk(self, stream: str, pull: PullRequest, landed: Landed) -> Walk:
        """The window from `start - overlap` on; it ends with the page that reaches `end`."""
        del stream, landed
        body: dict[str, Any] = {"sort": "updatedAt", "limit": pull.options["page_size"]}
        if pull.since is not None:
            body["filter"] = {"updatedAt": {"gte": _milliseconds(pull.since)}}
        return Walk(
            path="/v2/deals/search",
            parameters={},
            body=body,
            cursor_parameter="after",
            read=_read,
            stop_at=None if pull.full else pull.window.end,
            is_full=pull.full,
            proves_everything=pull.full,
            has_overlap=pull.since is not None,
        )

    def identity(self, stream: str, record: msgspec.Raw) -> Identity:
        """`id`, `updatedAt` and `createdAt`."""
        del stream
        return read_identity(
            record,
            updated_at="updatedAt",
            created_at="createdAt",
            read_time=parse_epoch_milliseconds,
            integer_ids=True,
        )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _read(body: bytes) -> Page:
    envelope = decode_envelope(body, _decoder)
    following = envelope.paging.next
    return Page(envelope.results, following.after if following else None, envelope.total)
