"""`lead-pipeline rollback`: an earlier BI file for readers, and which of them are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import answer_in_json, last_word, print_json, say, show_table
from lead_pipeline.commands.edge import settings_of_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from lead_pipeline.bi.builds import Build
    from lead_pipeline.settings import Settings


def rollback(
    build: Annotated[
        str | None,
        typer.Argument(
            metavar="BUILD",
            help="A build's name, or how it begins. By default the one before; of --hold and "
            "--release, the one that readers have.",
        ),
    ] = None,
    to: Annotated[str | None, typer.Option(help="The same as BUILD.", metavar="BUILD")] = None,
    show: Annotated[
        bool,
        typer.Option(
            "--list", help="Only show which builds are kept; change nothing, wait for nobody."
        ),
    ] = False,
    hold: Annotated[
        bool,
        typer.Option(
            "--hold",
            help="Only keep the build, whatever its age, until --release; readers keep what they "
            "have, and publications go on. Only a change of masking removes it all the same.",
        ),
    ] = False,
    release: Annotated[
        bool, typer.Option("--release", help="Only end the hold: the build goes with age again.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the builds as one JSON document.")
    ] = False,
) -> None:
    """Give readers an earlier build again, in one step; the next publication goes forward.

    The last build of each of LEAD_PIPELINE_RETAINED_BUILDS days is kept, and those on hold. Readers that
    have a file open keep it until they open again, as after each publication.

    Example: lead-pipeline rollback --to 20260115T0230
    """
    if build is not None and to is not None:
        raise typer.BadParameter("Name the build once: as BUILD or with --to.")
    if show + hold + release > 1:
        raise typer.BadParameter("--list, --hold and --release exclude each other.")

    settings, named = settings_of_command(refreshes=False), build or to
    if as_json:
        answer_in_json()
    show_builds = _print_builds if as_json else _show_builds
    if show:
        show_builds(settings)
    elif hold or release:
        _keep_or_let_go(settings, named, keep=hold)
        if as_json:
            show_builds(settings)
    else:
        _roll_back(settings, named, show_builds)


def _roll_back(
    settings: Settings, named: str | None, show_builds: Callable[[Settings], None]
) -> None:
    from lead_pipeline.bi.catalog.shown import show_catalog_again
    from lead_pipeline.bi.gate import rules_of
    from lead_pipeline.bi.rollback import roll_back
    from lead_pipeline.landing.erasures import refuse_to_go_back
    from lead_pipeline.landing.tombstones import erased_persons
    from lead_pipeline.storage.locks import held

    with held(settings.publish_lock, "rolling back", say):
        refuse_to_go_back(settings)
        rules = rules_of(settings)
        build = roll_back(
            settings.published_path,
            to=named,
            masking_key_id=rules.masking_key_id,
            erased=erased_persons(settings),
            readers=rules.readers,
        )
        show_builds(settings)
        _replace_pages(settings)
        show_catalog_again(settings)
        if settings.lake is not None:
            from lead_pipeline.bi.lake_upkeep import publish_to_lake

            publish_to_lake(settings, say)
    last_word(
        f"Readers of {settings.published_path} now see the build published "
        f"{build.published_at:%Y-%m-%d %H:%M}Z by run {build.run_id}: {build.lead_count:,} leads. "
        "The next publication replaces it. Until then nothing else changes."
    )


def _keep_or_let_go(settings: Settings, named: str | None, *, keep: bool) -> None:
    from lead_pipeline.bi.gate import rules_of
    from lead_pipeline.bi.retained_builds import name_of
    from lead_pipeline.bi.rollback import hold_build, release_build
    from lead_pipeline.landing.erasures import refuse_to_go_back
    from lead_pipeline.landing.tombstones import erased_persons
    from lead_pipeline.storage.locks import held

    with held(settings.publish_lock, "keeping a build", say):
        if keep:
            masking_key_id = rules_of(settings).masking_key_id
            refuse_to_go_back(settings)
            build = hold_build(
                settings.published_path, named, masking_key_id, erased_persons(settings)
            )
            outcome = (
                "is kept, whatever its age, until lead-pipeline rollback --release. Readers keep "
                "what they have."
            )
        else:
            build = release_build(settings.published_path, named)
            outcome = "is no longer on hold: publications remove it when its day is over."
    last_word(f"The build {name_of(build)} {outcome}")


def _replace_pages(settings: Settings) -> None:
    """The pages of the build that readers have now; none where an older version made the build."""
    from lead_pipeline.errors import PublishError
    from lead_pipeline.report.pages import remove_pages, show_pages

    try:
        show_pages(settings)
    except PublishError as error:
        remove_pages(settings.published_path)
        say(f"{error} The pages of the build before have been removed.")


def _builds(settings: Settings) -> list[tuple[Build, bool]]:
    """All builds that there are, newest first, and whether readers have it."""
    from lead_pipeline.bi.builds import read_build
    from lead_pipeline.bi.retained_builds import name_of, retained_builds
    from lead_pipeline.storage.publication import publication_at

    publication_at(settings.published_path).refresh(with_retained=True)
    # Without a lock, a publication may rename one between the two looks: it is shown once.
    builds = {name_of(build): build for build in retained_builds(settings.published_path)}
    current = read_build(settings.published_path)
    if current is not None:
        builds[name_of(current)] = current
    return [(builds[name], builds[name] is current) for name in sorted(builds, reverse=True)]


def _print_builds(settings: Settings) -> None:
    from lead_pipeline.bi.retained_builds import is_held, name_of

    builds = [
        {
            "build": name_of(build),
            "published_at": build.published_at,
            "run_id": build.run_id,
            "leads": build.lead_count,
            "masking_key_id": build.masking_key_id,
            "is_on_hold": is_held(settings.published_path, build),
            "is_published": readers_have,
        }
        for build, readers_have in _builds(settings)
    ]
    print_json({"builds": builds})


def _show_builds(settings: Settings) -> None:
    rows = [
        _row(settings, build, readers_have=readers_have)
        for build, readers_have in _builds(settings)
    ]
    if not rows:
        say(f"No build at {settings.published_path}, and none kept. Try `lead-pipeline run`.")
        return
    show_table(
        "Builds",
        ["build", "published", "run", "leads", "masked with", "on hold", "readers have it"],
        rows,
    )


def _row(settings: Settings, build: Build, *, readers_have: bool) -> list[object]:
    from lead_pipeline.bi.retained_builds import is_held, name_of

    return [
        name_of(build),
        f"{build.published_at:%Y-%m-%d %H:%M}Z",
        build.run_id[:8],
        build.lead_count,
        build.masking_key_id,
        "yes" if is_held(settings.published_path, build) else None,
        "yes" if readers_have else None,
    ]
