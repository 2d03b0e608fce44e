"""One description per column: in DuckDB's comments, Dagster's column schema and dbt's sources."""

from __future__ import annotations

import dagster as dg
import pytest

from lead_pipeline.bi.dbt_project import load_manifest
from lead_pipeline.errors import LoadError
from lead_pipeline.normalized.columns import column_schema, description_of
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.orchestration.normalized_assets import KEYS, build_normalized_assets
from lead_pipeline.sandbox.examples import mega_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing, query


def test_every_column_of_the_warehouse_is_commented_with_its_description(
    settings: Settings,
) -> None:
    Landing(settings).leads("mega", mega_lead(1))
    load_landing(settings)
    rows = query(
        settings,
        "select table_name, column_name, comment from duckdb_columns() "
        "where schema_name = 'normalized'",
    )
    told = {(row["table_name"], row["column_name"]): row["comment"] for row in rows}
    assert told == {key: description_of(*key) for key in told}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path[-1])
def test_dagster_shows_name_type_and_description_of_every_column(key: dg.AssetKey) -> None:
    spec = build_normalized_assets([]).specs_by_key[key]
    schema = spec.metadata["dagster/column_schema"]
    shown = [(column.name, column.type, column.description) for column in schema.columns]
    assert shown == column_schema(key.path[-1])


def test_a_source_of_dbt_describes_its_columns_in_the_same_words() -> None:
    sources = [s for s in load_manifest()["sources"].values() if s["schema"] == "normalized"]
    told = {
        (source["name"], name): " ".join(column["description"].split())
        for source in sources
        for name, column in source["columns"].items()
    }
    assert told == {key: description_of(*key) for key in told}


@pytest.mark.parametrize("table", ["leads", "lead_stage_history"])
def test_a_source_of_dbt_lists_every_column(table: str) -> None:
    source = next(s for s in load_manifest()["sources"].values() if s["name"] == table)
    assert set(source["columns"]) == {name for name, _, _ in column_schema(table)}


def test_a_name_that_means_something_else_in_a_table_is_described_for_that_table() -> None:
    assert description_of("lead_versions", "first_seen_at") != description_of(
        "leads", "first_seen_at"
    )


def test_a_column_that_nobody_described_is_named() -> None:
    with pytest.raises(LoadError, match=r"column shoe_size of normalized\.leads"):
        description_of("leads", "shoe_size")
