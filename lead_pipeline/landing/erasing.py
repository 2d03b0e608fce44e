"""Taking the records of erased persons out of landing, known by the hashes of their tombstones alone.

    hashes ──▶ ids that stand in landing ──▶ rows of them, by file ──▶ files written again

So a killed erasure, or one of a landing that was restored, is completed without knowing who it was.
Belongs here: which rows and which parts of commit records are a person's. Does not belong here: how
files are written again (`rewriting.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.closing import close_unfinished
from lead_pipeline.landing.commits import (
    AbsenceSearch,
    CommitRecord,
    LandedFile,
    commit_records,
)
from lead_pipeline.landing.digests import SET_ASIDE
from lead_pipeline.landing.naming import mentioned_texts, named_leads, unescaped, written_forms
from lead_pipeline.landing.places import Places
from lead_pipeline.landing.rejected import digest_of_rejected
from lead_pipeline.landing.rewriting import FileChange, RewrittenFile, read_table, rewrite
from lead_pipeline.landing.tombstones import Erased
from lead_pipeline.landing.vanished import digest_of
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Provider
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.sql import read_sql


@dataclass(frozen=True)
class LandingErasure:
    """What was taken out of an account's landing."""

    account: str
    leads: int
    """How many of the erased leads landing still named."""
    rows: int
    files: tuple[RewrittenFile, ...]
    removed: tuple[str, ...]
    """Files that no commit record listed and that held some of them."""
    closed_crawls: int
    """Killed crawls that were closed: the next run begins them again."""

    def __bool__(self) -> bool:
        return bool(self.files or self.removed)


def erase_records(settings: Settings, account: str, erased: Erased) -> LandingErasure:
    """Take all that is of the `erased` out of the account's landing.

    The caller holds the account's lock; that of the warehouse is taken here. Repeating it completes
    what was killed, and changes nothing where nobody is left. Raises `LoadError` naming a landed file
    that cannot be read.
    """
    landing = settings.landing_path
    closed = close_unfinished(settings, account, erased)
    with held(settings.warehouse_lock, f"erasing persons of {account}"):
        _remove_temporaries(landing / account)
        found = find_rows(landing, account, erased)
        files = rewrite(landing, account, found.changes, partial(_without, found, erased))
        seams_of(settings).landing.remove(*(landing / path for path in found.unlisted))
    rows = sum(file.rows_removed for file in files)
    return LandingErasure(
        account, len(found.ids), rows, tuple(files), tuple(found.unlisted), closed
    )


@dataclass(frozen=True)
class FoundRows:
    """Where erased persons stand in an account's landing."""

    ids: frozenset[str]
    """Their leads' ids."""
    changes: dict[str, FileChange]
    """The rows that go, by file relative to the landing folder."""
    unlisted: tuple[str, ...]
    """Files that no commit record lists."""
    rejected_digests: frozenset[str]
    """By what replays know the rejected records that go."""


def find_rows(landing: Path, account: str, erased: Erased) -> FoundRows:
    """Look for the erased in every landed file of the account. Reads each file once or twice."""
    records = list(commit_records(landing, account))
    if not records:
        return FoundRows(frozenset(), {}, (), frozenset())
    files = _Files.of(landing, account, records)
    with closing(duckdb.connect()) as connection:
        look = _Look(connection, landing, PROVIDERS[records[0].provider], erased)
        ids = look.ids(records, files)
        rows = list(look.rows(files, ids))
        unlisted = list(look.unlisted(account, files.listed))
    dropped: dict[str, set[int]] = defaultdict(set)
    digests = set()
    for path, row, digest in rows:
        dropped[path].add(row)
        if digest is not None:
            digests.add(digest)
    return FoundRows(
        frozenset(ids),
        {path: FileChange(frozenset(n)) for path, n in dropped.items()},
        tuple(unlisted),
        frozenset(digests),
    )


def leads_among(landing: Path, account: str, texts: Collection[str]) -> set[str]:
    """Those of `texts` that are ids of leads anywhere in the account's landing."""
    records = list(commit_records(landing, account))
    if not records or not texts:
        return set()
    files = _Files.of(landing, account, records)
    with closing(duckdb.connect()) as connection:
        look = _Look(connection, landing, PROVIDERS[records[0].provider], Erased(account))
        return look.leads_among(records, files, set(texts))


@dataclass(frozen=True)
class _Files:
    """The files of an account by what their rows are, relative to the landing folder."""

    records: tuple[str, ...]
    """Rows with a lead's id: of leads, and of ids that were only seen."""
    events: tuple[str, ...]
    rejected: tuple[str, ...]
    listed: frozenset[str]
    """Those that a commit record lists."""

    @classmethod
    def of(cls, landing: Path, account: str, records: Iterable[CommitRecord]) -> _Files:
        records = list(records)
        places = Places(records)

        def lying(files: Iterable[LandedFile]) -> set[str]:
            return set(places.paths(files))

        listed = {path for record in records for path in lying(record.all_files)}
        # A listed file that is not there shows when it is read.
        by_kind: dict[str, list[str]] = defaultdict(list)
        for path in sorted(listed):
            by_kind[_kind(records, path)].append(path)
        return cls(
            tuple(by_kind["records"]),
            tuple(by_kind["events"]),
            tuple(by_kind["rejected"]),
            frozenset(listed),
        )


def _kind(records: list[CommitRecord], path: str) -> str:
    folder = Path(path).parts[1]
    if folder == "_rejected":
        return "rejected"
    events = PROVIDERS[records[0].provider].streams_of("events") if records else ()
    return "events" if folder in events else "records"


@dataclass(frozen=True)
class _Look:
    """One look through the files of an account."""

    connection: duckdb.DuckDBPyConnection
    landing: Path
    provider: Provider
    erased: Erased

    def ids(self, records: Iterable[CommitRecord], files: _Files) -> set[str]:
        """The ids of erased leads that stand anywhere in the account's landing."""
        candidates = {row[0] for row in self._query("distinct_ids", files.records)}
        candidates |= {unescaped(row[0]) for row in self._query("distinct_texts", files.events)}
        for record in records:
            candidates |= _ids_in(record)
        for _, _, stream, payload in self._rejected(files):
            candidates |= named_leads(self.provider, stream, payload)
        return self.erased.among(candidates)

    def leads_among(
        self, records: Iterable[CommitRecord], files: _Files, texts: set[str]
    ) -> set[str]:
        """Those of the texts that are ids of leads."""
        found = {row[0] for row in self._query("distinct_ids", files.records)} & texts
        for record in records:
            found |= _ids_in(record) & texts
        for _, _, stream, payload in self._events_with(files, texts):
            found |= named_leads(self.provider, stream, payload.encode()) & texts
        for _, _, stream, rejected in self._rejected(files):
            found |= named_leads(self.provider, stream, rejected) & texts
        return found

    def _events_with(self, files: _Files, ids: Iterable[str]) -> list[Any]:
        """Events with one of the ids in quotes, as it is or with escapes."""
        return self._query("rows_with_texts", files.events, written=written_forms(ids))

    def rows(self, files: _Files, ids: set[str]) -> Iterator[tuple[str, int, str | None]]:
        """The file, the row, and of a rejected record its digest."""
        if ids:
            wanted = sorted(ids)
            for path, row in self._query("rows_with_ids", files.records, ids=wanted):
                yield self._relative(path), row, None
            for path, row, stream, event in self._events_with(files, ids):
                if named_leads(self.provider, stream, event.encode()) & ids:
                    yield self._relative(path), row, None
        for path, row, stream, payload in self._rejected(files):
            named = named_leads(self.provider, stream, payload)
            # Another lead's record may hold the same number: it is told, and stays.
            if named & ids or (not named and self.erased.is_mentioned_in(payload)):
                yield path, row, digest_of_rejected(stream, payload)

    def _rejected(self, files: _Files) -> Iterator[tuple[str, int, str, bytes]]:
        for path in files.rejected:
            table = read_table(self.landing / path).select(["stream", "payload"])
            for row, record in enumerate(table.to_pylist()):
                yield path, row, record["stream"], record["payload"]

    def unlisted(self, account: str, listed: Collection[str]) -> Iterator[str]:
        """Files that no commit record lists, and files set aside, that hold an erased lead.

        What is set aside because it is damaged, and cannot be read, may hold anybody.
        """
        for path in sorted((self.landing / account).rglob("*")):
            relative = path.relative_to(self.landing).as_posix()
            is_aside = SET_ASIDE in Path(relative).parts
            is_parquet = path.suffix == ".parquet" and not path.name.startswith(".")
            if path.is_file() and relative not in listed and (is_parquet or is_aside):
                try:
                    holds = self._holds(path) if is_parquet else self._mentions(path.read_bytes())
                except LoadError:
                    holds = is_aside
                if holds:
                    yield relative

    def _holds(self, path: Path) -> bool:
        table = read_table(path)
        contents: set[bytes] = set()
        if "record_id" in table.column_names:
            contents |= {f'"{lead}"'.encode() for lead in table["record_id"].unique().to_pylist()}
        if "payload" in table.column_names:
            payloads = table["payload"].unique().to_pylist()
            contents |= {p if isinstance(p, bytes) else str(p).encode() for p in payloads}
        return any(self.erased.among(mentioned_texts(content)) for content in contents)

    def _mentions(self, content: bytes) -> bool:
        return self.erased.is_mentioned_in(content)

    def _query(self, name: str, files: Iterable[str], **parameters: Any) -> list[Any]:
        paths = [str(self.landing / path) for path in files]
        if not paths:
            return []
        try:
            return self.connection.execute(
                read_sql("landing", name), {"files": paths, **parameters}
            ).fetchall()
        except duckdb.Error as error:
            # Not its text, which can hold values.
            raise LoadError(
                f"Landed files of {self.erased.account} cannot be read ({type(error).__name__}). "
                "lead-pipeline verify names the file; restore it from a backup, then run the command "
                "again."
            ) from None

    def _relative(self, path: str) -> str:
        return Path(path).relative_to(self.landing).as_posix()


def _ids_in(record: CommitRecord) -> set[str]:
    """The ids of leads that a commit record holds."""
    vanished = record.absences.vanished if record.absences else []
    return {
        *record.keep_ids,
        *record.record_ids,
        *record.missing_ids,
        *(lead.lead_id for lead in vanished),
    }


def _without(found: FoundRows, erased: Erased, record: CommitRecord) -> CommitRecord:
    """The commit record without the ids of the erased, and without cursors that may hold them."""
    gone = found.ids
    changes: dict[str, Any] = {}
    for name in ("keep_ids", "record_ids", "missing_ids"):
        if gone.intersection(ids := getattr(record, name)):
            changes[name] = [lead for lead in ids if lead not in gone]
    if found.rejected_digests.intersection(record.replayed):
        changes["replayed"] = [d for d in record.replayed if d not in found.rejected_digests]
    if record.finished_at is not None and (record.cursor or record.cursor_digests):
        # Only a crawl that is running is resumed.
        changes |= {"cursor": None, "cursor_digests": ""}
    if record.absences is not None:
        changes["absences"] = _search_without(record.absences, gone, erased)
    return msgspec.structs.replace(record, **changes)


def _search_without(search: AbsenceSearch, gone: frozenset[str], erased: Erased) -> AbsenceSearch:
    noted = {digest_of(lead): erased.digest(lead) for lead in gone}
    return msgspec.structs.replace(
        search,
        vanished=[lead for lead in search.vanished if lead.lead_id not in gone],
        unheld=[
            msgspec.structs.replace(lead, digest=noted.get(lead.digest, lead.digest))
            for lead in search.unheld
        ],
    )


def _remove_temporaries(folder: Path) -> None:
    """What killed processes left of unfinished files; the caller holds the account's lock."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)
