"""The data contract of a build, in the Open Data Contract Standard.

    tables and types of the file + keys, tests, tags of the YAML + promises of the settings
        ──▶ contract.odcs.yaml

A table is promised if readers have it. `meta` describes itself; all else dbt's YAML describes. Belongs
here: what is promised to readers, in the words of the standard. Does not belong here: how tests are told
(`quality.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import yaml
from open_data_contract_standard.model import (
    CustomProperty,
    Description,
    OpenDataContractStandard,
    Relationship,
    SchemaObject,
    SchemaProperty,
    Server,
    ServiceLevelAgreementProperty,
    Team,
    TeamMember,
)

from lead_pipeline.bi.catalog.artifacts import relation_of, tagged
from lead_pipeline.bi.catalog.described import Column, Deprecation, DescribedFile, Table
from lead_pipeline.bi.catalog.quality import TestsOf
from lead_pipeline.windows import LATEST_AGE

STANDARD = "v3.2.0"
"""Version of the standard that is written; the package of its model has the same one."""
_HOUR = timedelta(hours=1)
_LOGICAL = {
    "BIGINT": "integer",
    "INTEGER": "integer",
    "HUGEINT": "integer",
    "SMALLINT": "integer",
    "TINYINT": "integer",
    "DOUBLE": "number",
    "FLOAT": "number",
    "DECIMAL": "number",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "VARCHAR": "string",
    "UUID": "string",
    "JSON": "object",
}
"""The standard's types of DuckDB's."""


@dataclass(frozen=True)
class Promises:
    """What the settings promise, beside what the tables do."""

    owner: str | None
    """`team:NAME` or an e-mail address."""
    retained_days: int
    """Of how many days the last build can be given to readers again."""
    missing_days: int | None
    """After how many days leads that the provider no longer has are erased; None: they are kept."""


def contract_of(
    described: DescribedFile, manifest: Mapping[str, Any], promises: Promises
) -> OpenDataContractStandard:
    """The contract of the build in `described`."""
    nodes = _nodes_by_relation(manifest)
    return OpenDataContractStandard(
        apiVersion=STANDARD,
        kind="DataContract",
        id="lead_pipeline",
        name="Leads",
        version=version("lead-pipeline"),
        status="active",
        tags=["leads", "crm"],
        description=Description(
            purpose="Leads of all connected CRM providers, their history, and figures about them.",
            usage="Open the DuckDB file read-only; name columns in place of *, and join by name.",
            limitations="What was not observed is null or bounded, not guessed: meta.publish tells per "
            "account how far the data is complete and since when changes are watched.",
        ),
        servers=_servers(described),
        schema=[
            _object(table, nodes.get(table.relation), described, manifest)
            for table in described.tables
        ],
        team=_team(promises.owner),
        slaProperties=_service_levels(described, promises),
        customProperties=_custom(
            build=described.build,
            runId=described.run_id,
            publishedAt=described.published_at.isoformat(),
            personalData="masked" if described.is_masked else "as served",
        ),
    )


def as_yaml(contract: OpenDataContractStandard) -> bytes:
    """As the model's own `to_yaml`, by libyaml, which takes a tenth of the time."""
    document = contract.model_dump(exclude_none=True, exclude_defaults=True, by_alias=True)
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text.encode()


def object_name(schema: str, table: str) -> str:
    """What the contract calls a table: unique, whatever the schemas hold."""
    return f"{schema}_{table}"


def _servers(described: DescribedFile) -> list[Server]:
    """One per schema of the file, since a server of the standard has one."""
    schemas = dict.fromkeys(table.schema for table in described.tables)
    return [
        Server(
            server=schema,
            type="duckdb",
            database="leads.duckdb",
            schema=schema,
            description=f"Schema {schema} of the published file, in the folder above this one.",
        )
        for schema in schemas
    ]


def _team(owner: str | None) -> Team | None:
    if owner is None:
        return None
    if owner.startswith("team:"):
        return Team(name=owner.removeprefix("team:"))
    return Team(members=[TeamMember(username=owner, role="owner")])


def _service_levels(
    described: DescribedFile, promises: Promises
) -> list[ServiceLevelAgreementProperty]:
    levels = [
        ServiceLevelAgreementProperty(
            property="freshness",
            value=LATEST_AGE // _HOUR,
            unit="h",
            # No element: tools compare its newest value, which hides the account that is late.
            driver="operational",
            description="How old meta.publish.complete_through of any account is at most where the nightly "
            "schedule runs. An account that is late is named by lead-pipeline status.",
        ),
        ServiceLevelAgreementProperty(
            property="retention",
            value=promises.retained_days,
            unit="d",
            driver="operational",
            description="Of so many days with a publication the last build can be given to readers again.",
        ),
    ]
    if promises.missing_days is not None:
        levels.append(
            ServiceLevelAgreementProperty(
                property="retention",
                value=promises.missing_days,
                unit="d",
                driver="regulatory",
                description="After so many days leads that their provider no longer has are erased.",
            )
        )
    return levels


def _object(
    table: Table,
    node: Mapping[str, Any] | None,
    described: DescribedFile,
    manifest: Mapping[str, Any],
) -> SchemaObject:
    node = node or {"unique_id": "", "columns": {}, "config": {}}
    tests = TestsOf.node(node["unique_id"], manifest)
    deprecation = described.deprecations.get((*table.relation, None))
    return SchemaObject(
        name=object_name(*table.relation),
        physicalName=table.name,
        physicalType=table.kind,
        logicalType="object",
        description=table.comment or node.get("description") or None,
        dataGranularityDescription=_grain(table.comment or node.get("description")),
        tags=list(node.get("tags", ())) or None,
        deprecated=True if deprecation else None,
        properties=_properties(table, node, tests, described),
        quality=tests.of_table() or None,
        customProperties=_custom(
            server=table.schema,
            dbtNode=node["unique_id"] or None,
            access=node.get("access") or node["config"].get("access"),
            group=node.get("group") or node["config"].get("group"),
            **_announced(deprecation),
        ),
    )


def _grain(description: str | None) -> str | None:
    """The first clause of a description, which is about the rows."""
    if not description or not description.startswith("One row"):
        return None
    return description.partition(".")[0].partition(":")[0]


def _properties(
    table: Table, node: Mapping[str, Any], tests: TestsOf, described: DescribedFile
) -> list[SchemaProperty]:
    key = _key(table, node, tests)
    personal = tagged(node["columns"])
    return [
        _property(
            column,
            node["columns"].get(column.name, {}),
            tests,
            position=key.index(column.name) + 1 if column.name in key else None,
            is_personal=column.name in personal,
            is_masked=described.is_masked,
            deprecation=described.deprecations.get((*table.relation, column.name)),
        )
        for column in table.columns
    ]


def _key(table: Table, node: Mapping[str, Any], tests: TestsOf) -> Sequence[str]:
    """The columns of the key; none where one of them can be null, which only a rule can tell."""
    key: Sequence[str] = node["config"].get("meta", {}).get("key", ())
    required = {
        column.name
        for column in table.columns
        if _is_required(column, node["columns"].get(column.name, {}), tests)
    }
    return key if required.issuperset(key) else ()


def _is_required(column: Column, said: Mapping[str, Any], tests: TestsOf) -> bool:
    return (
        not column.is_nullable
        or tests.is_required(column.name)
        or any(constraint["type"] == "not_null" for constraint in said.get("constraints", ()))
    )


def _property(
    column: Column,
    said: Mapping[str, Any],
    tests: TestsOf,
    *,
    position: int | None,
    is_personal: bool,
    is_masked: bool,
    deprecation: Deprecation | None,
) -> SchemaProperty:
    relationships = [
        Relationship(to=f"{object_name('marts', table)}.{field}")
        for table, field in tests.references(column.name)
    ]
    return SchemaProperty(
        name=column.name,
        physicalType=column.data_type,
        logicalType=_logical_type(column.data_type),
        description=column.comment or said.get("description") or None,
        required=_is_required(column, said, tests) or None,
        unique=tests.is_unique(column.name) or None,
        primaryKey=True if position else None,
        primaryKeyPosition=position,
        tags=list(said.get("tags", ())) or None,
        classification=_classification(is_masked=is_masked) if is_personal else None,
        deprecated=True if deprecation else None,
        relationships=relationships or None,
        quality=tests.of_column(column.name) or None,
        customProperties=_custom(**_announced(deprecation)),
    )


def _logical_type(data_type: str) -> str:
    if data_type.endswith("]"):
        return "array"
    if data_type.startswith(("STRUCT", "MAP", "UNION")):
        return "object"
    return _LOGICAL.get(data_type.partition("(")[0], "string")


def _classification(*, is_masked: bool) -> str:
    return "personal data, masked" if is_masked else "personal data"


def _announced(deprecation: Deprecation | None) -> dict[str, str | None]:
    if deprecation is None:
        return {}
    return {
        "replacement": deprecation.replacement,
        "deprecatedIn": deprecation.deprecated_in,
        "removedIn": deprecation.removed_in,
        "deprecationNote": deprecation.note,
    }


def _custom(**values: str | None) -> list[CustomProperty] | None:
    """Those that have a value."""
    said = [CustomProperty(property=name, value=value) for name, value in values.items() if value]
    return said or None


def _nodes_by_relation(manifest: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Models, seeds and sources by schema and name of their table."""
    nodes = [
        node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")
    ]
    return {
        (node["schema"], relation_of(node)): node
        for node in [*manifest["sources"].values(), *nodes]
    }
