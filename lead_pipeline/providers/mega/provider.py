"""MEGA public CRM Lead API: windows by `updated_since`, oldest update first.

Rules from `GET /api/agents/crm/leads` (guide and OpenAPI document): `updated_since` is
inclusive and has no upper counterpart, so the end of a window is applied here; the order
`updated_at asc` is the one in which no lead is skipped while leads change. `created_since` is
inclusive too, and `total` counts what matches the filters whatever the page: so counts show where
leads have vanished.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import httpx
import msgspec

from lead_pipeline.providers.authentication import HeaderAuth
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
    hourly_polls,
)
from lead_pipeline.providers.counted import CountedList
from lead_pipeline.providers.fields import decode_envelope, format_time
from lead_pipeline.providers.identities import IdentityFields

LEADS_PATH = "/api/agents/crm/leads"
PAGE_SIZE = 100
READ_ON = timedelta(days=2)
"""How long ago a window may have ended for its crawl to read on: a night, or one that was late."""


class _LeadList(msgspec.Struct):
    leads: list[msgspec.Raw]
    next_cursor: str | None
    total: int | None = None


_decoder = msgspec.json.Decoder(_LeadList)
_IDENTITY = IdentityFields(tenant_id="customer_id")


class Mega(Provider):
    """MEGA: one stream of leads, each window asked for directly."""

    slug = "mega"
    title = "MEGA"
    default_base_url = "https://app.gomega.ai"
    credentials = (
        Credential("token", "personal access token, mega_ and 64 hex digits"),
        Credential("customer_id", "uuid of the customer the key is locked to"),
    )
    streams = (Stream("leads", "records", "Leads by time of last update, with custom fields."),)
    documented_limits = (Limit(60, 60.0), Limit(1_000, 3_600.0))
    options = (
        Option(
            "deletion_requests",
            "Requests that a night may take to find vanished leads by counts; 0: none.",
            default=200,
        ),
        hourly_polls(cost="one or two requests", by_default=True),
    )

    def authentication(self, account: Account) -> httpx.Auth:
        """Bearer token and customer, both on every request."""
        return HeaderAuth(
            {
                "Authorization": f"Bearer {account.credentials['token']}",
                "x-customer-id": account.credentials["customer_id"],
            }
        )

    def walk(self, stream: str, pull: PullRequest, landed: Landed) -> Walk:
        """The window from `start - overlap` on.

        It reads on to its own start, so that a lead that did not come has not changed. In a backfill
        of days long ago that would be most of the list: there it ends with the page that reaches
        `end`.
        """
        del stream, landed
        parameters = {
            "sort_by": "updated_at",
            "sort_dir": "asc",
            "limit": str(PAGE_SIZE),
            "include_custom_fields": "true",
        }
        reads_on = pull.full or pull.now - pull.window.end <= READ_ON
        if pull.since is not None:
            parameters["updated_since"] = format_time(pull.since)
        return Walk(
            path=LEADS_PATH,
            parameters=parameters,
            read=_read,
            stop_at=None if reads_on else pull.window.end,
            is_full=pull.full,
            proves_everything=pull.full,
            reads_to_start=reads_on,
            has_overlap=pull.since is not None,
        )

    def counted_list(self, options: Mapping[str, int | None]) -> CountedList | None:
        """Leads since `created_since` with their `total`, unless the option is 0."""
        max_requests = options["deletion_requests"]
        if not max_requests:
            return None
        return CountedList(
            path=LEADS_PATH,
            read=_read,
            max_requests=max_requests,
            page_size=PAGE_SIZE,
            since_parameter="created_since",
            newest_first={"sort_by": "created_at", "sort_dir": "desc"},
            oldest_first={"sort_by": "created_at", "sort_dir": "asc"},
        )

    def identity(self, stream: str, record: msgspec.Raw) -> Identity:
        """`id`, `updated_at`, `created_at` and the customer."""
        return self.identity_fields(stream).read(record)

    def identity_fields(self, stream: str) -> IdentityFields:
        """The same for each stream."""
        del stream
        return _IDENTITY

    def tenant(self, account: Account, answer: bytes | None) -> str | None:
        """The customer the key is locked to."""
        del answer
        return account.credentials["customer_id"]


def _read(body: bytes) -> Page:
    envelope = decode_envelope(body, _decoder)
    return Page(envelope.leads, envelope.next_cursor or None, envelope.total)
