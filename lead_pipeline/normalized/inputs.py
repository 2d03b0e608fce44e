"""What tables are loaded with apart from landed files: stage mapping, contracts, settings.

Belongs here: reading these, once a load. Does not belong here: what else decides values
(`fingerprint.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from lead_pipeline.normalized.stages import StageMapping, stages_of
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.contract import KnownField, known_fields
from lead_pipeline.settings import Settings


@dataclass(frozen=True)
class LoadInputs:
    """Read once, so that the whole of a load goes by the same."""

    stages: tuple[StageMapping, ...]
    known_fields: tuple[KnownField, ...]
    phone_region: str

    @classmethod
    def of(cls, settings: Settings) -> LoadInputs:
        """As the settings and files say now. Raises `LoadError` when a file cannot be used."""
        stages = tuple(stages_of(settings))
        fields = tuple(field for p in PROVIDERS.values() for field in known_fields(p))
        return cls(stages, fields, settings.phone_region)
