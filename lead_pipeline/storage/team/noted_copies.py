"""Which state of which object each file of a home is a copy of.

    <home>/.shared/landing/ACCOUNT.copies  a line per change: name, version, size and time of the file
    <home>/.shared/landing/ACCOUNT.lock    held while an object and its copy change together

Derived: what is not noted, or not as it was noted, is fetched again. So a torn line costs one request.
Belongs here: notes about files. Does not belong here: objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock

from lead_pipeline.storage.files import write_atomically
from lead_pipeline.storage.team.objects import Version

FOLDER = ".shared"
TIDY_LINES = 4
"""With so many lines for each copy the notes are written anew."""


class Copy(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one file."""

    name: str
    etag: str | None = None
    number: str | None = None
    size: int = -1
    """-1: the file is no copy any more: it was removed together with its object."""
    modified_ns: int = 0
    inode: int = 0

    @property
    def version(self) -> Version:
        """The state of the object that the file holds."""
        return Version(self.etag, self.number)

    @property
    def is_there(self) -> bool:
        """Whether it was not removed since."""
        return self.size >= 0


_DECODER = msgspec.json.Decoder(Copy)


class Copies:
    """The copies of one part of a home, as one thread asks for them."""

    def __init__(self, home: Path, part: str) -> None:
        self._home = home
        self._notes = home / FOLDER / f"{part}.copies"
        self._lock = home / FOLDER / f"{part}.lock"
        self._read: dict[str, Copy] = {}
        self._read_inode, self._read_bytes, self._lines = 0, 0, 0

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let nobody else in this home change the part's copies during the block."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        # Not a singleton and not thread-local: two threads of a process exclude each other too.
        with FileLock(self._lock, thread_local=False):
            yield

    def known(self) -> Mapping[str, Copy]:
        """What was noted last of each name, also of those that were removed."""
        try:
            with self._notes.open("rb") as notes:
                there = self._notes.stat()
                if there.st_ino != self._read_inode or there.st_size < self._read_bytes:
                    self._read, self._read_bytes, self._lines = {}, 0, 0
                    self._read_inode = there.st_ino
                notes.seek(self._read_bytes)
                fresh = notes.read()
        except FileNotFoundError:
            self._read, self._read_inode, self._read_bytes, self._lines = {}, 0, 0, 0
            return self._read
        self._read_bytes += len(fresh)
        for line in filter(None, fresh.split(b"\n")):
            self._take(line)
        return self._read

    def _take(self, line: bytes) -> None:
        self._lines += 1
        try:
            copy = _DECODER.decode(line)
        except msgspec.DecodeError:
            # Torn by a kill: the file is looked at as if nothing was noted.
            return
        self._read[copy.name] = copy

    def is_current(self, copy: Copy) -> bool:
        """Whether the file is still there as it was noted."""
        return copy.is_there and copy == self._of_file(copy.name, copy.version)

    def note(self, name: str, version: Version) -> None:
        """The file of that name is a copy of that state; the caller is `changing`."""
        copy = self._of_file(name, version)
        if copy is not None:
            self._append([copy])

    def note_removed(self, *names: str) -> None:
        """The files are no copies any more; the caller is `changing`."""
        self._append([Copy(name) for name in names])

    def tidy(self) -> None:
        """Write the notes anew where most are out of date; the caller is `changing`."""
        there = [copy for copy in self.known().values() if copy.is_there]
        if self._lines > TIDY_LINES * (len(there) + 1):
            write_atomically(self._notes, b"".join(map(_line, there)))

    def _of_file(self, name: str, version: Version) -> Copy | None:
        try:
            found = (self._home / name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Copy(
            name, version.etag, version.number, found.st_size, found.st_mtime_ns, found.st_ino
        )

    def _append(self, copies: list[Copy]) -> None:
        self._notes.parent.mkdir(parents=True, exist_ok=True)
        with self._notes.open("ab") as notes:
            notes.write(b"".join(map(_line, copies)))


def _line(copy: Copy) -> bytes:
    # Begun anew, so that a torn line before it spoils nothing.
    return b"\n" + msgspec.json.encode(copy) + b"\n"
