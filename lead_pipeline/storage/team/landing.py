"""Landing in a team's store: each change is made to the object first, then to this home's copy.

    change ──▶ object, conditionally ──▶ file of the home ──▶ note of which state it is a copy
    list of the store ──▶ refresh ──▶ files of the home

So a kill between two steps leaves a copy that is behind, never one that is ahead, and the next turn
makes it good. Who may write is decided by the store: of two workers on one crawl, the one that has
saved the commit record last goes on, and the other one is `Fenced`. Belongs here: the order of both
writes, who is fenced. Does not belong here: reading the list (`refreshing.py`), what files mean.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from lead_pipeline.errors import Fenced
from lead_pipeline.storage.files import replace_atomically, write_atomically
from lead_pipeline.storage.shared_home import MARK, Mark, mark_home
from lead_pipeline.storage.team.joining import check_identity, identity_of
from lead_pipeline.storage.team.names import (
    ERASURES,
    LANDING,
    account_of,
    is_record,
    part_of,
    record_of_page,
)
from lead_pipeline.storage.team.noted_copies import Copies
from lead_pipeline.storage.team.objects import NameTaken, ObjectStore, Outdated, Version
from lead_pipeline.storage.team.refreshing import refresh_folder, renew_file


class TeamLanding:
    """The landing of a team, and this home's copy of it. See `LandingStore`."""

    is_shared = True

    def __init__(self, home: Path, store: ObjectStore, mark: Mark) -> None:
        self._home = home
        self._store = store
        self._mark = mark
        self._expected: dict[str, dict[str, Version]] = {}
        """By account, the commit records as this turn knows them; not what refreshes have seen since."""
        self._writers: dict[str, str] = {}

    def begin_turn(self, account: str) -> None:
        """List the account, and fetch what is new."""
        self._check()
        found = self._refreshed(f"{LANDING}/{account}", with_journals=True)
        self._refreshed(ERASURES)
        self._expected[account] = {
            name: version for name, version in found.items() if is_record(name)
        }
        self._writers[account] = secrets.token_hex(8)

    def refresh(self, account: str | None = None) -> None:
        """List the account, or everything, and fetch what is new."""
        self._check()
        self._refreshed(LANDING if account is None else f"{LANDING}/{account}")
        self._refreshed(ERASURES)

    def renew(self, *paths: Path) -> None:
        """Fetch the objects of the files again."""
        self._ready()
        for path in paths:
            renew_file(self._home, self._store, self._name(path))

    def writer_of(self, account: str) -> str:
        """A number of this turn's own: no two workers ever write the same commit record."""
        return self._writers.setdefault(account, secrets.token_hex(8))

    def own_name(self, name: str) -> str:
        """With a random number before the ending."""
        path = Path(name)
        return f"{path.stem}-u{secrets.token_hex(4)}{path.suffix}"

    def append_page(self, path: Path, content: bytes) -> None:
        """Create the object. What lies there is ours, of a worker that is fenced, or of one that fences us."""
        name = self._name(path)
        with self._copies(name).changing():
            try:
                version = self._store.create(name, content)
            except NameTaken:
                version = self._replace_stray(name, content)
            write_atomically(path, content)
            self._copies(name).note(name, version)

    def save_record(self, path: Path, content: bytes) -> None:
        """Replace the state that this turn knows; create it where this turn knows none."""
        name = self._name(path)
        account = account_of(name)
        with self._copies(name).changing():
            expected = self._expected_of(account, name)
            try:
                version = self._store.swap(name, content, expected)
            except Outdated:
                raise self._fenced(name) from None
            self._expected.setdefault(account, {})[name] = version
            write_atomically(path, content)
            self._copies(name).note(name, version)

    def put_rows(self, temporary: Path, path: Path) -> None:
        """Create the object in one request, then rename the file."""
        name = self._name(path)
        with self._copies(name).changing():
            try:
                version = self._store.create(name, temporary.read_bytes())
            except NameTaken:
                raise self._fenced(name) from None
            replace_atomically(temporary, path)
            self._copies(name).note(name, version)

    def write(self, path: Path, content: bytes) -> None:
        """Whoever writes last wins."""
        name = self._name(path)
        with self._copies(name).changing():
            version = self._store.put(name, content)
            write_atomically(path, content)
            self._copies(name).note(name, version)

    def remove(self, *paths: Path) -> None:
        """All objects in as few requests as the store takes, then the files."""
        if not paths:
            return
        names = [self._name(path) for path in paths]
        # Of one account, or of erasures.
        copies = self._copies(names[0])
        with copies.changing():
            self._store.delete(*names)
            for path in paths:
                path.unlink(missing_ok=True)
            copies.note_removed(*names)
        for name in filter(is_record, names):
            self._expected.get(account_of(name), {}).pop(name, None)

    def remove_folder(self, folder: Path) -> None:
        """Everything that the store has below it, whoever has put it there."""
        there = [self._home / found.name for found in self._store.list(self._name(folder))]
        here = [path for path in folder.rglob("*") if path.is_file()]
        self.remove(*sorted({*there, *here}))
        for empty in sorted((folder, *folder.rglob("*")), reverse=True):
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()

    def move(self, source: Path, target: Path) -> None:
        """Put it under the new name before it is removed under the old one."""
        content = source.read_bytes()
        self.write(target, content)
        self.remove(source)

    def _check(self) -> None:
        """See that the store is the one that this home is a copy of, before anything is removed here."""
        self._ready()
        check_identity(self._store, self._mark, identity_of(self._store))

    def _refreshed(self, folder: str, *, with_journals: bool = False) -> dict[str, Version]:
        return refresh_folder(self._home, self._store, folder, with_journals=with_journals)

    def _replace_stray(self, name: str, content: bytes) -> Version:
        """Take the place of a page of a worker whose crawl this one has taken over.

        Raises `Fenced` where the commit record is not as this worker has saved it: then it is the
        other way round.
        """
        record = record_of_page(name)
        saved = self._store.find(record)
        stray = self._store.find(name)
        expected = self._expected_of(account_of(name), record)
        if saved is None or stray is None or saved.version != expected:
            raise self._fenced(record)
        try:
            return self._store.replace(name, content, stray.version)
        except Outdated:
            raise self._fenced(record) from None

    def _expected_of(self, account: str, name: str) -> Version | None:
        """As this turn knows the record; without a turn, as this home's copy has it."""
        if account in self._expected:
            return self._expected[account].get(name)
        copy = self._copies(name).known().get(name)
        return copy.version if copy is not None and copy.is_there else None

    def _copies(self, name: str) -> Copies:
        return Copies(self._home, part_of(name))

    def _name(self, path: Path) -> str:
        self._ready()
        return path.relative_to(self._home).as_posix()

    def _ready(self) -> None:
        """The home may have been removed at any time: what is written again says what it is."""
        if not (self._home / MARK).exists():
            mark_home(self._home, self._mark)

    def _fenced(self, name: str) -> Fenced:
        return Fenced(
            f"{name}: another worker has taken over what this one was writing, so this one stops. "
            "Nothing is lost: what it has landed stays, and the other one goes on from there."
        )
