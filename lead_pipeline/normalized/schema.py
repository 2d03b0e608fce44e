"""The tables of `warehouse.duckdb`: making them, and knowing what they were made with."""

from __future__ import annotations

from collections.abc import Sequence

from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline.normalized.columns import description_of
from lead_pipeline.normalized.fingerprint import Fingerprint, fingerprint_of
from lead_pipeline.normalized.inputs import LoadInputs
from lead_pipeline.normalized.session import Session, values_of
from lead_pipeline.normalized.stages import StageMapping


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


def create_tables(session: Session, inputs: LoadInputs) -> None:
    """Make all tables, empty but for the stage mapping, with their comments."""
    session.run("schema")
    _describe_tables(session)
    fill_stages(session, inputs.stages)
    session.insert("normalized.fingerprint", list(fingerprint_of(inputs).items()))


def _describe_tables(session: Session) -> None:
    """Comment every column of schema `normalized`."""
    texts = [
        f"comment on column normalized.{table}.{column} is {_quoted(description_of(table, column))}"
        for table, column, _ in session.query("normalized_columns")
    ]
    session.execute(";".join(texts))


def _quoted(text: str) -> str:
    """A literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def fill_stages(session: Session, rows: Sequence[StageMapping]) -> None:
    """Give empty tables the mapping and the canonical stages."""
    session.insert("normalized.stages", [values_of(row) for row in rows])
    canonical = [values_of(stage) for stage in CANONICAL_STAGES.values()]
    session.insert("normalized.canonical_stages", canonical)
