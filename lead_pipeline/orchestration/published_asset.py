"""The asset `bi/published`: publishing as a step of a Dagster run.

dbt models ──▶ bi/published
"""

import time
from collections.abc import Callable, Iterable, Sequence

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    Config,
    MaterializeResult,
    MetadataValue,
    asset,
)
from pydantic import Field

from lead_pipeline.bi.catalog.shown import show_catalog_again
from lead_pipeline.bi.dbt_project import dbt_folder
from lead_pipeline.bi.gate import rules_of
from lead_pipeline.bi.publish import Publication, publish
from lead_pipeline.errors import LakeError, LeadPipelineError
from lead_pipeline.lineage.events import Table
from lead_pipeline.orchestration.failures import told_without_values
from lead_pipeline.orchestration.lineage import lineage_of
from lead_pipeline.orchestration.resources import SettingsResource, with_default_resources
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held

KEY = AssetKey(["bi", "published"])


class PublishConfig(Config):
    """What can be said of one publication, in the launchpad or in run configuration."""

    allow_row_count_drop: bool = Field(
        default=False,
        description="Publish although readers lose more leads than LEAD_PIPELINE_MAX_ROW_COUNT_DROP_PERCENT.",
    )
    allow_missing: bool = Field(
        default=False,
        description="Publish although more leads than that are no longer shown by their provider.",
    )


def publish_config(
    *, allow_row_count_drop: bool = False, allow_missing: bool = False
) -> dict[str, object]:
    """Run configuration of one publication: what readers may lose by it."""
    config = {"allow_row_count_drop": allow_row_count_drop, "allow_missing": allow_missing}
    return {"ops": {"__".join(KEY.path): {"config": config}}}


def build_published_asset(models: Iterable[AssetKey]) -> AssetsDefinition:
    """The asset `bi/published`, after all of the dbt `models`."""
    models = list(models)
    marts = [Table("/".join(key.path)) for key in models if key.path[0] == "marts"]

    @asset(
        key=KEY,
        group_name="bi",
        deps=models,
        kinds={"duckdb"},
        description="The DuckDB file that BI tools open, replaced as a whole by each run, and the pages beside it.",
    )
    def published(
        context: AssetExecutionContext, config: PublishConfig, lead_settings: SettingsResource
    ) -> MaterializeResult[None]:
        with told_without_values():
            return _published(context, config, lead_settings.load(), marts)

    return with_default_resources(published)


def _published(
    context: AssetExecutionContext,
    config: PublishConfig,
    settings: Settings,
    marts: Sequence[Table],
) -> MaterializeResult[None]:
    # SQLAlchemy takes half a second to import, which who only looks at assets need not wait for.
    from lead_pipeline.orchestration.upkeep import after_publication

    started = time.monotonic()
    with held(settings.publish_lock, "publishing", context.log.info):
        with lineage_of(context, settings).telling("publish", marts, [Table("/".join(KEY.path))]):
            publication = publish(
                settings.candidate_path,
                settings.published_path,
                run_id=context.run.run_id,
                rules=rules_of(
                    settings,
                    allow_row_count_drop=config.allow_row_count_drop,
                    allow_missing=config.allow_missing,
                ),
                tell=context.log.info,
            )
        # Templates take a moment to import, which who only looks at assets need not wait for.
        from lead_pipeline.report.pages import show_pages

        show_pages(settings)
        report = _report(settings)
        without_lake = _refused_by_lake(settings, context.log.info)
        # As late as can be: readers have all else by now.
        from lead_pipeline.bi.catalog.write import write_catalog

        if publication.is_of_another:
            show_catalog_again(settings)
        else:
            write_catalog(settings, dbt_folder(settings.candidate_path))
    report["duration_seconds"] = MetadataValue.float(round(time.monotonic() - started, 2))
    after_publication(context.instance, settings, context.log.info)
    metadata = _metadata(publication) | report
    if without_lake is not None:
        # Readers of the file have it: that is a fact, although the step fails.
        context.log_event(AssetMaterialization(KEY, metadata=metadata))
        raise without_lake
    return MaterializeResult(metadata=metadata)


def _refused_by_lake(settings: Settings, tell: Callable[[str], None]) -> LakeError | None:
    """Give the lake what has been published; returns why it has not taken it."""
    if settings.lake is None:
        return None
    from lead_pipeline.bi.lake_upkeep import publish_to_lake

    try:
        publish_to_lake(settings, tell)
    except LeadPipelineError as error:
        return LakeError(f"The build is published, but not in the lake. {error}")
    return None


def _report(settings: Settings) -> dict[str, MetadataValue]:
    """What opens in the web interface, which serves no files; and where the whole page is."""
    from lead_pipeline.report.summary import leads_by_stage

    accounts, rows = leads_by_stage(settings.published_path)
    lines = [["stage", *accounts], ["---", *["---:"] * len(accounts)]]
    lines += [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    return {
        "summary": MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines)),
        "report": MetadataValue.url(settings.report_path.as_uri()),
        "explore": MetadataValue.url(settings.explore_path.as_uri()),
    }


def _metadata(publication: Publication) -> dict[str, MetadataValue]:
    metadata: dict[str, MetadataValue] = {
        "path": MetadataValue.path(publication.path),
        "bytes": MetadataValue.int(publication.size_bytes),
        "leads": MetadataValue.int(publication.row_counts["normalized.leads"]),
        "published_at": MetadataValue.timestamp(publication.published_at),
    }
    for table, rows in publication.row_counts.items():
        metadata[f"rows/{table}"] = MetadataValue.int(rows)
    for account in publication.coverage:
        if account.complete_through is not None:
            metadata[f"complete_through/{account.account}"] = MetadataValue.timestamp(
                account.complete_through
            )
    return metadata
