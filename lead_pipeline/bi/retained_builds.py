"""Earlier published files, kept for a rollback: the last of each of some days, and those on hold.

    bi/leads.duckdb ──hard link──▶ bi/.builds/<published at>-<run>.duckdb
                                              <published at>-<run>.held    until it is released

A published file is never written to, so a second name of it is as good as a copy and costs
nothing; its room on disk is freed with its last name. Belongs here: which builds stay. Does not belong
here: where they lie (`storage/publication.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from lead_pipeline.bi.builds import Build, read_build
from lead_pipeline.storage.files import sync
from lead_pipeline.storage.publication import (
    HELD,
    SUFFIX,
    hold_path,
    publication_at,
    retained_folder,
)

_RUN_DIGITS = 8


def name_of(build: Build) -> str:
    """By what the build is known."""
    return build_name(build.published_at, build.run_id)


def build_name(published_at: datetime, run_id: str) -> str:
    """`20260115T023001123456Z-1a2b3c4d`: sorts by the time of publication."""
    return f"{published_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{run_id[:_RUN_DIGITS]}"


def retained_builds(published: Path) -> list[Build]:
    """The retained builds that can be read, newest first.

    Takes no lock: what a publication removes meanwhile is left out.
    """
    found = (read_build(path) for path in _files(published))
    return [build for build in found if build is not None]


def may_be_kept(build: Build | None, masking_key_id: str | None) -> bool:
    """Whether what readers have may become a retained build.

    Not if it is masked otherwise than `masking_key_id` and the rules of now say.
    """
    return build is not None and build.is_masked_as(masking_key_id)


def remove_unfinished(published: Path) -> None:
    """Remove what killed processes left half done; the caller holds the publish lock."""
    for unfinished in published.parent.rglob(".*.tmp"):
        unfinished.unlink(missing_ok=True)


def is_held(published: Path, build: Build) -> bool:
    """Whether the build stays, whatever its age, until it is released."""
    return hold_path(published, name_of(build)).exists()


def prune(
    published: Path, days: int, masking_key_id: str | None, tell: Callable[[str], None]
) -> None:
    """Leave the last build of each of the newest `days` days with one, and those on hold.

    None of them is masked otherwise than `published` is, on hold or not: so neither plain data,
    hashes of a key that was given up, nor what an earlier version left in masked files outlive the
    change by more than the next publication. What an interrupted copy left is removed too.
    """
    remove_unfinished(published)
    publication = publication_at(published)
    kept: set[date] = set()
    for path in _files(published):
        build = read_build(path)
        why = _must_go(build, masking_key_id)
        if build is None or why is not None:
            tell(f"Removed {path}: {why}.")
        else:
            day = build.published_at.astimezone(UTC).date()
            is_last_of_day = day not in kept and len(kept) < days
            if is_last_of_day:
                kept.add(day)
            if is_last_of_day or is_held(published, build):
                continue
        publication.remove(path.stem, at_once=why is not None)
    for held in retained_folder(published).glob(f"*{HELD}"):
        if not held.with_suffix(SUFFIX).exists():
            held.unlink()
    with suppress(FileNotFoundError):
        sync(retained_folder(published))


def _must_go(build: Build | None, masking_key_id: str | None) -> str | None:
    """Why readers may not have the build again; None where they may."""
    if build is None:
        return "it cannot be read"
    if build.masking_key_id != masking_key_id:
        return "it is masked otherwise than what readers have"
    if not build.follows_present_rules:
        return (
            "an earlier version, or one with another masking.csv, masked it, and it can tell who "
            "the leads are"
        )
    return None


def _files(published: Path) -> list[Path]:
    """Newest first, without other names of the published file itself."""
    return sorted(
        (
            path
            for path in retained_folder(published).glob(f"*{SUFFIX}")
            if not _is(path, published)
        ),
        reverse=True,
    )


def _is(path: Path, published: Path) -> bool:
    # Either can have gone since it was listed.
    with suppress(FileNotFoundError):
        return path.samefile(published)
    return False
