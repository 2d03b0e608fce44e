"""dbt's own artifacts of a build, without what is of this machine only.

    <target>/manifest.json, run_results.json ──▶ no paths, no arguments, no environment ──▶ bi/catalog/
    tables of the finished file ──dbt's own classes──▶ catalog.json

`dbt docs generate` would compile everything again and look into a file that is about to be removed; the
finished file tells the same of what readers have. Belongs here: what dbt writes, and what is taken from
it. Does not belong here: the contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urljoin

import msgspec

from lead_pipeline.bi.catalog.described import DescribedFile, Table

BUILD = "lead_pipeline_build"
"""Under which name each artifact says which build it is of, in the place that dbt has for such."""
PII = "pii"
"""The tag of columns with personal data."""
_TOLD_ARGUMENTS = ("which", "select", "exclude", "exclude_resource_types")

Json = dict[str, Any]


def cleaned_manifest(manifest: Json, build: str, bi_url: str | None) -> Json:
    """The manifest of a build. The one given is changed: nobody else has it.

    Columns with personal data bear the tag in every model, and what readers open its address where
    `bi_url` says where `bi/` is served.
    """
    manifest["metadata"] = _metadata(manifest["metadata"], build)
    personal = personal_columns(manifest)
    for node in _nodes(manifest):
        # The folder of the project on this machine.
        node.pop("root_path", None)
        node["build_path"] = node["compiled_path"] = None
        for name, column in node.get("columns", {}).items():
            if name in personal and PII not in column["tags"]:
                column["tags"] = [*column["tags"], PII]
    for exposure in manifest["exposures"].values():
        path = exposure["meta"].get("path")
        if bi_url is not None and path is not None and exposure["url"] is None:
            exposure["url"] = urljoin(f"{bi_url.rstrip('/')}/", path)
    return manifest


def personal_columns(manifest: Mapping[str, Any]) -> set[str]:
    """Names of columns that the YAML calls personal: a name means the same everywhere (docs/names.md)."""
    return {
        name
        for node in (*manifest["sources"].values(), *manifest["nodes"].values())
        for name, column in node["columns"].items()
        if PII in column["tags"]
    }


def tagged(columns: Mapping[str, Any]) -> set[str]:
    """Those of dbt's `columns` that bear the tag."""
    return {name for name, column in columns.items() if PII in column["tags"]}


def cleaned_results(results: Json, build: str) -> Json:
    """The run results of a build, with what was asked of dbt and without how it was called."""
    results["metadata"] = _metadata(results["metadata"], build)
    arguments = results.get("args", {})
    results["args"] = {name: arguments[name] for name in _TOLD_ARGUMENTS if name in arguments}
    return results


def dbt_catalog(manifest: Mapping[str, Any], described: DescribedFile) -> bytes:
    """`catalog.json` of what readers have: of each table that dbt knows its columns, types and rows.

    What publishing has dropped is not in it, as a relation that is not there is not in dbt's own.
    """
    from dbt.artifacts.schemas.catalog import CatalogArtifact

    artifact = CatalogArtifact.from_results(
        generated_at=datetime.now(UTC).replace(tzinfo=None),
        nodes=_catalog_tables(manifest["nodes"], described, ("model", "seed")),
        sources=_catalog_tables(manifest["sources"], described, ("source",)),
        compile_results=None,
        errors=None,
    ).to_dict(omit_none=False)
    artifact["metadata"] = _metadata(artifact["metadata"], described.build)
    return encoded(artifact)


def _catalog_tables(
    nodes: Mapping[str, Any], described: DescribedFile, kinds: Sequence[str]
) -> dict[str, Any]:
    return {
        unique_id: _catalog_table(unique_id, node["database"], table)
        for unique_id, node in nodes.items()
        if node["resource_type"] in kinds
        and (table := described.table(node["schema"], relation_of(node))) is not None
    }


def _catalog_table(unique_id: str, database: str, table: Table) -> Any:
    from dbt_common.contracts.metadata import CatalogTable, ColumnMetadata, StatsItem, TableMetadata

    stats = {"has_stats": StatsItem("has_stats", "Has Stats?", table.rows is not None, False)}
    if table.rows is not None:
        stats["num_rows"] = StatsItem(
            "num_rows", "Rows", float(table.rows), True, "Rows of the table in this build."
        )
    return CatalogTable(
        TableMetadata(
            "VIEW" if table.kind == "view" else "BASE TABLE",
            table.schema,
            table.name,
            database,
            table.comment,
        ),
        {
            column.name: ColumnMetadata(column.data_type, index, column.name, column.comment)
            for index, column in enumerate(table.columns, start=1)
        },
        stats,
        unique_id,
    )


def relation_of(node: Mapping[str, Any]) -> str:
    """The name of the table of a model, seed or source."""
    return str(node.get("identifier") or node.get("alias") or node["name"])


def encoded(document: Json) -> bytes:
    """As JSON."""
    return msgspec.json.encode(document)


def _metadata(metadata: Json, build: str) -> Json:
    """Without variables of the environment and without whoever ran dbt; with the build."""
    said = {BUILD: build, "lead_pipeline_version": version("lead-pipeline")}
    return metadata | {"env": said} | ({"user_id": None} if "user_id" in metadata else {})


def _nodes(manifest: Json) -> Iterator[Json]:
    for kind in ("nodes", "sources"):
        yield from manifest[kind].values()
    for disabled in manifest.get("disabled", {}).values():
        yield from disabled
