"""What a build needs that definitions do without, made ready before it begins.

    definitions loaded ──▶ loading, dbt's command line, the parsed project, upkeep ──▶ the build waits for none

Most of those who load definitions only look at them. Who has a moment before a build, as while accounts
land, spends it here.
"""

from __future__ import annotations


def prepare_to_publish() -> None:
    """Import and read it, once definitions are loaded: a second or two, in any thread."""
    # dagster_dbt, which definitions import, takes away the handlers that dbt gives to the root logger.
    from lead_pipeline.bi.parsed_dbt import prepare_dbt
    from lead_pipeline.normalized import load
    from lead_pipeline.orchestration import upkeep

    del load, upkeep
    prepare_dbt()
