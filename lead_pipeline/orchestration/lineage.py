"""What lineage servers are told of the steps of a Dagster run.

    landing/* ─┐
    load ──────┼──▶ a START and a COMPLETE or FAIL each ──▶ `lead_pipeline.lineage`
    dbt models ┤
    publication┘

Tables have the names of their assets. Models are told when dbt has ended, with the times that it noted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from lead_pipeline.bi.column_lineage import Columns, Lineage
from lead_pipeline.lineage.events import Job, Table
from lead_pipeline.lineage.sending import Lineage as Sender
from lead_pipeline.orchestration.resources import SettingsResource
from lead_pipeline.settings import Settings


def lineage_of(context: dg.AssetExecutionContext, settings: SettingsResource | Settings) -> Sender:
    """The sender of this step's events."""
    loaded = settings.load() if isinstance(settings, SettingsResource) else settings
    return Sender(loaded, context.run.run_id, context.run.job_name, context.log.warning)


def tell_of_models(
    sender: Sender,
    results: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
    columns: Columns,
    lineages: Mapping[str, Lineage],
) -> None:
    """Tell what dbt's run results say of models and seeds."""
    if sender.is_wanted:
        sender.send(_events(sender, results, manifest, columns, lineages))


def _events(
    sender: Sender,
    results: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
    columns: Columns,
    lineages: Mapping[str, Lineage],
) -> Iterator[tuple[Job, str, datetime, str | None]]:
    nodes = {**manifest["nodes"], **manifest["sources"]}
    for result in results:
        node, times = nodes.get(result["unique_id"]), _times(result)
        if node is None or node["resource_type"] not in ("model", "seed") or times is None:
            continue
        parents = [nodes[parent] for parent in node["depends_on"].get("nodes", ())]
        made_of = {
            column: [(_name(nodes[parent]), name) for parent, name in of]
            for column, of in lineages.get(result["unique_id"], {}).items()
        }
        relation = node["schema"], node["name"]
        output = Table(_name(node), columns.get(relation, {}), made_of)
        job = sender.job(f"dbt/{_name(node)}", [Table(_name(p)) for p in parents], [output])
        succeeded = result["status"] == "success"
        yield job, "START", times[0], None
        yield job, "COMPLETE" if succeeded else "FAIL", times[1], None if succeeded else "dbt"


def _times(result: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """When the node ran; None where it was skipped."""
    ran = [timing for timing in result["timing"] if timing["name"] == "execute"]
    if not ran or not ran[0]["completed_at"]:
        return None
    return datetime.fromisoformat(ran[0]["started_at"]), datetime.fromisoformat(
        ran[0]["completed_at"]
    )


def _name(node: Mapping[str, Any]) -> str:
    return f"{node['schema']}/{node['name']}"
