"""Which columns each column of a dbt model is made of, read from the SQL that dbt has compiled.

    <target>/compiled/…/<model>.sql + the columns of the built file ──sqlglot──▶ column ──▶ columns

Belongs here: one step, from a model to the models, seeds and sources that it names. Does not belong
here: what Dagster shows of it (`orchestration/dbt_assets.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

from lead_pipeline.storage.files import write_atomically
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


class _Kept(msgspec.Struct):
    """What was found last, and the digest of all that it was found from."""

    digest: str
    found: dict[str, dict[str, list[tuple[str, str]]]]


@dataclass(frozen=True)
class _Model:
    """What the lineage of a model follows from."""

    sql: str
    parents: dict[tuple[str, str], str]
    """dbt's ids of what the model reads, by schema and name."""


def column_lineage(
    manifest: Mapping[str, Any], target_path: Path, columns: Columns, kept_in: Path
) -> Mapping[str, Lineage]:
    """The lineage of the models that dbt has compiled below `target_path`, by dbt's id.

    A model whose SQL sqlglot does not understand is left out: what is shown is known. What was found
    is kept in the folder `kept_in`, beside the parsed project, for the next builds: most nights, nothing of it has changed.
    """
    models = _compiled_models(manifest, target_path)
    digest = _digest(models, columns)
    path = kept_in / "column_lineage.json"
    with suppress(FileNotFoundError, msgspec.DecodeError):
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        if kept.digest == digest:
            return kept.found
    found = {}
    for unique_id, model in models.items():
        # What sqlglot does not understand is left out.
        with suppress(SqlglotError):
            found[unique_id] = _lineage_of(model.sql, model.parents, columns)
    write_atomically(path, msgspec.json.encode(_Kept(digest, found)))
    return found


def _compiled_models(manifest: Mapping[str, Any], target_path: Path) -> dict[str, _Model]:
    models = {}
    for unique_id, node in manifest["nodes"].items():
        path = target_path / "compiled" / node["package_name"] / node["original_file_path"]
        if node["resource_type"] == "model" and path.exists():
            models[unique_id] = _Model(path.read_text("utf-8"), _parents(node, manifest))
    return models


def _digest(models: Mapping[str, _Model], columns: Columns) -> str:
    """Changes with every model, with the columns of the file, and with what reads them."""
    read_with = (version("sqlglot"), Path(__file__).read_text("utf-8"))
    of_models = sorted((id_, m.sql, sorted(m.parents.items())) for id_, m in models.items())
    of_columns = sorted((relation, list(of.items())) for relation, of in columns.items())
    return sha256(msgspec.json.encode((read_with, of_models, of_columns))).hexdigest()


def _parents(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """dbt's ids of what the model reads, by schema and name."""
    ids: Iterable[str] = node["depends_on"]["nodes"]
    parents = {unique_id: manifest["nodes"].get(unique_id) for unique_id in ids}
    parents = {id_: parent or manifest["sources"][id_] for id_, parent in parents.items()}
    return {(parent["schema"], parent["name"]): id_ for id_, parent in parents.items()}


def _lineage_of(
    sql: str, parents: Mapping[tuple[str, str], str], columns: Columns
) -> dict[str, list[tuple[str, str]]]:
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
