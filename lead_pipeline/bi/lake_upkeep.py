"""Which snapshots the lake keeps, and which files: by number, by masking, and by who is erased.

    snapshots ──more than LEAD_PIPELINE_LAKE_BUILDS──▶ expired ──after a day──▶ files removed
              ──masked otherwise than now, or with an erased person──▶ expired, files removed at once

A file that no snapshot needs stays for a day, for readers whose query began before. Belongs here: what
goes, and when. Does not belong here: writing snapshots (`lake.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import duckdb

from lead_pipeline.bi.erased import is_erased
from lead_pipeline.bi.lake import (
    SCHEMA,
    Lake,
    Snapshot,
    Tell,
    lake_of,
    opened,
    snapshots,
    write_build,
)
from lead_pipeline.errors import ErasureIncomplete
from lead_pipeline.landing.tombstones import Erased
from lead_pipeline.settings import Settings
from lead_pipeline.storage.sql import read_sql

READERS_HOURS = 24
"""For how long files stay that no snapshot needs any more, in hours."""


def publish_to_lake(settings: Settings, tell: Tell) -> Snapshot | None:
    """Let the lake have what readers of the published file have, and forget what it need not keep.

    Nothing is written where its newest snapshot is that build. Returns that snapshot; None where there is
    no lake. The caller holds the publish lock. Raises `LakeError` where the lake does not take it,
    `StoreUnavailable` where its catalog does not answer, `ConfigurationError` where the setting is wrong:
    readers of the file have the build all the same.
    """
    lake = lake_of(settings)
    if lake is None:
        return None
    with opened(settings, lake, "writing to the lake", tell) as connection:
        written = write_build(connection, settings.published_path)
        is_purged = _keep_newest(connection, settings.lake_builds)
    if is_purged:
        _purge_catalog(lake)
    return written


def _keep_newest(connection: duckdb.DuckDBPyConnection, count: int) -> bool:
    """Expire what is too old, or masked otherwise than the newest snapshot; whether there was such."""
    found = snapshots(connection)
    otherwise = [s for s in found if s.build and s.masked != found[-1].masked]
    old = found[:-count]
    _expire(connection, [s for s in found if s in old or s in otherwise])
    _remove_files(connection, hours=0 if otherwise else READERS_HOURS)
    return bool(otherwise)


def forget_erased(settings: Settings, erased: Mapping[str, Erased], tell: Tell) -> list[str]:
    """Expire every snapshot that holds an erased lead, and remove its files now, whoever reads them.

    Returns what is gone, in words. Raises `ErasureIncomplete` where the newest snapshot, which cannot be
    expired, holds one: after that of a publication without them it is not the newest any more.
    """
    lake = lake_of(settings)
    if lake is None or not erased:
        return []
    with opened(settings, lake, "expiring snapshots that hold erased persons", tell) as connection:
        found = snapshots(connection)
        numbers = set(_numbers_with(connection, erased))
        gone = [snapshot for snapshot in found if snapshot.number in numbers]
        if found[-1] in gone:
            raise ErasureIncomplete(
                "The newest snapshot of the lake holds a person who is erased: the last publication has "
                "not reached it. Publish (lead-pipeline publish), then: lead-pipeline forget --resume."
            )
        _expire(connection, gone)
        _remove_files(connection, hours=0)
    _purge_catalog(lake)
    return [f"lake: snapshot {s.number} ({s.build or 'written by somebody else'})" for s in gone]


@dataclass(frozen=True)
class _Table:
    """A table of the lake while it was the same: between two snapshots."""

    schema: str
    name: str
    begin: int
    end: int | None

    def at_begin(self) -> str:
        """The table as its first snapshot has it, for a statement."""
        return f'lake."{self.schema}"."{self.name}" at (version => {self.begin})'

    def numbers(self, newest: int) -> range:
        """The snapshots that have it."""
        return range(self.begin, newest + 1 if self.end is None else self.end)


def _numbers_with(
    connection: duckdb.DuckDBPyConnection, erased: Mapping[str, Erased]
) -> Iterator[int]:
    """The numbers of snapshots in which an erased lead is."""
    tables = [_Table(*row) for row in connection.execute(_lead_tables()).fetchall()]
    newest = snapshots(connection)[-1].number
    keys_of = {table: _keys(connection, table) for table in tables}
    # Each key once: knowing an erased one takes a keyed hash.
    known = {key for key in set().union(*keys_of.values()) if is_erased(key, erased)}
    for table, keys in keys_of.items():
        if keys & known:
            yield from table.numbers(newest)


def _lead_tables() -> str:
    return read_sql("bi", "lake_lead_tables").replace("{schema}", SCHEMA)


def _keys(connection: duckdb.DuckDBPyConnection, table: _Table) -> set[str]:
    query = f"select distinct lead_key from {table.at_begin()}"  # noqa: S608 - its own names
    return {str(key) for (key,) in connection.execute(query).fetchall() if key is not None}


def _expire(connection: duckdb.DuckDBPyConnection, gone: Sequence[Snapshot]) -> None:
    if gone:
        numbers = ", ".join(str(snapshot.number) for snapshot in gone)
        connection.execute(f"call ducklake_expire_snapshots('lake', versions => [{numbers}])")


def _remove_files(connection: duckdb.DuckDBPyConnection, hours: int) -> None:
    """Remove files that no snapshot has needed for so long, also those that a killed process left."""
    when = f"older_than => now() - interval {hours} hour" if hours else "cleanup_all => true"
    connection.execute(f"call ducklake_cleanup_old_files('lake', {when})")
    connection.execute(f"call ducklake_delete_orphaned_files('lake', {when})")


def _purge_catalog(lake: Lake) -> None:
    """Let PostgreSQL write over what the catalog said of values in removed files."""
    with closing(lake.catalog.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("set statement_timeout = 0")
        cursor.execute(
            "select format('vacuum full %%I.%%I', schemaname, tablename) from pg_tables"
            " where schemaname = %s and tablename like 'ducklake%%stats'",
            [SCHEMA],
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
