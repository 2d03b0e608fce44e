"""The lead APIs. One file each; registering a provider is one line here."""

from __future__ import annotations

from lead_pipeline.providers.base import Provider
from lead_pipeline.providers.expert_ai_labs import ExpertAiLabs
from lead_pipeline.providers.mega import Mega
from lead_pipeline.providers.vorel import Vorel

PROVIDERS: dict[str, Provider] = {
    provider.slug: provider for provider in (Mega(), ExpertAiLabs(), Vorel())
}
"""Every provider by its slug, in the order people see them."""
