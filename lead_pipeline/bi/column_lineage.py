"""Which columns each column of a dbt model is made of, read from the SQL that dbt has compiled.

    <target>/compiled/…/<model>.sql + the columns of the built file ──sqlglot──▶ column ──▶ columns

Belongs here: one step, from a model to the models, seeds and sources that it names. Does not belong
here: what Dagster shows of it (`orchestration/dbt_assets.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

from lead_pipeline.storage.sql import read_sql

Columns = Mapping[tuple[str, str], Mapping[str, str]]
"""Names and types of the columns of each relation, by schema and name."""
Lineage = Mapping[str, list[tuple[str, str]]]
"""By column: dbt's id of a parent and the name of a column of it, in order."""


def columns_of(connection: duckdb.DuckDBPyConnection) -> Columns:
    """The columns of every table and view in the connection's file."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, name, column, kind in connection.execute(read_sql("bi", "all_columns")).fetchall():
        found.setdefault((schema, name), {})[column] = kind
    return found


def column_lineage(
    manifest: Mapping[str, Any], target_path: Path, columns: Columns
) -> dict[str, Lineage]:
    """The lineage of the models that dbt has compiled below `target_path`, by dbt's id.

    A model whose SQL sqlglot does not understand is left out: what is shown is known.
    """
    found = {}
    for unique_id, node in manifest["nodes"].items():
        path = target_path / "compiled" / node["package_name"] / node["original_file_path"]
        if node["resource_type"] != "model" or not path.exists():
            continue
        try:
            found[unique_id] = _lineage_of(
                path.read_text("utf-8"), _parents(node, manifest), columns
            )
        except SqlglotError:
            continue
    return found


def _parents(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """dbt's ids of what the model reads, by schema and name."""
    ids: Iterable[str] = node["depends_on"]["nodes"]
    parents = {unique_id: manifest["nodes"].get(unique_id) for unique_id in ids}
    parents = {id_: parent or manifest["sources"][id_] for id_, parent in parents.items()}
    return {(parent["schema"], parent["name"]): id_ for id_, parent in parents.items()}


def _lineage_of(sql: str, parents: Mapping[tuple[str, str], str], columns: Columns) -> Lineage:
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for relation in parents:
        schema.setdefault(relation[0], {})[relation[1]] = dict(columns.get(relation, {}))
    # The catalog, which the SQL names, is called after the file.
    tables = dict.fromkeys(_catalogs(sql), schema)
    nodes: dict[str, Node] = lineage(None, sql, tables, dialect="duckdb", trim_selects=False)
    return {
        column: sorted(
            {
                (parents[relation], exp.to_column(leaf.name).name)
                for leaf in node.walk()
                if isinstance(leaf.source, exp.Table)
                and (relation := (leaf.source.db, leaf.source.name)) in parents
                and exp.to_column(leaf.name).name in columns.get(relation, {})
            }
        )
        for column, node in nodes.items()
    }


def _catalogs(sql: str) -> set[str]:
    return {
        table.catalog for table in parse_one(sql, dialect="duckdb").find_all(exp.Table) if table.db
    }
