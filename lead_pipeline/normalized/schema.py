"""The tables of `warehouse.duckdb`: making them, and knowing what they were made with.

Belongs here: schema `normalized` as a whole. Does not belong here: rows (`records.py`, `load.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from lead_pipeline.normalized.columns import describe_tables
from lead_pipeline.normalized.mapped_stages import fill_stages
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.stages import StageMapping, stages_digest, stages_of
from lead_pipeline.settings import Settings

SCHEMA_VERSION = "5"
"""Raise it when the tables or the mapping change: the next load builds them again."""


@dataclass(frozen=True)
class Recipe:
    """What tables are made with, apart from landed files: when it changes, they are made anew."""

    stages: tuple[StageMapping, ...]
    phone_region: str

    @classmethod
    def of(cls, settings: Settings) -> Recipe:
        """As the settings say now. Raises `LoadError` when a stage mapping cannot be used."""
        return cls(tuple(stages_of(settings)), settings.phone_region)

    def noted(self) -> dict[str, str]:
        """As it is noted in the warehouse."""
        return {
            "schema_version": SCHEMA_VERSION,
            "stages_digest": stages_digest(list(self.stages)),
            "phone_region": self.phone_region,
        }


def known_recipe(session: Session) -> dict[str, str] | None:
    """What the tables of a warehouse were made with; None where there are none."""
    tables = session.fetch(
        "select 1 from information_schema.tables "
        "where table_schema = 'normalized' and table_name = 'settings'"
    )
    if not tables:
        return None
    return dict(session.fetch("select name, value from normalized.settings"))


def create_tables(session: Session, recipe: Recipe) -> None:
    """Make all tables, empty but for the stage mapping, with their comments."""
    session.run("schema")
    describe_tables(session)
    fill_stages(session, recipe.stages)
    session.insert("normalized.settings", list(recipe.noted().items()))
