"""The least surprising record of each provider, by number, with every field.

For tests and benchmarks that put their own.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from lead_pipeline.sandbox.mega_business import OWNERS, STAGES
from lead_pipeline.sandbox.messages import Record, iso
from lead_pipeline.sandbox.tenants import EXPERT_AI_LABS_ORGANIZATION_ID, MEGA_CUSTOMER_ID

_START = datetime(2026, 1, 1, tzinfo=UTC)


def lead_id(number: int) -> str:
    """The uuid of the lead of this number; a higher number sorts later."""
    return str(uuid.UUID(int=number, version=4))


def mega_lead(
    number: int, at: datetime = _START, updated_at: datetime | None = None, **fields: Any
) -> Record:
    """A lead of MEGA, created at `at`, with other fields in place of the plain ones."""
    return {
        "id": lead_id(number),
        "customer_id": MEGA_CUSTOMER_ID,
        "contact_name": f"Jane Buyer {number}",
        "contact_phone": "+12065550123",
        "contact_email": f"jane{number}@example.com",
        "source_platform": "referral",
        "source_type": "form",
        "status": "active",
        "score": 50,
        "qualified": None,
        "current_stage": STAGES[0],
        "owner": OWNERS[0],
        "last_interaction_at": None,
        "interaction_count": 0,
        "created_at": iso(at),
        "updated_at": iso(updated_at or at),
        "custom_fields": {"lead_line": "buyer", "budget": "500000"},
        **fields,
    }


def expert_ai_labs_lead(
    number: int, at: datetime = _START, updated_at: datetime | None = None, **fields: Any
) -> Record:
    """A full lead of Expert AI Labs, created at `at`."""
    return {
        "id": lead_id(number),
        "organization_id": EXPERT_AI_LABS_ORGANIZATION_ID,
        "name": f"Sarah Mitchell {number}",
        "company": None,
        "email": f"sarah{number}@example.com",
        "source": "google_ads",
        "lead_score": 50,
        "pipeline_stage": "new",
        "industry": "residential",
        "company_size": None,
        "pain_points": None,
        "timeline": None,
        "budget_range": None,
        "ai_reasoning": None,
        "qualification_completed_at": None,
        "created_at": iso(at),
        "updated_at": iso(updated_at or at),
        **fields,
    }


def vorel_lead(
    number: int, at: datetime = _START, updated_at: datetime | None = None, **fields: Any
) -> Record:
    """A lead of Vorel, created at `at`."""
    return {
        "id": lead_id(number),
        "conversation_id": lead_id(number + 1_000_000_000),
        "name": f"Omar Reyes {number}",
        "email": f"omar{number}@example.com",
        "phone": "+12065550123",
        "intent": "buy_property",
        "attributes": {"bedrooms": 3, "budget_min": 250000, "area": "Riverside"},
        "timeline": "asap",
        "qualification_score": 50,
        "status": "new",
        "source": "whatsapp",
        "created_at": iso(at),
        "updated_at": iso(updated_at or at),
        **fields,
    }
