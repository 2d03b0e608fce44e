"""What a build needs that definitions do without, made ready before it begins.

    definitions loaded ──▶ loading, dbt's command line, the parsed project, upkeep ──▶ the build waits for none

Most of those who load definitions only look at them. Who has a moment before a build, as while accounts
land, spends it here.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lead_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from lead_pipeline.settings import Settings


def prepare_to_publish(settings: Settings) -> None:
    """Import and read it, once definitions are loaded: a second or two, in any thread."""
    # dagster_dbt, which definitions import, takes away the handlers that dbt gives to the root logger.
    from lead_pipeline.bi.merged_project import project_of
    from lead_pipeline.bi.parsed_dbt import prepare_dbt
    from lead_pipeline.normalized import load
    from lead_pipeline.orchestration import upkeep

    del load, upkeep
    # Own models that cannot be taken stop the build, which says so.
    with suppress(ConfigurationError):
        prepare_dbt(project_of(settings))
