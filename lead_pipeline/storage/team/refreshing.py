"""Making a home's files what the store has.

    list ──▶ what differs from the notes ──▶ rows first, then commit records ──▶ what is gone is removed

A commit record gets here after the files that it lists, and files go after the records that listed
them, so readers in this home need no lock. What this home itself writes meanwhile is newer than the
list, and stays as it is. Belongs here: comparing and fetching. Does not belong here: writing to the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.storage.files import temporary_of
from lead_pipeline.storage.team.names import (
    LANDING,
    SUMMARY,
    is_copied,
    is_journal,
    is_record,
    part_of,
)
from lead_pipeline.storage.team.noted_copies import FOLDER, Copies, Copy
from lead_pipeline.storage.team.objects import ObjectMissing, ObjectStore, StoredObject, Version

FETCHES = 16
"""At a time."""
ROUNDS = 5
"""A commit record that changes while it is fetched is listed again; in the end the older one stays."""


def refresh_folder(
    home: Path, store: ObjectStore, folder: str, *, with_journals: bool
) -> dict[str, Version]:
    """Make the files below `folder` of the home what the store has; their versions, by name.

    Without journals no page of one is fetched; those that are gone are removed all the same.
    """
    versions: dict[str, Version] = {}
    for _ in range(ROUNDS):
        notes = _notes_of(home, folder)
        listed = {found.name: found for found in store.list(folder)}
        versions = {name: found.version for name, found in listed.items()}
        if _Refresh(home, store, folder, notes, listed, with_journals).run():
            break
    return versions


def renew_file(home: Path, store: ObjectStore, name: str) -> None:
    """Fetch one file again, whatever is noted of it; where there is no object, it is removed."""
    copies = Copies(home, part_of(name))
    with copies.changing():
        try:
            _, version = store.download(name, home / name)
        except ObjectMissing:
            (home / name).unlink(missing_ok=True)
            copies.note_removed(name)
        else:
            copies.note(name, version)


def _notes_of(home: Path, folder: str) -> dict[str, Copy]:
    """What the home knows of its copies, before the list is made."""
    found: dict[str, Copy] = {}
    for part in _parts_here(home, folder):
        copies = Copies(home, part)
        with copies.changing():
            copies.tidy()
            found.update(copies.known())
    return found


def _parts_here(home: Path, folder: str) -> Iterable[str]:
    if folder != LANDING:
        return [folder]
    accounts = {path.name for path in (home / LANDING).glob("*") if path.is_dir()}
    noted = {path.stem for path in (home / FOLDER / LANDING).glob("*.copies")}
    return [f"{LANDING}/{account}" for account in sorted(accounts | noted)]


@dataclass(frozen=True)
class _Fresh:
    """An object as it came, in a file that is not yet the copy."""

    listed: StoredObject
    path: Path
    version: Version


class _Refresh:
    """One comparison of a list with the files of a home."""

    def __init__(
        self,
        home: Path,
        store: ObjectStore,
        folder: str,
        notes: Mapping[str, Copy],
        listed: Mapping[str, StoredObject],
        with_journals: bool,
    ) -> None:
        self._home = home
        self._store = store
        self._folder = folder
        self._notes = notes
        self._listed = listed
        self._with_journals = with_journals
        self._copies: dict[str, Copies] = {}

    def run(self) -> bool:
        """Whether everything is now as the list says; otherwise the store has changed meanwhile."""
        due = [found for found in self._listed.values() if self._is_due(found)]
        is_whole = self._fetch([found for found in due if not is_record(found.name)])
        is_whole &= self._fetch([found for found in due if is_record(found.name)])
        gone = [name for name in self._names_here() if name not in self._listed]
        for name in sorted(gone, key=lambda name: (not is_record(name), name)):
            self._remove(name)
        return is_whole

    def _is_due(self, found: StoredObject) -> bool:
        is_wanted = self._with_journals or not is_journal(found.name)
        return is_wanted and not self._is_current(found)

    def _is_current(self, found: StoredObject) -> bool:
        copy = self._notes.get(found.name)
        return (
            copy is not None
            # A store that tells no versions is asked each time.
            and copy.version == found.version != Version(None)
            and self._copies_of(found.name).is_current(copy)
        )

    def _fetch(self, due: Sequence[StoredObject]) -> bool:
        """Whether all that came belongs to the list."""
        is_whole = True
        with ThreadPoolExecutor(FETCHES) as threads:
            for fresh in threads.map(self._download, due):
                is_whole &= fresh is not None and self._take(fresh)
        return is_whole

    def _download(self, found: StoredObject) -> _Fresh | None:
        """None where there is no such object any more, or somebody has tidied up the folder."""
        path = temporary_of(self._home / found.name)
        try:
            _, version = self._store.download(found.name, path)
        except (ObjectMissing, FileNotFoundError):
            return None
        return _Fresh(found, path, version)

    def _take(self, fresh: _Fresh) -> bool:
        name = fresh.listed.name
        try:
            if is_record(name) and fresh.version != fresh.listed.version:
                # It may list files that this list does not have.
                return False
            with self._unchanged(name) as copies:
                if copies is not None:
                    self._forget_summary(name)
                    fresh.path.replace(self._home / name)
                    copies.note(name, fresh.version)
            return True
        except FileNotFoundError:
            return False
        finally:
            fresh.path.unlink(missing_ok=True)

    def _remove(self, name: str) -> None:
        with self._unchanged(name) as copies:
            if copies is not None:
                self._forget_summary(name)
                (self._home / name).unlink(missing_ok=True)
                copies.note_removed(name)

    def _forget_summary(self, name: str) -> None:
        """What was derived of commit records may hold ids that these do not hold any more."""
        if is_record(name) and (self._home / name).exists():
            (self._home / name).parent.with_name(SUMMARY).unlink(missing_ok=True)

    @contextmanager
    def _unchanged(self, name: str) -> Iterator[Copies | None]:
        """The copies, while nobody changes them; None where this home has written the file since."""
        copies = self._copies_of(name)
        with copies.changing():
            is_same = copies.known().get(name) == self._notes.get(name)
            yield copies if is_same else None

    def _copies_of(self, name: str) -> Copies:
        part = part_of(name)
        if part not in self._copies:
            self._copies[part] = Copies(self._home, part)
        return self._copies[part]

    def _names_here(self) -> Iterator[str]:
        for path in (self._home / self._folder).rglob("*"):
            if is_copied(path) and path.is_file():
                yield path.relative_to(self._home).as_posix()
