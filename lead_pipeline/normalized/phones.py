"""The step of a load that reads phone numbers: as served, beside what can be called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lead_pipeline.contacts.phones import read_phone
from lead_pipeline.normalized.steps import Columns, StepContext


def read_phones(rows: Sequence[Any], context: StepContext) -> Columns:
    """Phone numbers as served, one a row, beside what they are read as."""
    served = [text for (text,) in rows]
    read = [read_phone(text, context.phone_region) for text in served]
    return {
        "phone": served,
        "phone_e164": [phone.e164 for phone in read],
        "phone_extension": [phone.extension for phone in read],
        "phone_type": [phone.type for phone in read],
    }
