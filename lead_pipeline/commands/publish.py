"""`lead-pipeline publish`: a new BI file from what has landed."""

from __future__ import annotations

from typing import Annotated

import typer

from lead_pipeline.commands.dry_run import preview_publish
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.commands.outcome import load_and_publish


def publish(
    allow_row_count_drop: Annotated[
        bool,
        typer.Option(
            "--allow-row-count-drop",
            help="Publish although readers lose more leads than LEAD_PIPELINE_MAX_ROW_COUNT_DROP_PERCENT.",
        ),
    ] = False,
    allow_shrinkage: Annotated[
        bool, typer.Option("--allow-shrinkage", hidden=True, help="Its name in earlier releases.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be loaded and compared.")
    ] = False,
) -> None:
    """Load what has landed, build and test the marts, publish. Asks no API.

    For a new build after a setting or a model has changed, after a rollback, or when a build was
    refused because leads are missing and that is meant.
    """

    settings = settings_of_command()
    allow_row_count_drop = allow_row_count_drop or allow_shrinkage
    if dry_run:
        preview_publish(settings, allow_row_count_drop=allow_row_count_drop)
        return
    load_and_publish(settings, allow_row_count_drop=allow_row_count_drop)
