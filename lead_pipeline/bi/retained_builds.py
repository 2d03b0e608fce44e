"""Earlier published files, kept for a rollback: the last of each of some days, and those on hold.

    bi/leads.duckdb ──hard link──▶ bi/.builds/<published at>-<run>.duckdb
                                              <published at>-<run>.held    until it is released

A published file is never written to, so a second name of it is as good as a copy and costs
nothing; its room on disk is freed with its last name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date
from pathlib import Path

from lead_pipeline.bi.builds import Build, read_build
from lead_pipeline.storage.files import replace_atomically, sync, temporary_of, write_atomically

FOLDER = ".builds"
SUFFIX = ".duckdb"
HELD = ".held"
_RUN_DIGITS = 8


def folder_of(published: Path) -> Path:
    """Where the earlier files of `published` are kept."""
    return published.parent / FOLDER


def name_of(build: Build) -> str:
    """`20260115T023001123456Z-1a2b3c4d`: sorts by the time of publication."""
    return f"{build.published_at:%Y%m%dT%H%M%S%fZ}-{build.run_id[:_RUN_DIGITS]}"


def retained_builds(published: Path) -> list[Build]:
    """The retained builds that can be read, newest first.

    Takes no lock: what a publication removes meanwhile is left out.
    """
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
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copy(source, temporary)
        replace_atomically(temporary, target)
    except BaseException:
        # A disk that is read-only by now keeps it; `remove_unfinished` comes later.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def remove_unfinished(published: Path) -> None:
    """Remove what killed processes left half done; the caller holds the publish lock."""
    for unfinished in published.parent.rglob(".*.tmp"):
        unfinished.unlink(missing_ok=True)


def is_held(published: Path, build: Build) -> bool:
    """Whether the build stays, whatever its age, until it is released."""
    return _hold_of(published, build).exists()


def hold(published: Path, build: Build) -> None:
    """Let a build that is published or retained stay until it is released; the caller holds the lock.

    Raises `OSError`.
    """
    path = folder_of(published) / f"{name_of(build)}{SUFFIX}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(build.path, path)
    write_atomically(_hold_of(published, build), b"")


def release(published: Path, build: Build) -> None:
    """Let the build go when its time has come; the caller holds the publish lock."""
    _hold_of(published, build).unlink(missing_ok=True)


def _hold_of(published: Path, build: Build) -> Path:
    return folder_of(published) / f"{name_of(build)}{HELD}"


def prune(
    published: Path, days: int, masking_key_id: str | None, tell: Callable[[str], None]
) -> None:
    """Leave the last build of each of the newest `days` days with one, and those on hold.

    None of them is masked otherwise than `published` is, on hold or not: so neither plain data,
    hashes of a key that was given up, nor what an earlier version left in masked files outlive the
    change by more than the next publication. What an interrupted copy left is removed too.
    """
    remove_unfinished(published)
    kept: set[date] = set()
    for path in _files(published):
        build = read_build(path)
        if build is None or (why := _must_go(build, masking_key_id)):
            why = "it cannot be read" if build is None else why
            tell(f"Removed {path}: {why}.")
        else:
            day = build.published_at.astimezone(UTC).date()
            is_last_of_day = day not in kept and len(kept) < days
            if is_last_of_day:
                kept.add(day)
            if is_last_of_day or is_held(published, build):
                continue
        path.unlink()
    for held in folder_of(published).glob(f"*{HELD}"):
        if not held.with_suffix(SUFFIX).exists():
            held.unlink()
    with suppress(FileNotFoundError):
        sync(folder_of(published))


def _must_go(build: Build, masking_key_id: str | None) -> str | None:
    """Why readers may not have the build again; None where they may."""
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
        (path for path in folder_of(published).glob(f"*{SUFFIX}") if not _is(path, published)),
        reverse=True,
    )


def _is(path: Path, published: Path) -> bool:
    # Either can have gone since it was listed.
    with suppress(FileNotFoundError):
        return path.samefile(published)
    return False
