"""The dbt project as Dagster assets: one asset per model, one check per test.

normalized/* ──prepare candidate──▶ dbt build ──all tests pass──▶ marts/* ──▶ bi/published
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import duckdb
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    MetadataValue,
    Output,
)
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    dbt_assets,
)
from dagster_dbt.asset_utils import get_asset_check_key_for_test
from dagster_dbt.core.dbt_cli_event import DbtCliEventMessage
from dagster_dbt.core.dbt_event_iterator import DbtDagsterEventType
from packaging.version import Version

from lead_pipeline.bi.candidate import (
    discard_candidate,
    mark_tested,
    prepare_candidate,
    row_counts,
    unwritable,
)
from lead_pipeline.bi.dbt_project import (
    PROJECT_DIR,
    dbt_environment,
    load_manifest,
    node_name,
    parsed_dbt_command,
)
from lead_pipeline.bi.masking import mask_of
from lead_pipeline.bi.snapshot import keep_snapshot
from lead_pipeline.errors import PublishError
from lead_pipeline.logs import log_of
from lead_pipeline.orchestration.resources import SettingsResource, with_default_resources
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.sql import read_sql

_log = log_of(__name__)

SOURCE_ASSETS = {
    "leads": "leads",
    "lead_stage_history": "lead_stage_history",
    "lead_versions": "lead_versions",
    # By-products of the load, in the same transaction as the leads.
    "coverage": "leads",
    "watches": "leads",
    "unobserved_changes": "lead_stage_history",
    "provider_stale_leads": "leads",
    "canonical_stages": "leads",
    "stages": "leads",
    "mapped_stages": "leads",
}
"""The asset that makes a source's table, below `normalized`."""

FAILED = ("error", "fail", "runtime error")
"""What dbt says of a node that went wrong."""


class LeadPipelineTranslator(DagsterDbtTranslator):
    """Asset keys `<schema>/<name>` for sources and models alike, all in group `marts`."""

    def __init__(self) -> None:
        super().__init__(
            DagsterDbtTranslatorSettings(
                enable_source_tests_as_checks=True, enable_duplicate_source_asset_keys=True
            )
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        """The schema and the name, as they stand in the file; a source's as in the warehouse."""
        if dbt_resource_props["resource_type"] == "source":
            return AssetKey(["normalized", SOURCE_ASSETS[dbt_resource_props["name"]]])
        return AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """One group; the schema in the key tells the layers apart."""
        return "marts"


def build_dbt_assets() -> AssetsDefinition:
    """All models and tests of the dbt project; parses the project if it has changed."""
    manifest = load_manifest()
    translator = LeadPipelineTranslator()

    @dbt_assets(manifest=manifest, dagster_dbt_translator=translator, name="dbt_models")
    def dbt_models(
        context: AssetExecutionContext, lead_settings: SettingsResource
    ) -> Iterator[DbtDagsterEventType]:
        settings = lead_settings.load()
        candidate = settings.candidate_path
        # The publish lock first, the warehouse's inside it: nobody takes them the other way.
        with held(settings.publish_lock, "building the marts", context.log.info):
            with held(settings.warehouse_lock, "copying leads", context.log.info):
                prepare_candidate(settings.warehouse_path, candidate, mask_of(settings))
            _begin(settings)
            yield from build_marts(context, candidate, manifest, translator)

    return with_default_resources(dbt_models)


def _begin(settings: Settings) -> None:
    """Keep what this build reads for people's dbt."""
    candidate = settings.candidate_path
    try:
        if settings.masking and dbt_folder(candidate).exists():
            # Errors in the log of a build that was not masked can quote its values.
            shutil.rmtree(dbt_folder(candidate))
        keep_snapshot(candidate, settings.snapshot_path)
    except (OSError, duckdb.Error) as error:
        raise unwritable(candidate, error) from error


def build_marts(
    context: AssetExecutionContext,
    candidate: Path,
    manifest: Mapping[str, Any],
    translator: DagsterDbtTranslator,
) -> Iterator[DbtDagsterEventType]:
    """Run `dbt build` in the candidate, give its events to Dagster, mark the candidate tested.

    A selection of assets only selects what Dagster is told: the candidate is new, so a part
    of the models would be built on nothing. Raises `PublishError` that names what failed; the
    candidate is then gone.
    """
    target_path = dbt_folder(candidate)
    target_path.joinpath("run_results.json").unlink(missing_ok=True)
    invocation = DbtCliInvocation.run(
        # Unit tests are about the models, not about these leads: development and CI run them.
        args=parsed_dbt_command("build", "--exclude-resource-type", "unit_test"),
        env=dbt_environment(target_path, candidate) | {"DBT_LOG_FORMAT": "json"},
        manifest=manifest,
        dagster_dbt_translator=translator,
        project_dir=PROJECT_DIR,
        target_path=target_path,
        raise_on_error=False,
        context=context,
        adapter=None,
        # `dbt --version` would tell it as well, after asking a package index for news.
        cli_version=Version(installed_version("dbt-core")),
    )
    # Rows are counted when dbt has closed the file, so the events wait for its end.
    selected = _selected_nodes(context, manifest, translator)
    events = [
        event
        for message in invocation.stream_raw_events()
        if _is_news(message, selected)
        for event in message.to_default_asset_events(manifest, translator, context, target_path)
    ]
    succeeded = invocation.process.returncode == 0
    metadata = _model_metadata(candidate) if succeeded else {}
    for event in events:
        if isinstance(event, Output):
            more = metadata.get(event.output_name, {})
            yield event.with_metadata({**event.metadata, **more})
        else:
            yield event
    if not succeeded:
        discard_candidate(candidate)
        raise PublishError(_failure(target_path, manifest))
    passed = _count(target_path, "pass")
    mark_tested(candidate, run_id=context.run.run_id, tests_passed=passed)
    _log.info("marts built", run=context.run.run_id, tests_passed=passed)


def dbt_folder(candidate: Path) -> Path:
    """Where dbt's artifacts and logs of builds in `candidate` lie."""
    return candidate.parent / "dbt"


def _selected_nodes(
    context: AssetExecutionContext,
    manifest: Mapping[str, Any],
    translator: DagsterDbtTranslator,
) -> set[str]:
    """dbt's ids of the models and tests that this run was asked for."""
    checks = context.selected_asset_check_keys
    return {
        unique_id
        for unique_id in manifest["nodes"]
        if get_asset_check_key_for_test(manifest, translator, unique_id, None) in checks
        or translator.get_asset_spec(manifest, unique_id, None).key in context.selected_asset_keys
    }


def _is_news(message: DbtCliEventMessage, selected: set[str]) -> bool:
    """Whether a message of dbt is about something selected, or about something that is wrong."""
    node = message.raw_event["data"].get("node_info", {})
    return node.get("unique_id") in selected or node.get("node_status") in ("warn", *FAILED)


def _model_metadata(candidate: Path) -> dict[str, dict[str, Any]]:
    """By output name: the rows of each mart, and leads by stage as a preview of nobody's data."""
    with closing(connect_utc(candidate, read_only=True)) as connection:
        metadata: dict[str, dict[str, Any]] = {
            name.replace(".", "__"): {"dagster/row_count": rows}
            for name, rows in row_counts(connection).items()
        }
        rows = connection.execute(read_sql("bi", "leads_by_stage")).fetchall()
    lines = ["| account | stage | leads |", "|---|---|---:|"]
    lines += [f"| {account} | {stage} | {leads:,} |" for account, stage, leads in rows]
    metadata["marts__leads"]["leads_by_stage"] = MetadataValue.md("\n".join(lines))
    return metadata


def _results(target_path: Path) -> list[dict[str, Any]]:
    path = target_path / "run_results.json"
    results: list[dict[str, Any]] = (
        json.loads(path.read_bytes())["results"] if path.exists() else []
    )
    return results


def _count(target_path: Path, status: str) -> int:
    return sum(result["status"] == status for result in _results(target_path))


def _failure(target_path: Path, manifest: Mapping[str, Any]) -> str:
    """What failed, by name. Only the first line of dbt's message: the next can hold values."""
    failed = [
        f"{node_name(result['unique_id'], manifest)}: {(result['message'] or '').partition(chr(10))[0]}"
        for result in _results(target_path)
        if result["status"] in FAILED
    ]
    return (
        f"dbt build failed: {'; '.join(failed) or 'it ended before any model or test'}. "
        "Nothing was published, readers keep the last file. The whole story is in "
        f"{target_path / 'dbt.log'}."
    )
