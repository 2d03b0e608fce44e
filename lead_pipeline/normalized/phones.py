"""The step of a load that reads phone numbers: as served, beside what can be called."""

from __future__ import annotations

from collections.abc import Sequence

from lead_pipeline.contacts.phones import read_phone
from lead_pipeline.normalized.steps import StepContext


def read_phones(served: Sequence[str], context: StepContext) -> Sequence[Sequence[str | None]]:
    """Numbers that can be called, extensions and types of phone numbers as served."""
    read = [read_phone(text, context.phone_region) for text in served]
    return (
        [phone.e164 for phone in read],
        [phone.extension for phone in read],
        [phone.type for phone in read],
    )
