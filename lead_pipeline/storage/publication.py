"""What readers have, and earlier builds that they can have again.

    a finished build ──publish──▶ what readers have ──kept──▶ retained build ──go_back──▶ what readers have

In a folder: a rename, and second names (hard links) of files that nobody writes to. For a team: builds
that are never replaced and a pointer (`team/publication.py`), of which the folder is this machine's
copy. Builds are known by their names. Whoever calls anything here but `refresh` holds the publish lock.
Belongs here: files and their names. Does not belong here: what a build must be like, and how long it
stays (`bi/`).
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from lead_pipeline.storage import catalogs
from lead_pipeline.storage.files import replace_atomically, temporary_of, write_atomically
from lead_pipeline.storage.shared_home import refuse_copy

FOLDER = ".builds"
SUFFIX = ".duckdb"
HELD = ".held"
REPORT = "report.html"
EXPLORE = "explore/index.html"
PAGES = (REPORT, EXPLORE)
"""Pages beside what readers have, made of the same build."""


class Publication(Protocol):
    """Where builds go, and where readers find them. Errors of the disk are raised as `OSError`."""

    def refresh(self, *, with_retained: bool = False) -> None:
        """Let this machine have what readers have, and the retained builds if asked for."""

    def publish(self, finished: Path, build: str, before: str | None, *, keep: bool) -> None:
        """Give readers the closed and synced file `finished`, which is used up, as `build`.

        `before` is what readers have now, as far as that is known; it becomes a retained build if
        `keep`. Raises `PublishError` where readers have got another one meanwhile.
        """

    def go_back(self, build: str, before: str | None, *, keep: bool) -> None:
        """Give readers a retained build again, in the same way."""

    def hold(self, build: str) -> None:
        """Let a build, retained or what readers have, stay until it is released."""

    def release(self, build: str) -> None:
        """Undo `hold`; does nothing where it is not held."""

    def remove(self, build: str, *, at_once: bool = False) -> None:
        """Retain the build no longer. Readers who have it open keep it, unless `at_once`."""

    def remove_unretained(self) -> None:
        """Remove builds that are there only for readers who have them open."""

    def show_page(self, page: str) -> None:
        """Let readers have the page of what they have: one of `PAGES`, which lies on this machine."""

    def show_catalog(self, build: str) -> None:
        """Put the catalog of `build`, which readers have, beside it; none where there is none of it.

        On this machine it lies where `catalogs.keep_catalog` has written it, if it was published here.
        """


def retained_folder(published: Path) -> Path:
    """Where the earlier files of `published` are on this machine."""
    return published.parent / FOLDER


def retained_path(published: Path, build: str) -> Path:
    """The file of a retained build on this machine."""
    return retained_folder(published) / f"{build}{SUFFIX}"


def hold_path(published: Path, build: str) -> Path:
    """What is there as long as the build is on hold."""
    return retained_folder(published) / f"{build}{HELD}"


class FilePublication:
    """The file that readers open, and hard links of earlier ones."""

    def __init__(self, published: Path) -> None:
        self._published = published

    def refresh(self, *, with_retained: bool = False) -> None:
        """What is here is what readers have."""

    def publish(self, finished: Path, build: str, before: str | None, *, keep: bool) -> None:
        """Rename, such that after a power cut there is either the old or the new file, whole."""
        self._keep(before if keep else None)
        replace_atomically(finished, self._published)

    def go_back(self, build: str, before: str | None, *, keep: bool) -> None:
        """A second name for the retained build, renamed over what readers have."""
        self._keep(before if keep else None)
        link_or_copy(retained_path(self._published, build), self._published)

    def hold(self, build: str) -> None:
        """Keep the file, then note that it stays."""
        self._keep(build)
        write_atomically(hold_path(self._published, build), b"")

    def release(self, build: str) -> None:
        """Remove the note."""
        hold_path(self._published, build).unlink(missing_ok=True)

    def remove(self, build: str, *, at_once: bool = False) -> None:
        """Remove the name; whoever has the file open keeps it until they close it."""
        retained_path(self._published, build).unlink(missing_ok=True)
        self.release(build)

    def remove_unretained(self) -> None:
        """There are none: a file that is open stays by itself."""

    def show_page(self, page: str) -> None:
        """It lies beside the file already."""

    def show_catalog(self, build: str) -> None:
        """Let `bi/catalog` name it."""
        catalogs.show_catalog(self._published, build)

    def _keep(self, build: str | None) -> None:
        """Give what readers have a second name, if it has none yet."""
        if build is None:
            return
        path = retained_path(self._published, build)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(self._published, path)


_of_files: dict[tuple[int, Path], Publication] = {}
"""Publications whose file on this machine is a copy, by process: connections do not survive a fork."""


def use_publication(published: Path, publication: Publication) -> None:
    """Take this publication for the file at `published`, in this process, from now on."""
    _of_files[os.getpid(), published] = publication


def publication_at(published: Path) -> Publication:
    """The publication whose file on this machine is `published`.

    Raises `ConfigurationError` where that is a copy of a store that this process has not opened.
    """
    team = _of_files.get((os.getpid(), published))
    if team is not None:
        return team
    refuse_copy(published.parent.parent)
    return FilePublication(published)


def refreshed(published: Path) -> Path:
    """`published`, after it has been made what readers have now."""
    publication_at(published).refresh()
    return published


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
