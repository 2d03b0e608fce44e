"""The step of a load that reads e-mail addresses: as served, beside the form of their mailbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lead_pipeline.contacts.emails import normalized_email
from lead_pipeline.normalized.steps import Columns, StepContext


def normalized_emails(rows: Sequence[Any], context: StepContext) -> Columns:
    """Addresses as served, one a row, beside their normalized forms."""
    del context
    served = [text for (text,) in rows]
    return {"email": served, "email_normalized": [normalized_email(text) for text in served]}
