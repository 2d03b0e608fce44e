"""Tables and views are made at once in a new file, and are what dbt itself would have made."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.building import invent_world, run_dbt

OURS = ("staging", "intermediate", "marts")
MODELS_AND_SEEDS = ("build", "--resource-type", "model", "--resource-type", "seed")
CATALOG = {
    # Our views name no catalog, dbt's own that of the file.
    "relations": "select schema_name, table_name, sql, comment from duckdb_tables()"
    " union all select schema_name, view_name, replace(sql, 'leads.', ''), comment from duckdb_views()",
    "columns": "select schema_name, table_name, column_name, data_type, is_nullable, comment"
    " from duckdb_columns()",
    "constraints": "select schema_name, table_name, constraint_text from duckdb_constraints()",
}


def test_tables_of_a_new_file_are_those_that_dbt_itself_makes(tmp_path: Path) -> None:
    candidate = tmp_path / "leads.duckdb"
    prepare_candidate(invent_world().write_warehouse(tmp_path / "warehouse.duckdb"), candidate)
    run_dbt(tmp_path / "target", candidate, *MODELS_AND_SEEDS)
    made = contents(candidate)
    # All of them are there by now, so dbt's own materializations put new ones in their place.
    run_dbt(tmp_path / "target", candidate, *MODELS_AND_SEEDS)

    assert made == contents(candidate)
    assert {schema for schema, *_ in made["relations"]} == set(OURS)
    assert any(comment for *_, comment in made["columns"])
    assert made["constraints"]


def contents(candidate: Path) -> dict[str, list[Any]]:
    """What the schemas of models hold, and how it is declared."""
    with closing(connect_utc(candidate, read_only=True)) as connection:
        found = {
            name: connection.execute(
                f"from ({query}) where schema_name in ($one, $two, $three) order by all",
                dict(zip(("one", "two", "three"), OURS, strict=True)),
            ).fetchall()
            for name, query in CATALOG.items()
        }
        for schema, name, *_ in found["relations"]:
            rows = connection.execute(f"from {schema}.{name} order by all").fetchall()
            found[f"{schema}.{name}"] = [tuple(map(rounded, row)) for row in rows]
    return found


def rounded(value: object) -> object:
    """Sums of fractions depend on the order in which threads have come by."""
    return round(value, 6) if isinstance(value, float) else value
