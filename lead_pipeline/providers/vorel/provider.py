"""Vorel: no filter by time, so the whole list is read, newest first, once for all windows.

Rules from `GET /api/v1/leads` (OpenAPI document): order `created_at DESC, id DESC`; the
cursor is the uuid given as `next_cursor`; the list ends with `has_more: false`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import httpx
import msgspec

from lead_pipeline.errors import MalformedPage
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
from lead_pipeline.providers.fields import decode_envelope
from lead_pipeline.providers.identities import IdentityFields

LEADS_PATH = "/api/v1/leads"
PAGE_SIZE = 100


class _LeadList(msgspec.Struct):
    data: list[msgspec.Raw]
    next_cursor: str | None
    has_more: bool


_decoder = msgspec.json.Decoder(_LeadList)
_IDENTITY = IdentityFields()


class Vorel(Provider):
    """Vorel: the whole list of leads, and the provider's own nurture cohort."""

    slug = "vorel"
    title = "Vorel"
    default_base_url = "https://app.vorel.ai"
    credentials = (Credential("api_key", "API key with scope read, vapk_<env>_ and 48 hex digits"),)
    streams = (
        Stream(
            "leads", "records", "All leads, newest first; those updated in the window are landed."
        ),
        Stream("stale_leads", "cohort", "Qualified leads whose conversation has gone quiet."),
    )
    documented_limits = (Limit(200, 60.0),)
    options = (
        Option(
            "stale_for_days",
            "Days without a message after which a conversation counts as quiet.",
            default=14,
            minimum=1,
            maximum=365,
            former_variables=("LEAD_PIPELINE_STALE_FOR_DAYS",),
        ),
        Option(
            "horizon_days",
            "Nightly crawls stop at leads created more than so many days ago; unset: never.",
            default=None,
            minimum=1,
            former_variables=("LEAD_PIPELINE_HORIZON_DAYS",),
        ),
        hourly_polls(cost="the whole list, 100 leads a request", by_default=False),
    )

    def authentication(self, account: Account) -> httpx.Auth:
        """The bearer key."""
        return HeaderAuth({"Authorization": f"Bearer {account.credentials['api_key']}"})

    def walk(self, stream: str, pull: PullRequest, landed: Landed) -> Walk:
        """The whole list (or down to the horizon), or the stale cohort as it is now."""
        del landed
        parameters = {"limit": str(PAGE_SIZE)}
        if stream == "stale_leads":
            parameters["stale_for_days"] = str(pull.options["stale_for_days"])
            return Walk(LEADS_PATH, parameters, _read)
        keep_from = pull.since
        has_overlap = keep_from is not None
        horizon_days = pull.options["horizon_days"]
        if horizon_days is None or keep_from is None:
            return Walk(
                LEADS_PATH,
                parameters,
                _read,
                keep_from=keep_from,
                is_full=True,
                reads_to_start=True,
                proves_everything=keep_from is None,
                has_overlap=has_overlap,
            )
        return Walk(
            LEADS_PATH,
            parameters,
            _read,
            keep_from=keep_from,
            # Never above the window itself: leads created in it are always read.
            stop_created_before=min(keep_from, pull.now - timedelta(days=horizon_days)),
            has_overlap=has_overlap,
            note=(
                f"Leads created more than {horizon_days} days ago were not read "
                "(VOREL_HORIZON_DAYS); changes to them arrive with the next full crawl."
            ),
        )

    def identity(self, stream: str, record: msgspec.Raw) -> Identity:
        """`id`, `updated_at` and `created_at`; records name no tenant."""
        return self.identity_fields(stream).read(record)

    def identity_fields(self, stream: str) -> IdentityFields:
        """The same for each stream."""
        del stream
        return _IDENTITY

    def needs_full_crawls(self, options: Mapping[str, int | None]) -> bool:
        """With a horizon, changes to leads beyond it come with full crawls only."""
        return options["horizon_days"] is not None


def _read(body: bytes) -> Page:
    envelope = decode_envelope(body, _decoder)
    if not envelope.has_more:
        return Page(envelope.data, None)
    if not envelope.next_cursor:
        raise MalformedPage("`has_more` is true but there is no `next_cursor`")
    return Page(envelope.data, envelope.next_cursor)
