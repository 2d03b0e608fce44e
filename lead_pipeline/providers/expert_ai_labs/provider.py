"""Expert AI Labs: what changed is told by the audit log, then read where it costs least.

    audit log of the window ──▶ changed leads ──▶ by id, or by list pages, whichever is cheaper
    leads created in the window ────────────────▶ list

Rules from the leads page, the audit log page and `/health` (provider sheet): the list has no
filter by update time; `start_at` and `end_at` are on `created_at`; each partial update writes
one `lead.updated` event. That a lead's `updated_at` equals the time of its newest event is
inferred: where it does not hold, leads are read once more than needed, and none is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil

import httpx
import msgspec

from lead_pipeline.providers.authentication import HeaderAuth
from lead_pipeline.providers.base import (
    Account,
    Credential,
    Identity,
    Landed,
    Limit,
    LoggedEvent,
    Option,
    Page,
    Provider,
    PullRequest,
    RecordWalk,
    Request,
    Stream,
    Walk,
    hourly_polls,
)
from lead_pipeline.providers.expert_ai_labs.logged_events import read_logged_event
from lead_pipeline.providers.fields import (
    decode_envelope,
    decode_record,
    format_time,
    parse_time,
    with_whole_characters,
)
from lead_pipeline.providers.identities import IdentityFields
from lead_pipeline.providers.stated import shown

LEADS_PATH = "/api/v1/leads"
PAGE_SIZE = 200
WITHOUT_AUDIT_LOG = (
    "The audit log is closed to this key or was not read for the window: the whole list was read "
    "instead, and times of stage changes are not exact."
)
TIME_PRECISION = timedelta(milliseconds=1)
"""An `updated_at` less than this before its event still counts as the state after the event."""


class _List(msgspec.Struct):
    data: list[msgspec.Raw]
    next_cursor: str | None


class _EventPayload(msgspec.Struct):
    lead_id: str | None = None


class _Event(msgspec.Struct):
    created_at: str
    payload: _EventPayload | None = None


class _Health(msgspec.Struct):
    tenant_id: str | None = None
    environment: str | None = None
    scopes: list[str] = []


_list_decoder = msgspec.json.Decoder(_List)
_event_decoder = msgspec.json.Decoder(_Event)
_health_decoder = msgspec.json.Decoder(_Health)
_LEAD_IDENTITY = IdentityFields(tenant_id="organization_id")
_EVENT_IDENTITY = IdentityFields(updated_at="created_at", tenant_id="organization_id")


class ExpertAiLabs(Provider):
    """Expert AI Labs: audit log, list and single records."""

    slug = "expert_ai_labs"
    title = "Expert AI Labs"
    default_base_url = "https://www.expertailabs.ai"
    credentials = (Credential("api_key", "API key with scope read, eal_live_… or eal_test_…"),)
    streams = (
        Stream("lead_events", "events", "Audit log: every update of a lead, with its exact time."),
        Stream(
            "leads",
            "records",
            "Leads created in the window, or the list where that is cheaper.",
            after=("lead_events",),
        ),
        Stream(
            "lead_details",
            "details",
            "Single records of changed leads, with AI fields.",
            after=("leads",),
        ),
    )
    documented_limits = (Limit(60, 60.0),)
    options = (
        Option(
            "detail_requests",
            "Single-record requests per run; the rest waits for later runs.",
            default=200,
            former_variables=("LEAD_PIPELINE_DETAIL_REQUESTS",),
        ),
        hourly_polls(
            cost="a page each of the audit log and the list, and the leads that changed",
            by_default=True,
        ),
    )

    def authentication(self, account: Account) -> httpx.Auth:
        """The bearer key."""
        return HeaderAuth({"Authorization": f"Bearer {account.credentials['api_key']}"})

    def walk(self, stream: str, pull: PullRequest, landed: Landed) -> Walk:
        """The audit log of the window, the list as far as needed, or single records."""
        if stream == "lead_events":
            return self._events(pull)
        if stream == "leads":
            return self._leads(pull, landed)
        return self._details(pull, landed)

    def identity(self, stream: str, record: msgspec.Raw) -> Identity:
        """A lead's own times; an event's `created_at` stands for both."""
        return self.identity_fields(stream).read(record)

    def identity_fields(self, stream: str) -> IdentityFields:
        """Events have one time."""
        return _EVENT_IDENTITY if stream == "lead_events" else _LEAD_IDENTITY

    def tenant_request(self) -> Request | None:
        """`/health` names the tenant of the key."""
        return Request("/api/v1/health")

    def tenant(self, account: Account, answer: bytes | None) -> str | None:
        """The tenant of the key; None where `/health` does not say."""
        del account
        if answer is None:
            return None
        return decode_envelope(answer, _health_decoder).tenant_id

    def key_facts(self, answer: bytes) -> Sequence[str]:
        """The tenant, environment and scopes of the key, as far as `/health` says them."""
        key = decode_envelope(answer, _health_decoder)
        facts = [f"tenant {shown(key.tenant_id)}"] if key.tenant_id else []
        if key.environment:
            facts.append(f"environment {shown(key.environment)}")
        if key.scopes:
            facts.append(f"scopes {', '.join(map(shown, key.scopes))}")
        return facts

    def logged_event(self, payload: str) -> LoggedEvent | None:
        """The lead and the `diff` of an event, in the provider's own words."""
        return read_logged_event(payload)

    def _events(self, pull: PullRequest) -> Walk:
        parameters = {"action": "lead.updated", "limit": str(PAGE_SIZE)}
        parameters |= _between(_since(pull), pull.window.end)
        return Walk("/api/v1/audit-log", parameters, _read_list, has_overlap=True)

    def _leads(self, pull: PullRequest, landed: Landed) -> Walk:
        since = _since(pull)
        is_closed = not landed.is_complete("lead_events", pull.window)
        if pull.full or since is None or is_closed:
            return Walk(
                LEADS_PATH,
                {"limit": str(PAGE_SIZE)},
                _read_list,
                keep_from=None if pull.full else since,
                is_full=True,
                reads_to_start=True,
                proves_everything=pull.full or since is None,
                note=WITHOUT_AUDIT_LOG if is_closed else None,
            )
        changed = _stale_leads(pull, landed, created_before=since)
        oldest = _cheaper_by_list(changed, landed, since, _budget(pull))
        parameters = {"limit": str(PAGE_SIZE)} | _between(oldest or since, pull.window.end)
        if oldest is None:
            return Walk(LEADS_PATH, parameters, _read_list)
        return Walk(
            LEADS_PATH,
            parameters,
            _read_list,
            keep_from=since,
            keep_ids=frozenset(changed),
        )

    def _details(self, pull: PullRequest, landed: Landed) -> Walk:
        required = sorted(_stale_leads(pull, landed)) if _since(pull) is not None else []
        budget = max(0, _budget(pull) - len(required))
        wanted = [lead for lead in landed.leads_without_details() if lead not in set(required)]
        record_ids = tuple(required + wanted[:budget])
        return RecordWalk(
            LEADS_PATH + "/{id}",
            {},
            _read_record,
            # The list of a full crawl has landed every lead's state; nothing hangs on these.
            proves_everything=pull.full,
            record_ids=record_ids,
        )


def _since(pull: PullRequest) -> datetime | None:
    """The window's start less the overlap. A full crawl reads no more events than others."""
    return None if pull.window.start is None else pull.window.start - pull.overlap


def _budget(pull: PullRequest) -> int:
    """How many single records the run may ask for beyond those that changes call for."""
    return 0 if pull.is_poll else pull.options["detail_requests"] or 0


def _between(start: datetime | None, end: datetime) -> dict[str, str]:
    bounds = {"end_at": format_time(end)}
    if start is not None:
        bounds["start_at"] = format_time(start)
    return bounds


def _stale_leads(
    pull: PullRequest, landed: Landed, created_before: datetime | None = None
) -> dict[str, datetime | None]:
    """Leads that events of the window changed after their newest landed state.

    Maps the id to the lead's `created_at`, None where the lead has never landed. With
    `created_before`, leads that the list of newly created ones brings anyway are left out.
    """
    changes: dict[str, datetime] = {}
    for payload in landed.payloads("lead_events", _since(pull), pull.window.end):
        event = _read_event(payload)
        moment = parse_time(event.created_at)
        if event.payload is None or not event.payload.lead_id or moment is None:
            continue
        lead_id = event.payload.lead_id
        changes[lead_id] = max(moment, changes.get(lead_id, moment))
    stale: dict[str, datetime | None] = {}
    newest = landed.newest_states(list(changes))
    for lead_id, moment in changes.items():
        state = newest.get(lead_id)
        if state is None:
            stale[lead_id] = None
        elif state.updated_at <= moment - TIME_PRECISION and (
            created_before is None or state.created_at is None or state.created_at < created_before
        ):
            stale[lead_id] = state.created_at
    return stale


def _read_event(payload: str) -> _Event:
    """The event; one without a lead when it does not have the documented form."""
    try:
        return _event_decoder.decode(with_whole_characters(payload.encode()))
    except (msgspec.DecodeError, RecursionError):
        return _Event(created_at="")


def _cheaper_by_list(
    changed: Mapping[str, datetime | None], landed: Landed, since: datetime, budget: int
) -> datetime | None:
    """The `created_at` from which list pages cost fewer requests than the leads one by one.

    None when single requests are cheaper. They bring the details too, which the run reads for
    as many leads as its budget allows in either case. Leads that never landed have no known place in the
    list; those older than the rest are read one by one afterwards.
    """
    created = [moment for moment in changed.values() if moment is not None]
    if not created:
        return None
    oldest = min(created)
    pages = ceil(landed.count_created_between(oldest, since) / PAGE_SIZE)
    return oldest if pages + min(budget, len(created)) < len(created) else None


def _read_list(body: bytes) -> Page:
    envelope = decode_envelope(body, _list_decoder)
    return Page(envelope.data, envelope.next_cursor or None)


def _read_record(body: bytes) -> Page:
    return Page([decode_record(body)], None)
