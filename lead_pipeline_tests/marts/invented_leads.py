"""Invented leads, and the rows that loading would have written for them.

Belongs here: what is known of one lead. Does not belong here: how leads come about and change
(`world`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from uuid import NAMESPACE_URL, uuid5

ACCOUNTS = {
    "mega": "mega",
    "mega_quiet": "mega",
    "expert_ai_labs": "expert_ai_labs",
    "vorel": "vorel",
    "vorel_eu": "vorel",
}


WATCHED_FROM = datetime(2026, 1, 6, 2, 30, tzinfo=UTC)
"""When the first poll of each account began that was."""
UNWATCHED = "vorel"
"""No crawl of this account is complete."""


@dataclass(frozen=True)
class Step:
    """A stage that a lead was in, from one of several possible moments on."""

    stage: str
    provider_stage: str
    entered_at: datetime
    entered_after: datetime | None
    evidence: str
    provider_status: str | None = None


@dataclass(frozen=True)
class Version:
    """A state in which a lead was observed."""

    updated_at: datetime
    last_seen_at: datetime
    score: float | None
    owner: tuple[str, str] | None


@dataclass(frozen=True)
class InventedLead:
    """A lead with all that is known of it."""

    account: str
    lead_id: str
    created_at: datetime | None
    steps: tuple[Step, ...]
    versions: tuple[Version, ...]
    source: str | None = None
    full_name: str | None = None
    email: str | None = None
    phone: str | None = None
    """In E.164 form."""
    extension: str | None = None
    last_interaction_at: datetime | None = None
    missing_since: datetime | None = None
    is_listed: bool | None = None
    """Whether Vorel's newest list of stale leads has it; None: it was never listed."""

    @property
    def key(self) -> str:
        return f"{self.account}:{self.lead_id}"

    @property
    def updated_at(self) -> datetime:
        return max(version.updated_at for version in self.versions)

    @property
    def last_seen_at(self) -> datetime:
        return max(version.last_seen_at for version in self.versions)


def phone_type(phone: str) -> str:
    """One of several types, always the same of a number."""
    return ("mobile", "fixed_line", "mobile", "toll_free")[int(phone[1:]) % 37 % 4]


def lead_row(lead: InventedLead) -> dict[str, object]:
    current, newest = lead.steps[-1], lead.versions[-1]
    return {
        "lead_key": lead.key,
        "provider": ACCOUNTS[lead.account],
        "account": lead.account,
        "lead_id": lead.lead_id,
        "full_name": lead.full_name,
        "email": lead.email,
        "email_normalized": lead.email,
        "phone": lead.phone,
        "phone_e164": lead.phone,
        "phone_extension": lead.extension if lead.phone else None,
        "phone_type": phone_type(lead.phone) if lead.phone else None,
        "source": lead.source,
        "provider_status": current.provider_status,
        "provider_stage": current.provider_stage,
        "stage": current.stage,
        "score": newest.score,
        "owner_id": newest.owner[0] if newest.owner else None,
        "owner_name": newest.owner[1] if newest.owner else None,
        "owner_role": "Closer" if newest.owner and newest.owner[0] == "o1" else None,
        "last_interaction_at": lead.last_interaction_at,
        "created_at": lead.created_at,
        "updated_at": lead.updated_at,
        "first_seen_at": lead.versions[0].last_seen_at,
        "last_seen_at": lead.last_seen_at,
        "watched_from": None
        if lead.created_at is None or lead.account == UNWATCHED
        else max(lead.created_at, WATCHED_FROM),
        "missing_since": lead.missing_since,
    }


def unobserved_rows(lead: InventedLead) -> list[dict[str, object]]:
    """Between two polls, the lead changed to each stage that was observed."""
    return [
        {
            "lead_key": lead.key,
            "account": lead.account,
            "changed_after": step.entered_after,
            "changed_until": step.entered_at,
        }
        for step in lead.steps
        if step.evidence == "observed" and step.entered_after != step.entered_at
    ]


def history_rows(lead: InventedLead) -> list[dict[str, object]]:
    ends = [step.entered_at for step in lead.steps[1:]]
    return [
        {
            "lead_key": lead.key,
            "provider": ACCOUNTS[lead.account],
            "account": lead.account,
            "lead_id": lead.lead_id,
            "stage_number": number,
            "stage": step.stage,
            "provider_status": step.provider_status,
            "provider_stage": step.provider_stage,
            "entered_at": step.entered_at,
            "entered_after": step.entered_after,
            "exited_at": end,
            "is_current": end is None,
            "evidence": step.evidence,
        }
        for number, (step, end) in enumerate(zip(lead.steps, [*ends, None], strict=True), 1)
    ]


def version_rows(lead: InventedLead) -> list[dict[str, object]]:
    return [
        {
            "version_id": str(uuid5(NAMESPACE_URL, f"{lead.key}/{number}")),
            "lead_key": lead.key,
            "provider": ACCOUNTS[lead.account],
            "account": lead.account,
            "lead_id": lead.lead_id,
            "score": version.score,
            "owner_id": version.owner[0] if version.owner else None,
            "owner_name": version.owner[1] if version.owner else None,
            "updated_at": version.updated_at,
            "first_seen_at": version.last_seen_at,
            "last_seen_at": version.last_seen_at,
            "has_details": False,
            "stream": "leads",
            "crawl_id": "crawl",
            "page": 1,
            "fetched_at": version.last_seen_at,
            "payload": "{}",
        }
        for number, version in enumerate(lead.versions, 1)
    ]


OBSERVED = (
    "lead_key",
    "version_id",
    "provider",
    "account",
    "crawl_id",
    "has_details",
    "updated_at",
)
"""What an observation has of its version."""


def observation_rows(lead: InventedLead) -> list[dict[str, object]]:
    """Each version was served once, one after the other."""
    moments = accumulate(
        (version.last_seen_at for version in lead.versions),
        lambda before, moment: max(before + timedelta(seconds=1), moment),
    )
    return [
        {
            **{name: row[name] for name in OBSERVED},
            "served_at": moment,
            "fetched_at": moment,
        }
        for row, moment in zip(version_rows(lead), moments, strict=True)
    ]
