"""The tables of `warehouse.duckdb`: making them, and knowing what they were made with.

Belongs here: schema `normalized` as a whole. Does not belong here: rows (`records.py`, `load.py`),
and what tables are made with (`fingerprint.py`).
"""

from __future__ import annotations

from lead_pipeline.normalized.columns import describe_tables
from lead_pipeline.normalized.fingerprint import Fingerprint, Recipe
from lead_pipeline.normalized.mapped_stages import fill_stages
from lead_pipeline.normalized.session import Session


def noted_fingerprint(session: Session) -> Fingerprint | None:
    """What the tables of a warehouse were made with; None where there are none.

    Empty where a version of ours has made them that did not note it.
    """
    tables = session.fetch(
        "select table_name from information_schema.tables where table_schema = 'normalized'"
    )
    if not tables:
        return None
    if ("fingerprint",) not in tables:
        return {}
    return dict(session.fetch("select input, digest from normalized.fingerprint"))


def create_tables(session: Session, recipe: Recipe) -> None:
    """Make all tables, empty but for the stage mapping, with their comments."""
    session.run("schema")
    describe_tables(session)
    fill_stages(session, recipe.stages)
    session.insert("normalized.fingerprint", list(recipe.fingerprint().items()))
