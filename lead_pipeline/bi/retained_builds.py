"""Earlier published files, kept for a rollback.

    bi/leads.duckdb ──hard link──▶ bi/.builds/<published at>-<run>.duckdb

A published file is never written to, so a second name of it is as good as a copy and costs
nothing; its room on disk is freed with its last name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lead_pipeline.bi.builds import Build, read_build
from lead_pipeline.storage.files import replace_atomically, sync, temporary_of

FOLDER = ".builds"
SUFFIX = ".duckdb"
_RUN_DIGITS = 8


def folder_of(published: Path) -> Path:
    """Where the earlier files of `published` are kept."""
    return published.parent / FOLDER


def name_of(build: Build) -> str:
    """`20260115T023001123456Z-1a2b3c4d`: sorts by the time of publication."""
    return f"{build.published_at:%Y%m%dT%H%M%S%fZ}-{build.run_id[:_RUN_DIGITS]}"


def retained_builds(published: Path) -> list[Build]:
    """The retained builds that can be read, newest first."""
    found = (read_build(path) for path in _files(published))
    return [build for build in found if build is not None]


def keep(published: Path, build: Build | None, masking_key_id: str | None) -> None:
    """Keep the file at `published`, which holds `build`, under a name of its own.

    Not if it is masked otherwise than `masking_key_id` and the rules of now say.
    """
    if build is None or not build.is_masked_as(masking_key_id):
        return
    path = folder_of(published) / f"{name_of(build)}{SUFFIX}"
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    link_or_copy(published, path)


def link_or_copy(source: Path, target: Path) -> None:
    """Give the content of `source` the name `target` in one step, replacing any other there.

    A file system that knows no hard links gets a copy. Nothing is left at `target` but the old
    content or the new one, whole, also after a crash. Raises `OSError`.
    """
    temporary = temporary_of(target)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copy(source, temporary)
    replace_atomically(temporary, target)


def prune(
    published: Path, limit: int, masking_key_id: str | None, tell: Callable[[str], None]
) -> None:
    """Leave the newest `limit` retained builds, none of them masked otherwise than `published` is.

    So neither plain data, hashes of a key that was given up, nor what an earlier version left in
    masked files outlive the change by more than the next publication. What an interrupted copy
    left is removed too.
    """
    for unfinished in published.parent.rglob(".*.tmp"):
        unfinished.unlink(missing_ok=True)
    kept = 0
    for path in _files(published):
        build = read_build(path)
        if build is None or build.masking_key_id != masking_key_id:
            tell(
                f"Removed {path}: it cannot be read, or is masked otherwise than what readers have."
            )
        elif not build.follows_present_rules:
            tell(
                f"Removed {path}: an earlier version, or one with another masking.csv, masked it, "
                "and it can tell who the leads are."
            )
        elif kept < limit:
            kept += 1
            continue
        path.unlink()
    with suppress(FileNotFoundError):
        sync(folder_of(published))


def _files(published: Path) -> list[Path]:
    """Newest first, without other names of the published file itself."""
    return sorted(
        (path for path in folder_of(published).glob(f"*{SUFFIX}") if not _is(path, published)),
        reverse=True,
    )


def _is(path: Path, published: Path) -> bool:
    return published.exists() and path.samefile(published)
