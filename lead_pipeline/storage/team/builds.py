"""The pointer of a team's publications, as publishers write it and readers fetch it.

    bi/current.json: {"build": …, "object": "bi/builds/….duckdb", "sha256": …, "bytes": …, "builds": […]}

Belongs here: what the pointer says, and the names of objects. Does not belong here: changing it
(`publication.py`), fetching (`fetching.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

import msgspec

from lead_pipeline.errors import PublishError
from lead_pipeline.storage.publication import EXPLORE, REPORT, SUFFIX
from lead_pipeline.storage.team.objects import ObjectMissing, ObjectStore, Version

FOLDER = "bi/builds"
POINTER = "bi/current.json"
CURRENT = "bi/current.sql"
PAGE_SUFFIXES = {REPORT: ".html", EXPLORE: ".explore.html"}


class StoredBuild(msgspec.Struct, frozen=True):
    """A build in the store, and why it is there."""

    build: str
    sha256: str
    bytes: int
    is_retained: bool = False
    is_held: bool = False
    left_at: datetime | None = None
    """Since when readers have another one; None: they have it, or never had it."""

    @property
    def object_name(self) -> str:
        """The object that holds it."""
        return object_of(self.build)


class Current(msgspec.Struct, frozen=True):
    """What readers have, and all builds that the store keeps."""

    build: str
    object: str
    sha256: str
    bytes: int
    since: datetime
    """When readers got it."""
    builds: tuple[StoredBuild, ...]

    @classmethod
    def of(cls, entry: StoredBuild, since: datetime, others: Collection[StoredBuild]) -> Current:
        """Readers have `entry`; the store keeps `others` beside it."""
        entry = msgspec.structs.replace(entry, left_at=None)
        builds = tuple(sorted((*others, entry), key=lambda found: found.build))
        return cls(entry.build, entry.object_name, entry.sha256, entry.bytes, since, builds)

    @property
    def entry(self) -> StoredBuild:
        """What readers have."""
        return StoredBuild(self.build, self.sha256, self.bytes)

    def named(self, build: str) -> StoredBuild | None:
        """The build of that name, if the store keeps it."""
        return next((found for found in self.builds if found.build == build), None)

    def with_build(self, build: str, **changes: bool) -> Current:
        """The same, with these marks of a build."""
        builds = tuple(
            msgspec.structs.replace(found, **changes) if found.build == build else found
            for found in self.builds
        )
        return msgspec.structs.replace(self, builds=builds)

    def without(self, builds: Collection[str]) -> Current:
        """The same without these builds."""
        kept = tuple(found for found in self.builds if found.build not in builds)
        return msgspec.structs.replace(self, builds=kept)


def encoded(current: Current) -> bytes:
    """The pointer, as people can read it, too."""
    return msgspec.json.format(msgspec.json.encode(current), indent=1)


def object_of(build: str) -> str:
    """The object of a build."""
    return f"{FOLDER}/{build}{SUFFIX}"


def page_of(build: str, page: str) -> str:
    """The object of one of its pages."""
    return f"{FOLDER}/{build}{PAGE_SUFFIXES[page]}"


def catalog_object(build: str, file: str) -> str:
    """The object of a file of its catalog."""
    return f"{FOLDER}/{build}.{file}"


def builds_in(store: ObjectStore) -> Iterator[tuple[str, str]]:
    """Builds and objects that lie in the store, named by the pointer or not."""
    for found in store.list(FOLDER):
        yield found.name.removeprefix(f"{FOLDER}/").partition(".")[0], found.name


def current_of(store: ObjectStore) -> tuple[Current, Version] | None:
    """What the pointer says; None where nothing has been published. Raises `PublishError`."""
    try:
        fetched = store.get(POINTER)
    except ObjectMissing:
        return None
    try:
        return msgspec.json.decode(fetched.content, type=Current), fetched.version
    except msgspec.DecodeError:
        raise PublishError(
            f"{store.url}/{POINTER} is not what was written there. Restore an earlier version of it, or "
            "remove it and publish again: lead-pipeline publish."
        ) from None


def attach_statement(url: str, current: Current) -> str:
    """The statement by which DuckDB attaches what readers have, under the name that queries use."""
    address = f"{url}/{current.object}".replace("'", "''")
    return (
        f"-- What readers have since {current.since:%Y-%m-%d %H:%M:%S}Z. This file is replaced by each\n"
        "-- publication; the build that it names never is, and stays for a day after the next one.\n"
        f"attach '{address}' as leads (read_only);\n"
    )
