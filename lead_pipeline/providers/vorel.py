"""Vorel: no filter by time, so the whole list is read, newest first, once for all windows.

Rules from `GET /api/v1/leads` (OpenAPI document): order `created_at DESC, id DESC`; the
cursor is the uuid given as `next_cursor`; the list ends with `has_more: false`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from lead_pipeline.errors import MalformedPage
from lead_pipeline.providers.base import (
    Account,
    Credential,
    Identity,
    Landed,
    Limit,
    Page,
    PullRequest,
    Request,
    Stream,
    Walk,
)
from lead_pipeline.providers.fields import decode_envelope, read_identity

LEADS_PATH = "/api/v1/leads"
PAGE_SIZE = 100


class _LeadList(msgspec.Struct):
    data: list[msgspec.Raw]
    next_cursor: str | None
    has_more: bool


_decoder = msgspec.json.Decoder(_LeadList)


class Vorel:
    """Vorel: the whole list of leads, and the provider's own nurture cohort."""

    slug = "vorel"
    title = "Vorel"
    default_base_url = "https://app.vorel.ai"
    credentials = (Credential("api_key", "API key with scope read, vapk_<env>_ and 48 hex digits"),)
    streams = (
        Stream("leads", "All leads, newest first; those updated in the window are landed."),
        Stream("stale_leads", "Qualified leads whose conversation has gone quiet."),
    )
    required_streams = ("leads",)
    documented_limits = (Limit(200, 60.0),)

    def headers(self, account: Account) -> Mapping[str, str]:
        """The bearer key."""
        return {"Authorization": f"Bearer {account.credentials['api_key']}"}

    def walk(self, stream: str, pull: PullRequest, landed: Landed) -> Walk:
        """The whole list (or down to the horizon), or the stale cohort as it is now."""
        del landed
        parameters = {"limit": str(PAGE_SIZE)}
        if stream == "stale_leads":
            parameters["stale_for_days"] = str(pull.stale_for_days)
            return Walk(LEADS_PATH, parameters, _read)
        keep_from = pull.since
        has_overlap = keep_from is not None
        if pull.horizon_days is None or keep_from is None:
            return Walk(
                LEADS_PATH,
                parameters,
                _read,
                keep_from=keep_from,
                is_full=True,
                proves_everything=keep_from is None,
                has_overlap=has_overlap,
            )
        return Walk(
            LEADS_PATH,
            parameters,
            _read,
            keep_from=keep_from,
            # Never above the window itself: leads created in it are always read.
            stop_created_before=min(keep_from, pull.now - timedelta(days=pull.horizon_days)),
            has_overlap=has_overlap,
            note=(
                f"Leads created more than {pull.horizon_days} days ago were not read "
                "(LEAD_PIPELINE_HORIZON_DAYS); changes to them arrive with the next full crawl."
            ),
        )

    def identity(self, stream: str, record: msgspec.Raw) -> Identity:
        """`id`, `updated_at` and `created_at`; records name no tenant."""
        del stream
        return read_identity(record)

    def tenant_request(self) -> Request | None:
        """None: records name no tenant."""
        return None

    def tenant(self, account: Account, answer: bytes | None) -> str | None:
        """None: records name no tenant."""
        del account, answer
        return None


def _read(body: bytes) -> Page:
    envelope = decode_envelope(body, _decoder)
    if not envelope.has_more:
        return Page(envelope.data, None)
    if not envelope.next_cursor:
        raise MalformedPage("`has_more` is true but there is no `next_cursor`")
    return Page(envelope.data, envelope.next_cursor)
