"""The normalized tables as Dagster assets. One load writes all of them, in one transaction.

landing/* ──▶ normalized/lead_versions ──▶ normalized/leads
                                       └─▶ normalized/lead_stage_history
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.lineage.events import Table
from lead_pipeline.normalized.checks import CHECKS, Check, CheckOutcome
from lead_pipeline.normalized.columns import column_schema
from lead_pipeline.orchestration.failures import failure_from, told_without_values
from lead_pipeline.orchestration.lineage import lineage_of
from lead_pipeline.orchestration.resources import SettingsResource, with_default_resources

if TYPE_CHECKING:
    from lead_pipeline.normalized.load import LoadResult

GROUP = "normalized"
LEAD_VERSIONS = dg.AssetKey(["normalized", "lead_versions"])
LEADS = dg.AssetKey(["normalized", "leads"])
LEAD_STAGE_HISTORY = dg.AssetKey(["normalized", "lead_stage_history"])
KEYS = (LEAD_VERSIONS, LEADS, LEAD_STAGE_HISTORY)


def build_normalized_assets(landing: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The three tables, downstream of the landing assets given."""

    @dg.multi_asset(
        name="load_normalized",
        specs=[
            _spec(LEAD_VERSIONS, landing, "One row per distinct observed state of a lead."),
            _spec(LEADS, [LEAD_VERSIONS], "One row per lead: its newest observed version."),
            _spec(LEAD_STAGE_HISTORY, [LEAD_VERSIONS], "One row per stage interval of a lead."),
        ],
        check_specs=[_check_spec(check) for check in CHECKS],
    )
    def load_normalized(
        context: dg.AssetExecutionContext, lead_settings: SettingsResource
    ) -> Iterator[Any]:
        # All that a load is made of, which definitions do without.
        from lead_pipeline.normalized.load import load_landing

        started = time.monotonic()
        inputs = [Table("/".join(key.path)) for key in landing]
        outputs = [
            Table("/".join(key.path), {name: kind for name, kind, _ in column_schema(key.path[-1])})
            for key in KEYS
        ]
        try:
            with told_without_values():
                lineage = lineage_of(context, lead_settings)
                with lineage.telling("load_normalized", inputs, outputs) as done:
                    result = load_landing(lead_settings.load(), tell=context.log.info)
                    done.outputs = [
                        replace(table, rows=result.table_rows[key.path[-1]])
                        for key, table in zip(KEYS, outputs, strict=True)
                    ]
        except LeadPipelineError as error:
            raise failure_from(error) from None
        yield from _results(result, time.monotonic() - started)

    return with_default_resources(load_normalized)


def _spec(key: dg.AssetKey, upstream: Sequence[dg.AssetKey], description: str) -> dg.AssetSpec:
    columns = [
        dg.TableColumn(name, data_type, description=text)
        for name, data_type, text in column_schema(key.path[-1])
    ]
    return dg.AssetSpec(
        key,
        deps=list(upstream),
        description=description,
        group_name=GROUP,
        kinds={"duckdb"},
        metadata={"dagster/column_schema": dg.TableSchema(columns)},
    )


def _check_spec(check: Check) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        check.name,
        asset=dg.AssetKey([GROUP, check.table]),
        description=check.holds,
        blocking=check.is_blocking,
    )


def _results(result: "LoadResult", seconds: float) -> Iterator[Any]:
    shared = {
        "files_loaded": result.files,
        "rows_loaded": result.rows,
        "leads_changed": result.leads_changed,
        "rebuilt": result.rebuilt,
        "rebuilt_because": result.rebuilt_because,
        "duration_seconds": round(seconds, 2),
    }
    for key in KEYS:
        metadata: dict[str, Any] = {
            "dagster/row_count": result.table_rows[key.path[-1]],
            "rows": result.table_rows[key.path[-1]],
            **shared,
        }
        if key == LEADS:
            metadata["preview"] = _preview(result)
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)
    for outcome in result.checks:
        yield _check_result(outcome)


def _check_result(outcome: CheckOutcome) -> dg.AssetCheckResult:
    check = outcome.check
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey([GROUP, check.table]),
        check_name=check.name,
        passed=not outcome.failures,
        # Dagster knows no third state: what is not evaluated stands as passed, and says so.
        severity=(
            dg.AssetCheckSeverity.ERROR
            if check.is_blocking and outcome.is_evaluated
            else dg.AssetCheckSeverity.WARN
        ),
        metadata={
            "evaluated": outcome.is_evaluated,
            "looked_at": outcome.looked_at,
            "count": outcome.failures,
            "examples": list(outcome.examples),
        },
        description=outcome.message,
    )


def _preview(result: "LoadResult") -> dg.TableMetadataValue:
    """Leads by provider and stage."""
    schema = dg.TableSchema(
        [
            dg.TableColumn("provider", "string"),
            dg.TableColumn("stage", "string"),
            dg.TableColumn("leads", "int"),
        ]
    )
    records = [
        dg.TableRecord({"provider": provider, "stage": stage, "leads": leads})
        for provider, stage, leads in result.leads_by_stage
    ]
    return dg.MetadataValue.table(records, schema)
