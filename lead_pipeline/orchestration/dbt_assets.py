"""The dbt project as Dagster assets: one asset per model, one check per test.

normalized/* ──prepare candidate──▶ dbt build ──all tests pass──▶ marts/* ──▶ bi/published
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    MetadataValue,
    Output,
    TableColumnDep,
    TableColumnLineage,
)
from dagster_dbt import (
    dbt_assets,
)
from dagster_dbt.asset_utils import get_asset_check_key_for_test
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from dagster_dbt.core.dbt_event_iterator import DbtDagsterEventType

from lead_pipeline.bi.calendar import calendar_of
from lead_pipeline.bi.candidate import (
    discard_candidate,
    mark_tested,
    prepare_candidate,
    row_counts,
    unwritable,
)
from lead_pipeline.bi.check_copy import copy_to_check
from lead_pipeline.bi.column_lineage import Lineage, column_lineage, columns_of
from lead_pipeline.bi.dbt_project import RESULTS, dbt_folder, keep_manifest, node_name
from lead_pipeline.bi.failing_leads import failing_leads
from lead_pipeline.bi.masking import mask_of
from lead_pipeline.bi.own_nodes import ancestors, are_about_own, deprecated_references
from lead_pipeline.bi.own_problem import note_problem
from lead_pipeline.bi.snapshot import keep_snapshot
from lead_pipeline.errors import PublishError
from lead_pipeline.logs import log_of
from lead_pipeline.normalized.columns import column_schema
from lead_pipeline.orchestration.dbt_models import SOURCE_ASSETS, Models, models_of
from lead_pipeline.orchestration.failures import told_without_values
from lead_pipeline.orchestration.lineage import lineage_of, tell_of_models
from lead_pipeline.orchestration.resources import SettingsResource, with_default_resources
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.sql import read_sql

_log = log_of(__name__)

FAILED = ("error", "fail", "runtime error")
"""What dbt says of a node that went wrong."""


def build_dbt_assets(settings: Settings | None = None) -> AssetsDefinition:
    """All models and tests of the dbt project; parses the project if it has changed.

    With the users' own ones that `settings` name, as they are now: what is edited later counts for those
    who load definitions later.
    """
    models = models_of(settings)

    @dbt_assets(
        manifest=models.manifest, dagster_dbt_translator=models.translator, name="dbt_models"
    )
    def dbt_models(
        context: AssetExecutionContext, lead_settings: SettingsResource
    ) -> Iterator[DbtDagsterEventType]:
        with told_without_values():
            yield from _built_or_checked(context, lead_settings.load(), models)

    return with_default_resources(dbt_models)


def _built_or_checked(
    context: AssetExecutionContext,
    settings: Settings,
    models: Models,
) -> Iterator[DbtDagsterEventType]:
    """Make a build, or run the checks that are selected without any model."""
    if not context.selected_asset_keys:
        # Checks alone: nothing is built, and nobody who builds or publishes is waited for.
        yield from check_alone(context, settings, models)
        return
    if models.problem is not None:
        raise PublishError(f"{models.problem}\nNothing was built, readers keep the last file.")
    candidate = settings.candidate_path
    # The publish lock first, the warehouse's inside it: nobody takes them the other way.
    with held(settings.publish_lock, "building the marts", context.log.info):
        with held(settings.warehouse_lock, "copying leads", context.log.info):
            mask, calendar = mask_of(settings), calendar_of(settings)
            warehouse, project = settings.warehouse_path, models.project
            prepare_candidate(warehouse, candidate, mask, calendar, project)
        _begin(settings)
        yield from build_marts(context, settings, models)


def _begin(settings: Settings) -> None:
    """Keep what this build reads for people's dbt."""
    candidate = settings.candidate_path
    try:
        if settings.masking and dbt_folder(candidate).exists():
            # What models of a user print of a build that was not masked can be its values.
            shutil.rmtree(dbt_folder(candidate))
        keep_snapshot(candidate, settings.snapshot_path)
    except (OSError, duckdb.Error) as error:
        raise unwritable(candidate, error) from None


def build_marts(
    context: AssetExecutionContext,
    settings: Settings,
    models: Models,
) -> Iterator[DbtDagsterEventType]:
    """Run `dbt build` in the candidate, give its events to Dagster, mark the candidate tested.

    A selection of assets only selects what Dagster is told: the candidate is new, so a part
    of the models would be built on nothing. Raises `PublishError` that names what failed; the
    candidate is then gone.
    """
    candidate = settings.candidate_path
    target_path = dbt_folder(candidate)
    for sentence in deprecated_references(models.project, models.manifest):
        context.log.warning(sentence)
    # Unit tests are about the models, not about these leads: development and CI run them.
    arguments = ("build", "--exclude-resource-type", "unit_test")
    ran = _run_dbt(arguments, context, candidate, target_path, models)
    metadata = _model_metadata(candidate, target_path, models) if ran.succeeded else {}
    _tell_of_models(context, settings, models)
    for event in ran.events:
        if isinstance(event, Output):
            more = metadata.get(event.output_name, {})
            yield event.with_metadata({**event.metadata, **more})
        else:
            yield event
    if not ran.succeeded:
        failure = _failure(target_path, candidate, models)
        discard_candidate(candidate)
        failed = {result["unique_id"] for result in _results(target_path, *FAILED)}
        if are_about_own(failed, models.project, models.manifest):
            note_problem(settings, models.project.folder.name, failure)
            failure += f" To publish without your models, move them out of {models.project.own}."
        raise PublishError(failure)
    if models.project.own is not None:
        note_problem(settings, models.project.folder.name, None)
    keep_manifest(target_path, models.project)
    passed = _count(target_path, "pass")
    mark_tested(candidate, run_id=context.run.run_id, tests_passed=passed)
    _log.info("marts built", run=context.run.run_id, tests_passed=passed)


def _tell_of_models(context: AssetExecutionContext, settings: Settings, models: Models) -> None:
    """Tell a lineage server, if one is set, what dbt has made of what."""
    sender = lineage_of(context, settings)
    if not sender.is_wanted:
        return
    candidate, target_path = settings.candidate_path, dbt_folder(settings.candidate_path)
    with closing(connect_utc(candidate, read_only=True)) as connection:
        columns = columns_of(connection)
    lineages = column_lineage(models.manifest, target_path, columns, models.project.target)
    tell_of_models(
        sender, _results(target_path, "success", *FAILED), models.manifest, columns, lineages
    )


def check_alone(
    context: AssetExecutionContext,
    settings: Settings,
    models: Models,
) -> Iterator[DbtDagsterEventType]:
    """Run the selected tests without a build; candidate and published file stay as they are.

    Those that read marts look at what readers have, the others at the tables as they are loaded now:
    so a load alone, to which the tests of its tables belong, tests what it has loaded. A test that
    fails is a failed check, by which Dagster fails the run. Raises `PublishError` where there is
    nothing to look at yet, or a view cannot be made.
    """
    tests = sorted(_selected_nodes(context, models))
    read = {test: ancestors(test, models.manifest) for test in tests}
    say = context.log.info
    with held(settings.checks_lock, "checking tables", say):
        for with_marts in (False, True):
            chosen = [t for t in tests if _reads_marts(read[t], models.manifest) is with_marts]
            if not chosen:
                continue
            with copy_to_check(settings, models.project, say, with_marts=with_marts) as copy:
                needs_views = any(not id_.startswith("source.") for t in chosen for id_ in read[t])
                yield from _run_tests(context, copy, chosen, needs_views, models)


def _reads_marts(unique_ids: set[str], manifest: Mapping[str, Any]) -> bool:
    nodes = (manifest["nodes"].get(unique_id, {}) for unique_id in unique_ids)
    return any(node.get("schema") == "marts" for node in nodes)


def _run_tests(
    context: AssetExecutionContext,
    copy: Path,
    tests: Sequence[str],
    needs_views: bool,
    models: Models,
) -> Iterator[DbtDagsterEventType]:
    """Make the seeds and views that the tests read, then run them."""
    target_path = dbt_folder(copy)
    chosen = [".".join(models.manifest["nodes"][test]["fqn"]) for test in tests]
    if needs_views:
        # The marts are there. Views are made before the first test, since dbt skips what comes after
        # a test that has failed.
        views = (
            *("build", "--select", *(f"+{test}" for test in chosen)),
            *("--exclude", "config.schema:marts,resource_type:model"),
            *("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
        )
        if not _run_dbt(views, context, copy, target_path, models).succeeded:
            raise PublishError(_not_checked(target_path, copy, models))
    asked = ("test", "--indirect-selection", "empty", "--select", *chosen)
    yield from _run_dbt(asked, context, copy, target_path, models).events
    if _count(target_path, "pass", "warn", "fail") < len(tests):
        raise PublishError(_not_checked(target_path, copy, models))


@dataclass(frozen=True)
class _Ran:
    """What came of dbt: its events for Dagster, and whether all went well."""

    events: list[DbtDagsterEventType]
    succeeded: bool


def _run_dbt(
    arguments: Sequence[str],
    context: AssetExecutionContext,
    file: Path,
    target_path: Path,
    models: Models,
) -> _Ran:
    """Run dbt in `file` to its end: rows are counted, and files removed, when it has closed them."""
    # dbt's command line takes a second to import, and only builds need it.
    from lead_pipeline.bi.parsed_dbt import run_dbt

    target_path.joinpath(RESULTS).unlink(missing_ok=True)
    # Dagster keeps what a run prints.
    ran = run_dbt(
        arguments,
        target_path,
        file,
        lambda message: sys.stdout.write(f"{models.project.told(message)}\n"),
        models.project,
    )
    selected = _selected_nodes(context, models)
    news = [message for message in ran.messages if _is_news(message, selected)]
    events = [
        event
        for message in news
        for event in DbtCoreCliEventMessage(
            raw_event=message, event_history_metadata={}
        ).to_default_asset_events(models.manifest, models.translator, context, target_path)
    ]
    return _Ran(events, ran.succeeded)


def _selected_nodes(
    context: AssetExecutionContext,
    models: Models,
) -> set[str]:
    """dbt's ids of the models and tests that this run was asked for."""
    manifest, translator = models.manifest, models.translator
    checks = context.selected_asset_check_keys
    return {
        unique_id
        for unique_id in manifest["nodes"]
        if get_asset_check_key_for_test(manifest, translator, unique_id, None) in checks
        or translator.get_asset_spec(manifest, unique_id, None).key in context.selected_asset_keys
    }


def _is_news(message: Mapping[str, Any], selected: set[str]) -> bool:
    """Whether a message of dbt is about something selected, or about something that is wrong."""
    node = message["data"].get("node_info", {})
    return node.get("unique_id") in selected or node.get("node_status") in ("warn", *FAILED)


def _model_metadata(
    candidate: Path,
    target_path: Path,
    models: Models,
) -> dict[str, dict[str, Any]]:
    """By output name: rows and what each column is made of; leads by stage, nobody's data."""
    with closing(connect_utc(candidate, read_only=True)) as connection:
        metadata: dict[str, dict[str, Any]] = {
            name.replace(".", "__"): {"dagster/row_count": rows}
            for name, rows in row_counts(connection).items()
        }
        rows = connection.execute(read_sql("bi", "leads_by_stage")).fetchall()
        columns = columns_of(connection)
    lineages = column_lineage(models.manifest, target_path, columns, models.project.target)
    for unique_id, lineage in lineages.items():
        output = "__".join(
            models.translator.get_asset_key(models.manifest["nodes"][unique_id]).path
        )
        shown = _shown_lineage(lineage, models)
        metadata.setdefault(output, {})["dagster/column_lineage"] = shown
    lines = ["| account | stage | leads |", "|---|---|---:|"]
    lines += [f"| {account} | {stage} | {leads:,} |" for account, stage, leads in rows]
    metadata["marts__lead_facts"]["leads_by_stage"] = MetadataValue.md("\n".join(lines))
    return metadata


def _shown_lineage(lineage: Lineage, models: Models) -> TableColumnLineage:
    """`lineage` in the words of Dagster, without columns of by-products that no asset has."""
    deps: dict[str, list[TableColumnDep]] = {}
    for column, parents in lineage.items():
        deps[column] = []
        for unique_id, name in parents:
            parent = (
                models.manifest["nodes"].get(unique_id) or models.manifest["sources"][unique_id]
            )
            if parent["resource_type"] != "source" or _is_column_of_its_asset(parent, name):
                deps[column].append(TableColumnDep(models.translator.get_asset_key(parent), name))
    return TableColumnLineage(deps)


def _is_column_of_its_asset(source: Mapping[str, Any], column: str) -> bool:
    table = source["name"]
    return SOURCE_ASSETS[table] == table and column in {name for name, _, _ in column_schema(table)}


def _results(target_path: Path, *statuses: str) -> list[dict[str, Any]]:
    path = target_path / RESULTS
    results: list[dict[str, Any]] = (
        json.loads(path.read_bytes())["results"] if path.exists() else []
    )
    return [result for result in results if result["status"] in statuses]


def _count(target_path: Path, *statuses: str) -> int:
    return sum(
        result["unique_id"].startswith("test.") for result in _results(target_path, *statuses)
    )


def _failure(target_path: Path, candidate: Path, models: Models) -> str:
    return (
        f"dbt build failed: {_failed_nodes(target_path, candidate, models)}. "
        "Nothing was published, readers keep the last file. The whole story is in "
        f"{target_path / 'dbt.log'}."
    )


def _not_checked(target_path: Path, copy: Path, models: Models) -> str:
    return (
        f"Not all checks could be run: {_failed_nodes(target_path, copy, models)}. Readers and "
        "builds are not concerned. The whole story is in the log of the run; publish, then run them "
        "again."
    )


def _failed_nodes(target_path: Path, file: Path, models: Models) -> str:
    """What failed in the DuckDB file, by name, and for which leads.

    `parsed_dbt` has seen to it that dbt's messages hold no values.
    """
    failed = [
        f"{node_name(result['unique_id'], models.manifest)}: "
        f"{_in_one_line(models.project.told(result['message'] or ''))}"
        f"{_which_leads(result, file)}"
        for result in _results(target_path, *FAILED)
    ]
    return "; ".join(failed) or "it ended before any model or test"


def _which_leads(result: Mapping[str, Any], file: Path) -> str:
    """The leads that a failed test is about, if it is about leads."""
    if result["status"] != "fail":
        return ""
    keys = failing_leads(file, result["compiled_code"])
    return f" (first: {', '.join(keys)})" if keys else ""


def _in_one_line(message: str) -> str:
    """dbt's first line says which file, and the next one what is wrong with it."""
    return " ".join(line.strip() for line in message.splitlines()[:2] if line.strip())
