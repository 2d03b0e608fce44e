"""Contract drift: what APIs serve that no mapping knows, counted instead of dropped in silence.

    landed ──┬─ fields, types, values of each record ──▶ those not in contract.csv ──▶ contract_drift

`contract.csv` lists, per provider and stream, every documented field with its JSON type; for
enumerated ones the documented values; and for those that tell the stage, whether `stages.csv`
maps them as `status` or `stage` (a value mapped there is known too). Members of free-form objects
(custom fields, attributes, the diff of an event) are not listed, so they are never drift.

Belongs here: counting. Does not belong here: the asset check on it (`checks.py`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.stage_names import fold_names

CONTRACT_PATH = files("lead_pipeline").joinpath("normalized", "contract.csv")


@dataclass(frozen=True)
class KnownField:
    """One documented field of a stream's records; `field` is its path, with dots."""

    provider: str
    stream: str
    field: str
    type: str
    """`string`, `number`, `boolean` or `object`; null is always allowed."""
    values: tuple[str, ...]
    """Documented values; empty where any is allowed or `stage_field` tells them."""
    stage_field: str | None
    """`status` or `stage` where values that `stages.csv` maps are known too."""


def load_known_fields() -> tuple[KnownField, ...]:
    """The rows of `contract.csv`."""
    return tuple(
        KnownField(
            row["provider"],
            row["stream"],
            row["field"],
            row["type"],
            tuple(row["values"].split()),
            row["stage_field"] or None,
        )
        for row in csv.DictReader(io.StringIO(CONTRACT_PATH.read_text("utf-8")))
    )


def fill_known_fields(session: Session, fields: Sequence[KnownField]) -> None:
    """Give the session what `contract.csv` says, as the temporary table `known_fields`."""
    session.execute(
        "create or replace temp table known_fields (provider varchar, stream varchar, "
        "field varchar, type varchar, known_values varchar[], stage_field varchar)"
    )
    session.insert_columns(
        "known_fields",
        {
            "provider": [field.provider for field in fields],
            "stream": [field.stream for field in fields],
            "field": [field.field for field in fields],
            "type": [field.type for field in fields],
            "known_values": [list(field.values) for field in fields],
            "stage_field": [field.stage_field for field in fields],
        },
    )


def count_drift(session: Session, known_fields: Sequence[KnownField]) -> None:
    """Add what is unknown in the records of `landed` to `normalized.contract_drift`."""
    streams = session.fetch("select distinct provider, stream from landed_records order by all")
    for provider, stream in streams:
        fields = [f for f in known_fields if (f.provider, f.stream) == (provider, stream)]
        objects = sorted({f.field.rpartition(".")[0] for f in fields})
        typed = [f.field for f in fields]
        valued = [f.field for f in fields if f.values or f.stage_field]
        session.run(
            "record_shapes",
            {
                "provider": provider,
                "stream": stream,
                "object_paths": [_path(name) for name in objects],
                "typed_paths": [_path(name) for name in typed],
                "valued_paths": [_path(name) for name in valued],
            },
        )
        session.execute(
            "create or replace temp table paths as select ? as objects, ? as typed, ? as valued",
            [objects, typed, valued],
        )
        fold_names(session, "select unnest(shown_values) from shapes")
        session.run("count_drift")


def _path(field: str) -> str:
    return f"$.{field}" if field else "$"
