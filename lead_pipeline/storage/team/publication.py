"""A team's publications: builds that are never replaced, and a pointer to what readers have.

    bi/current.json ──▶ bi/builds/<build>.duckdb, .html, .explore.html, .contract.odcs.yaml, .manifest.json, …
    bi/current.sql      ATTACH of the same build, for whoever speaks SQL

The pointer also lists all other builds: retained ones, those on hold, and those that readers may have
attached, which stay for a day after they were what readers have. It is swapped if nobody else has
done so. The folder of this machine follows: what readers have, its pages, retained builds. Belongs here:
objects and the pointer. Does not belong here: what a build must be like, and how long it is retained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from lead_pipeline.errors import PublishError
from lead_pipeline.storage.catalogs import CATALOG_FILES, catalog_folder, keep_catalog
from lead_pipeline.storage.files import (
    digest_of,
    remove_temporaries_of,
    replace_atomically,
)
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.permissions import FOLDER_MODE, PAGE_MODE, Readers, shown_to
from lead_pipeline.storage.publication import (
    PAGES,
    SUFFIX,
    FilePublication,
    hold_path,
    link_or_copy,
    retained_folder,
    retained_path,
)
from lead_pipeline.storage.team.builds import (
    CURRENT,
    POINTER,
    Current,
    StoredBuild,
    attach_statement,
    builds_in,
    catalog_object,
    current_of,
    encoded,
    page_of,
)
from lead_pipeline.storage.team.copies import forget_copy, is_copy, note_copy
from lead_pipeline.storage.team.fetching import put_in_place, unfinished_of
from lead_pipeline.storage.team.objects import (
    ObjectMissing,
    ObjectStore,
    Outdated,
    Version,
)

ATTACHED = timedelta(days=1)
"""How long a build stays for readers who have it attached, after readers have got another one."""


class TeamPublication:
    """The publications of a store; `published` is where this machine keeps what readers have."""

    def __init__(
        self,
        published: Path,
        store: ObjectStore,
        readers: Callable[[], Readers | None] = lambda: None,
    ) -> None:
        """`readers` is asked when a file is shown: which group of this machine may read it."""
        self._published = published
        self._store = store
        self._readers = readers
        self._here = FilePublication(published)

    def refresh(self, *, with_retained: bool = False) -> None:
        """Let this machine have what readers have, and the retained builds if asked for.

        Raises `PublishError` where the store does not have what the pointer names.
        """
        with self._changing_files():
            found = current_of(self._store)
            if found is None:
                return
            current, _ = found
            if not is_copy(self._published, current.sha256):
                self._download_current(current)
            if with_retained:
                self._download_retained(current)

    def publish(self, finished: Path, build: str, before: str | None, *, keep: bool) -> None:
        """Upload the build, swap the pointer, then rename on this machine.

        Raises `PublishError` where readers have got another build meanwhile.
        """
        entry = StoredBuild(build, digest_of(finished), finished.stat().st_size)
        self._store.put_file(entry.object_name, finished)
        earlier = self._stored_here(before) if keep and before else None
        with self._changing_files():
            current = self._switch(entry, before, earlier, keep=keep)
            forget_copy(self._published)
            self._here.publish(finished, build, before, keep=keep)
            note_copy(self._published, entry.sha256)
        self._tidy(current)

    def go_back(self, build: str, before: str | None, *, keep: bool) -> None:
        """Swap the pointer to a build that is there already, then rename on this machine."""
        entry = self._known(build)
        with self._changing_files():
            current = self._switch(entry, before, None, keep=keep)
            forget_copy(self._published)
            self._here.go_back(build, before, keep=keep)
            note_copy(self._published, entry.sha256)
        self._tidy(current)

    def hold(self, build: str) -> None:
        """Note it in the pointer, then here."""
        self._known(build)
        with self._changing_files():
            self._change(lambda now: now.with_build(build, is_retained=True, is_held=True))
            self._here.hold(build)

    def release(self, build: str) -> None:
        """Note it in the pointer, then here."""
        with self._changing_files():
            self._change(lambda now: now.with_build(build, is_held=False))
            self._here.release(build)

    def remove(self, build: str, *, at_once: bool = False) -> None:
        """Take it out of the retained builds, and out of the store unless readers may have it attached."""
        now = datetime.now(UTC)

        def change(current: Current) -> Current:
            found = current.named(build)
            if found is None or current.build == build:
                return current.with_build(build, is_retained=False, is_held=False)
            is_attached = found.left_at is not None and found.left_at > now - ATTACHED
            if at_once or not is_attached:
                return current.without({build})
            return current.with_build(build, is_retained=False, is_held=False)

        with self._changing_files():
            current = self._change(change)
            forget_copy(retained_path(self._published, build))
            self._here.remove(build)
        if current is not None:
            self._remove_unlisted(current)

    def remove_unretained(self) -> None:
        """Remove builds that are there only for readers who have them attached."""
        current = self._change(lambda now: now.without(_unretained(now)))
        if current is not None:
            self._remove_unlisted(current)

    def show_page(self, page: str) -> None:
        """Put the page beside the build that readers have."""
        found = current_of(self._store)
        if found is not None:
            self._store.put_file(page_of(found[0].build, page), self._published.parent / page)

    def show_catalog(self, build: str) -> None:
        """Upload the catalog where it was written here, else download it; then show it here, too."""
        with self._changing_files():
            folder = catalog_folder(self._published, build)
            if folder.is_dir():
                for name in CATALOG_FILES:
                    self._store.put_file(catalog_object(build, name), folder / name)
            else:
                self._download_catalog(build)
            self._here.show_catalog(build)

    def _switch(
        self, entry: StoredBuild, before: str | None, earlier: StoredBuild | None, *, keep: bool
    ) -> Current:
        """Let the pointer name `entry`, if it names `before` now."""
        now = datetime.now(UTC)
        current, version = current_of(self._store) or (None, None)
        if current is not None and before is not None and current.build != before:
            raise _overtaken(self._store.url)
        others = {} if current is None else {found.build: found for found in current.builds}
        if earlier is not None:
            others.setdefault(earlier.build, earlier)
        left = {before, None if current is None else current.build}
        for build in others.keys() & left:
            found = others[build]
            others[build] = msgspec.structs.replace(
                found, is_retained=keep or found.is_retained, left_at=now
            )
        others.pop(entry.build, None)
        new = Current.of(
            entry, now, [found for found in others.values() if not _is_over(found, now)]
        )
        self._write(new, version)
        return new

    def _change(self, change: Callable[[Current], Current]) -> Current | None:
        """What the pointer says after the change; None where there is none."""
        found = current_of(self._store)
        if found is None:
            return None
        current, version = found
        new = change(current)
        if new != current:
            self._write(new, version)
        return new

    def _write(self, new: Current, expected: Version | None) -> None:
        try:
            self._store.swap(POINTER, encoded(new), expected)
        except Outdated:
            raise _overtaken(self._store.url) from None

    def _known(self, build: str) -> StoredBuild:
        """The build as the pointer has it. Raises `PublishError` where it does not know it."""
        found = current_of(self._store)
        entry = found[0].named(build) if found else None
        if entry is None:
            raise PublishError(
                f"{self._store.url} does not have the build {build}. lead-pipeline rollback --list shows "
                "those that are kept."
            )
        return entry

    def _stored_here(self, build: str) -> StoredBuild | None:
        """What readers of this machine had before there was a store, put into it; else None."""
        found = current_of(self._store)
        if (found is not None and found[0].named(build)) or not self._published.exists():
            return None
        digest, size = digest_of(self._published), self._published.stat().st_size
        entry = StoredBuild(build, digest, size, is_retained=True)
        self._store.put_file(entry.object_name, self._published)
        return entry

    def _tidy(self, current: Current) -> None:
        """What a killed process may have left undone: the statement, objects that nobody names."""
        statement = attach_statement(self._store.url, current).encode()
        try:
            is_written = self._store.get(CURRENT).content == statement
        except ObjectMissing:
            is_written = False
        if not is_written:
            self._store.put(CURRENT, statement)
        self._remove_unlisted(current)

    def _remove_unlisted(self, current: Current) -> None:
        """Remove builds that the pointer does not name, with their pages."""
        known = {found.build for found in current.builds}
        self._store.delete(*(name for build, name in builds_in(self._store) if build not in known))

    def _download_current(self, current: Current) -> None:
        """Put what readers have, its pages and its catalog into their places here."""
        self._published.parent.mkdir(parents=True, exist_ok=True)
        shown_to(self._readers(), self._published.parent, FOLDER_MODE)
        with self._naming_the_gone(current.entry):
            put_in_place(self._store, current.entry, self._published, self._readers())
        for page in PAGES:
            self._download_page(current, page)
        self._download_catalog(current.build)
        self._here.show_catalog(current.build)

    def _download_catalog(self, build: str) -> None:
        """Keep the catalog of a build here; nothing where the store does not have all of it."""
        try:
            files = {
                name: self._store.get(catalog_object(build, name)).content for name in CATALOG_FILES
            }
        except ObjectMissing:
            return
        keep_catalog(self._published, build, files, self._readers())

    def _download_page(self, current: Current, name: str) -> None:
        page = self._published.parent / name
        page.parent.mkdir(exist_ok=True)
        shown_to(self._readers(), page.parent, FOLDER_MODE)
        new = unfinished_of(page)
        try:
            self._store.download(page_of(current.build, name), new)
        except ObjectMissing:
            # The page of another build would tell wrong figures.
            page.unlink(missing_ok=True)
            return
        shown_to(self._readers(), new, PAGE_MODE)
        replace_atomically(new, page)

    def _download_retained(self, current: Current) -> None:
        """Let the folder of retained builds be what the pointer says."""
        retained = {found.build: found for found in current.builds if found.is_retained}
        for build, found in retained.items():
            path = retained_path(self._published, build)
            if not is_copy(path, found.sha256):
                path.parent.mkdir(parents=True, exist_ok=True)
                remove_temporaries_of(path)
                if build == current.build:
                    link_or_copy(self._published, path)
                else:
                    with self._naming_the_gone(found):
                        self._store.download(found.object_name, path, found.sha256)
                note_copy(path, found.sha256)
            if not found.is_held:
                self._here.release(build)
            elif not hold_path(self._published, build).exists():
                self._here.hold(build)
        for path in retained_folder(self._published).glob(f"*{SUFFIX}"):
            if path.stem not in retained:
                forget_copy(path)
                self._here.remove(path.stem)

    @contextmanager
    def _naming_the_gone(self, build: StoredBuild) -> Iterator[None]:
        try:
            yield
        except ObjectMissing:
            raise PublishError(
                f"{self._store.url}/{build.object_name}, which its pointer names, is gone. Restore it, or "
                "remove bi/current.json there and publish again: lead-pipeline publish."
            ) from None

    @contextmanager
    def _changing_files(self) -> Iterator[None]:
        """Let nobody else of this machine replace the files of readers meanwhile."""
        lock = self._published.parent.parent / ".locks" / "published-copy"
        with held(lock, "replacing this machine's copy of the published file"):
            yield


def _is_over(found: StoredBuild, now: datetime) -> bool:
    """Whether nobody needs the build any more."""
    return not found.is_retained and (found.left_at is None or found.left_at < now - ATTACHED)


def _unretained(current: Current) -> set[str]:
    return {
        found.build
        for found in current.builds
        if found.build != current.build and not found.is_retained
    }


def _overtaken(url: str) -> PublishError:
    return PublishError(
        f"Another process has changed what readers of {url} have meanwhile; this change is given up, and "
        "readers keep what the other one gave them. Run the same command again."
    )
