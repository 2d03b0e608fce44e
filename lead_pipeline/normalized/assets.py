"""The normalized tables as Dagster assets. One load writes all of them, in one transaction.

    landing/* ──▶ normalized/lead_versions ──▶ normalized/leads
                                           └─▶ normalized/lead_stage_history

Belongs here: keys, metadata and checks. Does not belong here: loading (`load.py`).
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.normalized.load import LoadResult, load_landing
from lead_pipeline.settings import load_settings

GROUP = "normalized"
POOL = "warehouse"
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
        check_specs=[
            dg.AssetCheckSpec(
                "stages_are_mapped",
                asset=LEADS,
                description="stages.csv knows every status and stage that leads have.",
            ),
            dg.AssetCheckSpec(
                "newest_stage_agrees_with_leads",
                asset=LEAD_STAGE_HISTORY,
                description="The newest interval of each lead shows the lead's own stage.",
            ),
            dg.AssetCheckSpec(
                "audit_log_agrees_with_versions",
                asset=LEAD_STAGE_HISTORY,
                description="No version shows a stage that the audit log does not know of.",
            ),
        ],
        pool=POOL,
    )
    def load_normalized(context: dg.AssetExecutionContext) -> Iterator[Any]:
        started = time.monotonic()
        try:
            result = load_landing(load_settings(), tell=context.log.info)
        except LeadPipelineError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        yield from _results(result, time.monotonic() - started)

    return load_normalized


def _spec(key: dg.AssetKey, upstream: Sequence[dg.AssetKey], description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key, deps=list(upstream), description=description, group_name=GROUP, kinds={"duckdb"}
    )


def _results(result: LoadResult, seconds: float) -> Iterator[Any]:
    shared = {
        "files_loaded": result.files,
        "rows_loaded": result.rows,
        "leads_touched": result.leads_touched,
        "rebuilt": result.rebuilt,
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
    yield _check(
        LEADS,
        "stages_are_mapped",
        len(result.unmapped),
        dg.AssetCheckSeverity.WARN,
        "Add these to lead_pipeline/normalized/stages.csv: "
        + "; ".join(str(value) for value in result.unmapped),
    )
    yield _check(
        LEAD_STAGE_HISTORY,
        "newest_stage_agrees_with_leads",
        result.disagreeing_newest,
        dg.AssetCheckSeverity.ERROR,
        f"{result.disagreeing_newest:,} leads have another stage than their newest interval. "
        "This is a defect of the pipeline; please report it.",
    )
    yield _check(
        LEAD_STAGE_HISTORY,
        "audit_log_agrees_with_versions",
        result.audit_disagreements,
        dg.AssetCheckSeverity.WARN,
        f"{result.audit_disagreements:,} intervals were observed that the audit log does not "
        "show. Both are kept; evidence tells them apart.",
    )


def _check(
    key: dg.AssetKey, name: str, count: int, severity: dg.AssetCheckSeverity, failure: str
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=name,
        passed=not count,
        severity=severity,
        metadata={"count": count},
        description=failure if count else None,
    )


def _preview(result: LoadResult) -> dg.TableMetadataValue:
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
