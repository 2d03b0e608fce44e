"""A file of one's own that is what a team's readers have.

    bi/current.json ──another build than the file──▶ download beside it, verify ──rename──▶ the file

Needs to read the store and nothing else. Belongs here: putting a build into its place, once. Does not
belong here: how often (`commands/fetch.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.errors import PublishError
from lead_pipeline.storage.duckdb_files import wal_of
from lead_pipeline.storage.files import remove_temporaries_of, replace_atomically
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.permissions import FILE_MODE, Readers, shown_to
from lead_pipeline.storage.team.builds import Current, StoredBuild, current_of
from lead_pipeline.storage.team.copies import forget_copy, is_copy, note_copy
from lead_pipeline.storage.team.objects import ObjectMissing, ObjectStore


@dataclass(frozen=True)
class FetchedBuild:
    """What the file is now."""

    current: Current
    is_new: bool
    """Whether it was another build, or nothing, before."""


def fetch_build(store: ObjectStore, path: Path, readers: Readers | None) -> FetchedBuild:
    """Let the file at `path` be what readers of the store have; nothing is downloaded if it is.

    Whoever has the file open keeps the old one. Raises `PublishError` where nothing has been published
    or the build is gone, `StoreUnavailable` where the store does not answer or what comes is damaged;
    the file then stays as it is.
    """
    # What was asked for later must not be replaced by what was asked for earlier.
    with held(path.with_name(f".{path.name}.fetch"), f"fetching {path}"):
        tried: Current | None = None
        while True:
            found = current_of(store)
            if found is None:
                raise PublishError(
                    f"Nothing has been published in {store.url} yet. Publish there first: lead-pipeline "
                    "run, or correct LEAD_PIPELINE_SHARED."
                )
            current, _ = found
            if current == tried:
                raise PublishError(
                    f"{store.url}/{current.object}, which its pointer names, is gone. Publish again: "
                    "lead-pipeline publish."
                )
            if is_copy(path, current.sha256):
                return FetchedBuild(current, is_new=False)
            try:
                put_in_place(store, current.entry, path, readers)
            except ObjectMissing:
                # Removed since the pointer was read; by now it names another one.
                tried = current
            else:
                return FetchedBuild(current, is_new=True)


def put_in_place(
    store: ObjectStore, build: StoredBuild, path: Path, readers: Readers | None
) -> None:
    """Download a build and rename it to `path`, with the mode of published files.

    The caller holds a lock of the file. Raises `ObjectMissing`.
    """
    new = unfinished_of(path)
    forget_copy(path)
    store.download(build.object_name, new, build.sha256)
    # If somebody has written to the old file, DuckDB would apply what is left of it to the new one.
    wal_of(path).unlink(missing_ok=True)
    # Before the rename: nobody meets a file that he may not read yet.
    shown_to(readers, new, FILE_MODE)
    replace_atomically(new, path)
    note_copy(path, build.sha256)


def unfinished_of(path: Path) -> Path:
    """Where what becomes `path` is downloaded to, without what a killed process has left there."""
    new = path.with_name(f".{path.name}.new")
    remove_temporaries_of(new)
    new.unlink(missing_ok=True)
    return new
