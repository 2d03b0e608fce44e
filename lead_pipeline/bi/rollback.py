"""Giving readers an earlier build again.

bi/.builds/<build>.duckdb ──second name, rename──▶ bi/leads.duckdb
"""

from __future__ import annotations

from pathlib import Path

from lead_pipeline.bi.builds import Build, read_build
from lead_pipeline.bi.retained_builds import folder_of, keep, link_or_copy, name_of, retained_builds
from lead_pipeline.errors import PublishError
from lead_pipeline.storage.duckdb_files import wal_of


def roll_back(published: Path, *, to: str | None, masking_key_id: str | None) -> Build:
    """Give readers the retained build whose name begins with `to`; by default the one before theirs.

    The build that readers have now is kept, so going forward again is a rollback too. The caller
    holds the publish lock. Raises `PublishError` when there is no such build, it is masked
    otherwise than the settings (`masking_key_id`) say now, an earlier version masked it, or the
    disk refuses it; readers then keep what they have.
    """
    current = read_build(published)
    chosen = _chosen(retained_builds(published), current, published, to)
    if chosen.masking_key_id != masking_key_id:
        raise PublishError(
            f"{chosen.path} is not masked as LEAD_PIPELINE_MASKING and its key say now, so readers "
            "must not get it. The next publication removes it: lead-pipeline publish."
        )
    if not chosen.follows_present_rules:
        raise PublishError(
            f"{chosen.path} was masked by an earlier version, or one with another masking.csv, and "
            "can tell who the leads are, so readers must not get it. The next publication removes "
            "it: lead-pipeline publish."
        )
    try:
        keep(published, current, masking_key_id)
        wal_of(published).unlink(missing_ok=True)
        link_or_copy(chosen.path, published)
    except OSError as error:
        raise PublishError(
            f"{chosen.path} cannot be put before readers: {error.strerror}. They keep what they "
            "have. Make room or fix the folder, then run the command again."
        ) from error
    return chosen


def _chosen(kept: list[Build], current: Build | None, published: Path, to: str | None) -> Build:
    if not kept:
        raise PublishError(
            f"No earlier build is kept in {folder_of(published)}. LEAD_PIPELINE_KEPT_BUILDS says "
            "how many each publication leaves there."
        )
    if to is None:
        earlier = [
            build for build in kept if current is None or build.published_at < current.published_at
        ]
        if not earlier:
            raise PublishError(
                "Readers already have the earliest build that is kept. To go forward: "
                f"lead-pipeline rollback --to {name_of(kept[0])}."
            )
        return earlier[0]
    named = [build for build in kept if name_of(build).startswith(to)]
    if len(named) != 1:
        raise PublishError(
            f"{len(named)} retained builds have a name that begins with {to!r}. Name one of: "
            f"{', '.join(name_of(build) for build in kept)}."
        )
    return named[0]
