"""Looking statuses and stages up in the stage mapping: each distinct pair once.

    records, intervals ──distinct──▶ new pairs ──fold, look up──▶ normalized.mapped_stages

Belongs here: filling that table and what it is looked up in. Does not belong here: reading the
mapping (`stages.py`), when names are the same (`stage_names.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.stage_names import fold_names
from lead_pipeline.normalized.stages import StageMapping
from lead_pipeline.providers.base import Provider


def fill_stages(session: Session, rows: Sequence[StageMapping]) -> None:
    """Give empty tables the mapping and the canonical stages."""
    session.insert("normalized.stages", [astuple(row) for row in rows])
    canonical = [astuple(stage) for stage in CANONICAL_STAGES.values()]
    session.insert("normalized.canonical_stages", canonical)


def map_records(session: Session, provider: Provider) -> None:
    """Make `observed` of the provider's records in `landed`: lead columns, keys, stage."""
    session.execute(f"create or replace temp view mapped as {provider.read_file('leads.sql')}")
    session.run("normalize")
    map_stages(session, "keyed")
    session.run("observed")


def map_stages(session: Session, table: str) -> None:
    """Add the statuses and stages in `table` that `normalized.mapped_stages` does not have yet."""
    session.run("unmapped_pairs", {"name": table})
    fold_names(
        session,
        "select provider_status from unmapped_pairs union select provider_stage from unmapped_pairs",
    )
    session.run("map_stages")
