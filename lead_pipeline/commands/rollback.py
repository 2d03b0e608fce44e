"""`lead-pipeline rollback`: an earlier BI file for readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import last_word, say, show_table

if TYPE_CHECKING:
    from lead_pipeline.bi.builds import Build
    from lead_pipeline.settings import Settings


def rollback(
    to: Annotated[
        str | None,
        typer.Option(
            metavar="BUILD", help="The build to go to: its name, or how it begins. [the one before]"
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Only show which builds are kept; change nothing.")
    ] = False,
) -> None:
    """Give readers an earlier build again, in one step; the next publication goes forward.

    LEAD_PIPELINE_KEPT_BUILDS earlier files are kept. Readers that have a file open keep it until
    they open again, as after each publication.

    Example: lead-pipeline rollback --to 20260115T0230
    """
    from lead_pipeline.bi.gate import rules_of
    from lead_pipeline.bi.rollback import roll_back
    from lead_pipeline.settings import load_settings
    from lead_pipeline.storage.locks import held

    settings = load_settings()
    with held(settings.publish_lock, "rolling back", say):
        if show:
            _show_builds(settings)
            return
        build = roll_back(
            settings.published_path, to=to, masking_key_id=rules_of(settings).masking_key_id
        )
        _show_builds(settings)
        _replace_report(settings)
    last_word(
        f"Readers of {settings.published_path} now see the build published "
        f"{build.published_at:%Y-%m-%d %H:%M}Z by run {build.run_id}: {build.lead_count:,} leads. "
        "The next publication replaces it; until then nothing else changes."
    )


def _replace_report(settings: Settings) -> None:
    """The page of the build that readers have now; none where an older version made the build."""
    from lead_pipeline.errors import PublishError
    from lead_pipeline.report.page import write_report

    try:
        write_report(settings.published_path, settings.report_path)
    except PublishError as error:
        settings.report_path.unlink(missing_ok=True)
        say(f"{error} The page of the build before has been removed.")


def _show_builds(settings: Settings) -> None:
    from lead_pipeline.bi.builds import read_build
    from lead_pipeline.bi.retained_builds import retained_builds

    current = read_build(settings.published_path)
    builds = retained_builds(settings.published_path)
    rows = [_row(build, readers_have=False) for build in builds]
    if current is not None:
        rows.append(_row(current, readers_have=True))
    if not rows:
        say(f"No build at {settings.published_path}, and none kept. Try `lead-pipeline run`.")
        return
    show_table(
        "Builds",
        ["build", "published", "run", "leads", "masked with", "readers have it"],
        sorted(rows, key=lambda row: str(row[0]), reverse=True),
    )


def _row(build: Build, *, readers_have: bool) -> list[object]:
    from lead_pipeline.bi.retained_builds import name_of

    return [
        name_of(build),
        f"{build.published_at:%Y-%m-%d %H:%M}Z",
        build.run_id,
        build.lead_count,
        build.masking_key_id,
        "yes" if readers_have else None,
    ]
