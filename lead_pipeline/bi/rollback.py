"""Giving readers an earlier build again, and keeping one from going with age.

bi/.builds/<build>.duckdb ──second name, rename──▶ bi/leads.duckdb
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lead_pipeline.bi.builds import Build, read_build
from lead_pipeline.bi.erased import holds_erased
from lead_pipeline.bi.retained_builds import (
    is_held,
    may_be_kept,
    name_of,
    remove_unfinished,
    retained_builds,
)
from lead_pipeline.errors import PublishError
from lead_pipeline.landing.tombstones import Erased
from lead_pipeline.storage.disks import reason_of
from lead_pipeline.storage.duckdb_files import wal_of
from lead_pipeline.storage.permissions import FILE_MODE, Readers, shown_to
from lead_pipeline.storage.publication import publication_at, retained_folder


def roll_back(
    published: Path,
    *,
    to: str | None,
    masking_key_id: str | None,
    erased: Mapping[str, Erased] | None = None,
    readers: Readers | None = None,
) -> Build:
    """Give readers the retained build whose name begins with `to`; by default the one before theirs.

    The build that readers have now is kept, so going forward again is a rollback too. The caller
    holds the publish lock. Raises `PublishError` when there is no such build, it is masked
    otherwise than the settings (`masking_key_id`) say now, an earlier version masked it, it holds
    somebody who is `erased`, or the disk refuses it; readers then keep what they have.
    """
    publication = publication_at(published)
    publication.refresh(with_retained=True)
    current = read_build(published)
    chosen = _chosen(retained_builds(published), current, published, to)
    _refuse_masked_otherwise(chosen, masking_key_id)
    _refuse_erased(chosen, erased or {})
    if chosen is current:
        return chosen
    try:
        remove_unfinished(published)
        wal_of(published).unlink(missing_ok=True)
        # Two names of one file: the earlier one lies in a folder that nobody else may enter.
        shown_to(readers, chosen.path, FILE_MODE)
        publication.go_back(
            name_of(chosen),
            None if current is None else name_of(current),
            keep=may_be_kept(current, masking_key_id),
        )
    except OSError as error:
        raise PublishError(
            f"{chosen.path} cannot be put before readers: {reason_of(error, published)}. They keep what they "
            "have. Make room or fix the folder, then run the command again."
        ) from None
    return chosen


def hold_build(
    published: Path,
    named: str | None,
    masking_key_id: str | None,
    erased: Mapping[str, Erased] | None = None,
) -> Build:
    """Keep the build whose name begins with `named`, by default that of readers, until it is released.

    Readers keep what they have. The caller holds the publish lock. Raises `PublishError` when there
    is no such build, readers must not have it, or the disk refuses it.
    """
    publication = publication_at(published)
    publication.refresh(with_retained=True)
    chosen = _named_or_current(published, named)
    _refuse_masked_otherwise(chosen, masking_key_id)
    _refuse_erased(chosen, erased or {})
    try:
        publication.hold(name_of(chosen))
    except OSError as error:
        raise PublishError(
            f"{chosen.path} cannot be kept: {reason_of(error, published)}. Make room or fix the folder, then run "
            "the command again."
        ) from None
    return chosen


def release_build(published: Path, named: str | None) -> Build:
    """Undo `hold_build`: the build goes when its time has come. The caller holds the publish lock.

    Raises `PublishError` when there is no such build, or it is not on hold.
    """
    publication = publication_at(published)
    publication.refresh(with_retained=True)
    chosen = _named_or_current(published, named)
    if not is_held(published, chosen):
        raise PublishError(
            f"The build {name_of(chosen)} is not on hold. lead-pipeline rollback --list shows which "
            "are."
        )
    publication.release(name_of(chosen))
    return chosen


def _named(builds: Sequence[Build], named: str) -> Build:
    """The only one of `builds` whose name begins with `named`."""
    # What readers have can have a second name among those that are kept.
    found = {name_of(build): build for build in builds}
    fitting = [build for name, build in found.items() if name.startswith(named)]
    if len(fitting) != 1:
        raise PublishError(
            f"{len(fitting)} retained builds have a name that begins with {named!r}. Name one of: "
            f"{', '.join(found)}."
        )
    return fitting[0]


def _named_or_current(published: Path, named: str | None) -> Build:
    current = read_build(published)
    if named is not None:
        return _named([*retained_builds(published), *([] if current is None else [current])], named)
    if current is None:
        raise PublishError(
            f"There is no build at {published} that can be read. lead-pipeline rollback --list "
            "shows those that are kept."
        )
    return current


def _refuse_masked_otherwise(build: Build, masking_key_id: str | None) -> None:
    if build.masking_key_id != masking_key_id:
        raise PublishError(
            f"{build.path} is not masked as LEAD_PIPELINE_MASKING and its key say now, so readers "
            "must not get it. The next publication removes it: lead-pipeline publish."
        )
    if not build.follows_present_rules:
        raise PublishError(
            f"{build.path} was masked by an earlier version, or one with another masking.csv, and "
            "can tell who the leads are, so readers must not get it. The next publication removes "
            "it: lead-pipeline publish."
        )


def _refuse_erased(build: Build, erased: Mapping[str, Erased]) -> None:
    if holds_erased(build.path, erased):
        raise PublishError(
            f"{build.path} holds persons who have been erased since, so readers must not get it. Remove "
            "it: lead-pipeline forget --resume."
        )


def _chosen(kept: list[Build], current: Build | None, published: Path, to: str | None) -> Build:
    if to is not None and current is not None and name_of(current).startswith(to):
        others = {name_of(build) for build in kept} - {name_of(current)}
        if not any(name.startswith(to) for name in others):
            # As when a command is repeated that was killed behind its last step.
            return current
    if not kept:
        raise PublishError(
            f"No earlier build is kept in {retained_folder(published)}. LEAD_PIPELINE_RETAINED_BUILDS says of "
            "how many days the last one stays."
        )
    if to is not None:
        return _named(kept, to)
    for build in kept:
        if current is None or build.published_at < current.published_at:
            return build
    raise PublishError(
        "Readers already have the earliest build that is kept. To go forward: "
        f"lead-pipeline rollback --to {name_of(kept[0])}."
    )
