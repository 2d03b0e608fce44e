"""What assets that build and publish import when they run, imported before they do.

Definitions do without, since most of their readers only look; who has a moment before a build spends it
here.
"""

from __future__ import annotations

from importlib import import_module

# After the definitions: dagster_dbt takes away the handlers that dbt gives to the root logger.
_BUILDING = ("lead_pipeline.bi.parsed_dbt", "lead_pipeline.orchestration.upkeep")


def import_what_publishing_needs() -> None:
    """Import it; takes a second or two the first time."""
    for module in _BUILDING:
        import_module(module)
