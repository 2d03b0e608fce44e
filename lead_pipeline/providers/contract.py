"""What a provider documents of its records: the rows of `contract.csv` in its folder.

    stream, field, type, values, stage_field, column ──▶ KnownField

One row per documented field of a stream. Fields that only some records have count too; members of
free-form objects do not.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.providers.base import Provider

COLUMNS = ("stream", "field", "type", "values", "stage_field", "column")
TYPES = ("string", "number", "boolean", "object", "array")


@dataclass(frozen=True)
class KnownField:
    """One documented field of a stream's records; `field` is its path, with dots."""

    provider: str
    stream: str
    field: str
    type: str
    """One of `TYPES`; null is always allowed."""
    values: tuple[str, ...]
    """Documented values; empty where any is allowed or `stage_field` tells them."""
    stage_field: str | None
    """`status` or `stage` where values that the stage mapping has are known too."""
    column: str | None
    """The lead column that takes the field, if one does: by `leads.sql`, or as its identity."""


def known_fields(provider: Provider) -> tuple[KnownField, ...]:
    """The rows of the provider's `contract.csv`, in their order.

    Raises `ConfigurationError` naming the line that cannot be used.
    """
    rows = csv.DictReader(io.StringIO(provider.read_file("contract.csv")))
    where = f"contract.csv of {provider.slug}"
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise ConfigurationError(f"{where}, line 1: the columns must be {','.join(COLUMNS)}.")
    streams = {stream.name for stream in provider.streams}
    found = []
    for row in rows:
        if problem := _problem(row, streams):
            raise ConfigurationError(f"{where}, line {rows.line_num}: {problem}.")
        found.append(
            KnownField(
                provider.slug,
                row["stream"],
                row["field"],
                row["type"],
                tuple(row["values"].split()),
                row["stage_field"] or None,
                row["column"] or None,
            )
        )
    return tuple(found)


def mapped_paths(provider: Provider) -> Mapping[str, str]:
    """Which column takes which part of a payload: dotted path to column."""
    return {field.field: field.column for field in known_fields(provider) if field.column}


def _problem(row: Mapping[str, str | None], streams: set[str]) -> str | None:
    if any(row[column] is None for column in COLUMNS):
        return f"it needs {len(COLUMNS)} cells"
    if row["stream"] not in streams:
        return f"there is no stream {row['stream']!r}"
    if not row["field"]:
        return "the field is empty"
    if row["type"] not in TYPES:
        return f"the type must be one of {', '.join(TYPES)}"
    if row["stage_field"] not in ("", "status", "stage"):
        return "stage_field must be status, stage or empty"
    return None
