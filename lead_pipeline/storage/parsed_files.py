"""Files of a folder that are parsed once, however often and by however many processes they are read.

    folder/*.json ──parsed──▶ memory of the process ──now and then──▶ summary file
          └──────────────── unchanged? (size, time, inode) ◀─────────────┘

A summary is derived: whoever removes it loses time. One that is damaged, which its digest tells, or
was written by another release, counts as none. Belongs here: what makes a file unchanged. Does not belong here: what the
files say.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import msgspec

from lead_pipeline.storage.files import write_atomically
from lead_pipeline.storage.sealed import DamagedFile, open_bytes, seal_bytes

T = TypeVar("T", bound=msgspec.Struct)

FOLDERS = 32
"""So many folders are remembered by a process, those that were read last."""
LEAST_NEW = 50
"""A summary is written again when so many files are not in it, and at least …"""
NEW_PART = 20
"""… one in so many: what it costs to write stays in proportion to what is new."""


class _Mark(NamedTuple):
    """By what a file is known to be the same; a file that replaces another has its own inode."""

    size: int
    modified_ns: int
    inode: int


class _Noted(msgspec.Struct, array_like=True):
    """A file in a summary; its content is decoded when it is asked for."""

    mark: _Mark
    content: msgspec.Raw


class _Summary(msgspec.Struct, array_like=True):
    form: str
    files: dict[str, _Noted]


class ParsedFiles(Generic[T]):
    """What the `.json` files of folders hold. What is read is shared: nobody may change it."""

    def __init__(
        self, kind: type[T], parse: Callable[[Path], T], is_final: Callable[[T], bool]
    ) -> None:
        """Only what `is_final` is remembered; the rest may change from one moment to the next."""
        self._parse = parse
        self._is_final = is_final
        self._decoder = msgspec.msgpack.Decoder(kind)
        schema = msgspec.json.encode(msgspec.json.schema(kind))
        self._form = sha256(schema).hexdigest()
        self._folders: OrderedDict[Path, dict[str, tuple[_Mark, T | msgspec.Raw]]] = OrderedDict()

    def read(
        self, folder: Path, summary: Path, wanted: Callable[[str], bool]
    ) -> Iterator[tuple[str, T]]:
        """The names without ending, and what the files hold, in the order of the names.

        Only of those whose name is `wanted`. Raises what parsing raises.
        """
        marks = _marks(folder)
        known = self._known(folder, summary)
        for name in known.keys() - marks.keys():
            known.pop(name, None)
        for name in sorted(marks):
            if not wanted(name):
                continue
            noted, content = known.get(name, (None, None))
            if noted != marks[name] or content is None:
                content = self._parse(folder / f"{name}.json")
            elif isinstance(content, msgspec.Raw):
                content = self._decoder.decode(content)
            if self._is_final(content):
                known[name] = marks[name], content
            yield name, content

    def summarize(self, folder: Path, summary: Path) -> None:
        """Write the summary for other processes, if much is not in it that this one has read.

        One process at a time: the caller holds the lock of whoever writes to `folder`.
        """
        known = dict(self._known(folder, summary))
        there = {name: mark for name, (mark, _) in _read_summary(summary, self._form).items()}
        new = sum(there.get(name) != mark for name, (mark, _) in known.items())
        if new < max(LEAST_NEW, len(known) // NEW_PART):
            return
        encode = msgspec.msgpack.encode
        files = {
            name: _Noted(
                mark, content if isinstance(content, msgspec.Raw) else msgspec.Raw(encode(content))
            )
            for name, (mark, content) in known.items()
        }
        write_atomically(summary, seal_bytes(encode(_Summary(self._form, files))))

    def _known(self, folder: Path, summary: Path) -> dict[str, tuple[_Mark, T | msgspec.Raw]]:
        if folder in self._folders:
            self._folders.move_to_end(folder)
        else:
            self._folders[folder] = {**_read_summary(summary, self._form)}
            while len(self._folders) > FOLDERS:
                self._folders.popitem(last=False)
        return self._folders[folder]


def _marks(folder: Path) -> dict[str, _Mark]:
    """The `.json` files directly in `folder`, without their ending."""
    marks = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".json") and entry.is_file():
                    found = entry.stat()
                    mark = _Mark(found.st_size, found.st_mtime_ns, found.st_ino)
                    marks[entry.name.removesuffix(".json")] = mark
    except FileNotFoundError:
        # The folder is made with its first file.
        return {}
    return marks


def _read_summary(path: Path, form: str) -> dict[str, tuple[_Mark, msgspec.Raw]]:
    try:
        summary = msgspec.msgpack.decode(open_bytes(path.read_bytes()), type=_Summary)
    except (OSError, DamagedFile, msgspec.DecodeError, UnicodeDecodeError):
        return {}
    if summary.form != form:
        return {}
    return {name: (noted.mark, noted.content) for name, noted in summary.files.items()}
