"""Contract drift: what APIs serve that no mapping knows, counted instead of dropped in silence.

    landed ──┬─ fields, types, values of each record ──▶ those not in contract.csv ──▶ contract_drift

Known are the fields that the providers' `contract.csv` lists (`providers/contract.py`), and, of
those that tell the stage, the values that the stage mapping has. Members of free-form objects
(custom fields, attributes, the diff of an event) are not listed, so they are never drift.
"""

from __future__ import annotations

from collections.abc import Sequence

from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.stage_names import fold_names
from lead_pipeline.providers.contract import KnownField


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
