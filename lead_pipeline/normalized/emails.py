"""The step of a load that reads e-mail addresses: as served, beside the form of their mailbox."""

from __future__ import annotations

from collections.abc import Sequence

from lead_pipeline.contacts.emails import normalized_email
from lead_pipeline.normalized.steps import StepContext


def normalized_emails(
    served: Sequence[str], context: StepContext
) -> Sequence[Sequence[str | None]]:
    """The normalized forms of addresses as served."""
    del context
    return ([normalized_email(text) for text in served],)
