"""What every provider's folder says without code: mapping, documented fields, stages, options."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline.normalized.stages import read_stages
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Provider
from lead_pipeline.providers.contract import KnownField, known_fields
from lead_pipeline_tests.imitations import IMITATIONS

pytestmark = [
    pytest.mark.parametrize("slug", IMITATIONS),
    pytest.mark.usefixtures("deals_installed"),
]

LANDED = {
    "provider": "varchar",
    "account": "varchar",
    "stream": "varchar",
    "record_id": "varchar",
    "updated_at": "timestamp with time zone",
    "created_at": "timestamp with time zone",
    "fetched_at": "timestamp with time zone",
    "served_at": "timestamp with time zone",
    "crawl_id": "varchar",
    "page": "integer",
    "record_row": "bigint",
    "payload": "varchar",
}
"""The columns of `landed`, which every mapping reads."""
LEAD = {
    "tenant_id": "varchar",
    "full_name": "varchar",
    "email": "varchar",
    "phone": "varchar",
    "company": "varchar",
    "source": "varchar",
    "source_type": "varchar",
    "provider_status": "varchar",
    "provider_stage": "varchar",
    "provider_stage_id": "varchar",
    "provider_stage_name": "varchar",
    "score": "double",
    "is_qualified": "boolean",
    "owner_id": "varchar",
    "owner_name": "varchar",
    "owner_role": "varchar",
    "intent": "varchar",
    "timeline": "varchar",
    "budget_range": "varchar",
    "pain_points": "varchar",
    "ai_reasoning": "varchar",
    "industry": "varchar",
    "company_size": "varchar",
    "conversation_id": "varchar",
    "interaction_count": "bigint",
    "last_interaction_at": "varchar",
    "qualification_completed_at": "varchar",
    "custom_fields": "json",
    "has_details": "boolean",
}
"""What `leads.sql` makes of a record, in addition to what it passes on."""
OF_IDENTITY = {"lead_id", "updated_at", "created_at"}
EXAMPLES: dict[str, Any] = {
    "string": "2026-01-05T10:00:00.000Z",
    "number": 1767607200000,
    "boolean": True,
    "object": {"a": 1},
}
"""A value of each type that no column refuses: also read as a time or a number."""


def mapped(provider: Provider, stream: str, payload: object) -> tuple[dict[str, str], list[Any]]:
    """Names and types of the columns, and the one row, that the mapping makes of a payload."""
    with closing(duckdb.connect()) as connection:
        connection.execute("set TimeZone = 'UTC'")
        columns = ", ".join(f"{name} {type_}" for name, type_ in LANDED.items())
        connection.execute(f"create temp table landed ({columns})")
        now, text = datetime(2026, 1, 6, tzinfo=UTC), json.dumps(payload)
        values = [provider.slug, "acme", stream, "7", now, now, now, now, "crawl", 1, 5, text]
        marks = ", ".join("?" * len(values))
        connection.execute(f"insert into landed values ({marks})", values)  # noqa: S608
        sql = provider.read_file("leads.sql")
        described = connection.execute(f"describe {sql}").fetchall()
        [row] = connection.execute(sql).fetchall()
    return {name: type_.lower() for name, type_, *_ in described}, list(row)


def holding(field: str, value: object) -> dict[str, Any]:
    """A payload with nothing but the value at a dotted path."""
    name, _, rest = field.partition(".")
    return {name: holding(rest, value) if rest else value}


def of_leads(provider: Provider) -> list[KnownField]:
    """The documented fields of the streams that hold leads."""
    streams = provider.streams_of("records", "details", "cohort")
    return [field for field in known_fields(provider) if field.stream in streams]


def test_mapping_makes_the_lead_columns_and_passes_the_others_on(slug: str) -> None:
    provider = PROVIDERS[slug]
    columns, _ = mapped(provider, provider.records_stream.name, {})
    kept = {name: type_ for name, type_ in LANDED.items() if name != "payload"}
    assert columns == {**kept, **LEAD}


def test_each_documented_field_fills_the_column_that_it_names_and_no_other(slug: str) -> None:
    provider = PROVIDERS[slug]
    for field in of_leads(provider):
        if field.type in ("object", "array") and field.column is None:
            continue
        value = EXAMPLES.get(field.type)
        names, empty = mapped(provider, field.stream, {})
        _, filled = mapped(provider, field.stream, holding(field.field, value))
        changed = {n for n, a, b in zip(names, empty, filled, strict=True) if a != b}
        wanted = {field.column} - {None} - OF_IDENTITY
        assert (field.field, changed - {"record_row"}) == (field.field, wanted)


def test_every_stream_has_documented_fields_and_each_stands_once(slug: str) -> None:
    fields = [(field.stream, field.field) for field in known_fields(PROVIDERS[slug])]
    assert {stream for stream, _ in fields} == {s.name for s in PROVIDERS[slug].streams}
    assert len(fields) == len(set(fields))


def test_records_name_their_id_and_their_times(slug: str) -> None:
    provider = PROVIDERS[slug]
    of_list = {f.column for f in of_leads(provider) if f.stream == provider.records_stream.name}
    assert of_list >= OF_IDENTITY


def test_stages_are_canonical_and_their_fields_documented(slug: str) -> None:
    provider = PROVIDERS[slug]
    rows = read_stages(provider.read_file("stages.csv"), "stages.csv", of=slug)
    assert {row.stage for row in rows} <= CANONICAL_STAGES.keys()
    documented = {f.stage_field for f in of_leads(provider) if f.stage_field}
    assert {row.field for row in rows} <= documented


def test_options_have_usable_defaults(slug: str) -> None:
    for option in PROVIDERS[slug].options:
        assert option.default is None or option.default >= option.minimum
        assert option.maximum is None or (option.default or 0) <= option.maximum
