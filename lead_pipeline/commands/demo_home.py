"""How the demo's folder is told from one with real leads.

Belongs here: what other commands ask before they write there. Does not belong here: the demo itself
(`nights.py`), which imports all that a night needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lead_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from lead_pipeline.settings import Settings


def marker_path(home: Path) -> Path:
    """The file that tells a demo's folder from one with real leads."""
    return home / "demo.json"


def refuse_demo_home(settings: Settings) -> None:
    """Raise `ConfigurationError` when real leads would be mixed into the demo's."""
    if marker_path(settings.home).exists():
        raise ConfigurationError(
            f"{settings.home} belongs to the demo. Set LEAD_PIPELINE_HOME to another folder, or "
            "remove this one."
        )
