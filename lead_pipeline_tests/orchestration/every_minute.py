"""The code location of production, but for a night that begins every minute."""

from __future__ import annotations

import dagster as dg

from lead_pipeline.definitions import load_definitions


@dg.definitions
def defs() -> dg.Definitions:
    """As production has it, with nights to wait for."""
    return load_definitions(nightly_cron="* * * * *")
