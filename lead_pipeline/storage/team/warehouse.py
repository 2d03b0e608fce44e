"""A team's tables: generations in the object store, and a pointer to the newest.

    warehouse/current.json ──▶ warehouse/<generation>.duckdb ──download, verify──▶ warehouse.duckdb
      ▲ compare and set                                                            │ load
      └────── warehouse/<new generation>.duckdb ◀──────────────upload──────────────┘

A generation is never written to again. The file on this machine is what the pointer says, or it is
replaced before it is used: a load that was killed, or that lost to another one, leaves nothing.
Belongs here: generations and the pointer. Does not belong here: what is loaded; who may load when.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lead_pipeline.errors import LoadError
from lead_pipeline.storage.disks import naming_the_disk
from lead_pipeline.storage.duckdb_files import remove_duckdb_file, wal_of
from lead_pipeline.storage.files import digest_of, remove_temporaries_of
from lead_pipeline.storage.team.copies import forget_copy, is_copy, note_copy
from lead_pipeline.storage.team.objects import (
    ObjectMissing,
    ObjectStore,
    Outdated,
    Version,
)
from lead_pipeline.storage.warehouse import Superseded, refuse_open_file

FOLDER = "warehouse"
POINTER = f"{FOLDER}/current.json"
SUFFIX = ".duckdb"


class Generation(msgspec.Struct, frozen=True):
    """What the pointer says: a state of the tables, and the one before it, which is still there."""

    generation: str
    sha256: str
    bytes: int
    committed_at: datetime
    before: str | None = None

    @property
    def object_name(self) -> str:
        """The object that holds it."""
        return object_of(self.generation)


def object_of(generation: str) -> str:
    """The object of a generation."""
    return f"{FOLDER}/{generation}{SUFFIX}"


class TeamWarehouse:
    """The tables of a store; `path` is where this machine keeps its copy."""

    def __init__(self, path: Path, store: ObjectStore) -> None:
        self._path = path
        self._store = store

    def exists(self) -> bool:
        """Whether the store has tables."""
        return self._store.find(POINTER) is not None

    def check_out(self) -> None:
        """Let the file on this machine be the newest generation; without one there is no file.

        Raises `LoadError` where the generation is gone, or the disk does not take it.
        """
        self._check_out()

    @contextmanager
    def changing(self, *, rebuild: bool = False) -> Iterator[None]:
        """Check out, and commit the closed file as a new generation, if it has changed.

        With `rebuild` nothing is downloaded, and the block begins without a file. Raises `Superseded`
        where another loader has committed meanwhile, `LoadError` as `check_out` does, and where the
        file is still open somewhere.
        """
        if rebuild:
            found = self._current()
            self._remove_copy()
        else:
            found = self._check_out()
        # Until it is committed, the file is nobody's: who finds it reads it before it counts.
        forget_copy(self._path)
        yield
        if self._path.exists():
            self._commit(found)

    def discard(self) -> None:
        """Remove pointer, generations and the copy, in this order."""
        self._store.delete(POINTER)
        self._store.delete(*self._generations())
        self._remove_copy()

    def discard_earlier(self) -> list[str]:
        """Remove all generations but the newest."""
        found = self._current()
        kept = {found[0].object_name} if found else set()
        names = [name for name in self._generations() if name not in kept]
        self._store.delete(*names)
        return names

    def _current(self) -> tuple[Generation, Version] | None:
        try:
            fetched = self._store.get(POINTER)
        except ObjectMissing:
            return None
        try:
            return msgspec.json.decode(fetched.content, type=Generation), fetched.version
        except msgspec.DecodeError:
            raise LoadError(
                f"{self._store.url}/{POINTER} is not what was written there. Restore an earlier version "
                "of it, or remove it and build again: lead-pipeline rebuild."
            ) from None

    def _check_out(self) -> tuple[Generation, Version] | None:
        """What the pointer says, after the file on this machine is that."""
        found = self._current()
        while found is not None:
            newest, _ = found
            # What an interrupted load has left in the log belongs to no generation.
            if not wal_of(self._path).exists() and is_copy(self._path, newest.sha256):
                return found
            self._remove_copy()
            if self._has_downloaded(newest):
                return found
            again = self._current()
            if again is not None and again[0] == newest:
                raise LoadError(
                    f"{self._store.url}/{newest.object_name}, the newest tables, is gone. Build them "
                    "again from landing: lead-pipeline rebuild."
                )
            # Whoever has lost the lock may meet others who load.
            found = again
        self._remove_copy()
        return None

    def _has_downloaded(self, newest: Generation) -> bool:
        """Whether the generation was still there to be downloaded."""
        remove_temporaries_of(self._path)
        with naming_the_disk(f"The warehouse {self._path}", LoadError, self._path):
            try:
                self._store.download(newest.object_name, self._path, newest.sha256)
            except ObjectMissing:
                return False
            note_copy(self._path, newest.sha256)
        return True

    def _commit(self, found: tuple[Generation, Version] | None) -> None:
        refuse_open_file(self._path)
        sha256 = digest_of(self._path)
        if found and sha256 == found[0].sha256:
            note_copy(self._path, sha256)
            self._remove_others_than(found[0])
            return
        now = datetime.now(UTC)
        new = Generation(
            generation=f"{now:%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}",
            sha256=sha256,
            bytes=self._path.stat().st_size,
            committed_at=now,
            before=found[0].generation if found else None,
        )
        self._store.put_file(new.object_name, self._path)
        self._point_to(new, None if found is None else found[1])
        note_copy(self._path, sha256)
        self._remove_others_than(new)

    def _remove_others_than(self, newest: Generation) -> None:
        """Keep the newest and the one before; not what killed and slower loads have uploaded in vain."""
        kept = {newest.object_name, *([object_of(newest.before)] if newest.before else [])}
        self._store.delete(*(name for name in self._generations() if name not in kept))

    def _point_to(self, new: Generation, expected: Version | None) -> None:
        content = msgspec.json.format(msgspec.json.encode(new))
        try:
            self._store.swap(POINTER, content, expected)
        except Outdated:
            self._store.delete(new.object_name)
            raise Superseded(
                f"Another load has committed its tables to {self._store.url} meanwhile; these are given "
                "up. Nothing is lost: the next load takes up what landed: lead-pipeline run."
            ) from None

    def _generations(self) -> list[str]:
        """The objects of all generations, of those too that no pointer has ever named."""
        found = self._store.list(FOLDER)
        return [stored.name for stored in found if stored.name.endswith(SUFFIX)]

    def _remove_copy(self) -> None:
        forget_copy(self._path)
        remove_duckdb_file(self._path)
