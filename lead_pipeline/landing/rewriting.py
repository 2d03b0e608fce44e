"""Landed files written again without some of their rows, all others as they came.

    changes by file ──▶ new files beside the old ones ──▶ commit records ──▶ the old files are removed
                        durable, count not yet             the switch

A rewritten file has a name of its own, so each step can be the last one before a kill: what no commit
record lists does not count, and the next call makes it again or removes it. Belongs here: rewriting,
and how the commit records follow. Does not belong here: which rows go (`erasing.py`, `retention.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.chain import relink
from lead_pipeline.landing.commits import CommitRecord, LandedFile, commit_records, crawls_folder
from lead_pipeline.landing.compaction import PREFIX
from lead_pipeline.landing.digests import REMEDY, check_file
from lead_pipeline.landing.files import write_again
from lead_pipeline.landing.places import Places
from lead_pipeline.storage.files import digest_of
from lead_pipeline.storage.seams import landing_at

_MARK = "-w"
_DIGITS = 16


@dataclass(frozen=True)
class FileChange:
    """What is to become of the rows of one file, by their numbers from 0."""

    dropped: frozenset[int] = frozenset()
    payloads: Mapping[int, str] = field(default_factory=dict)
    """What stands in the place of payloads."""


@dataclass(frozen=True)
class RewrittenFile:
    """One file before and after; paths are relative to the landing folder."""

    before: str
    sha256_before: str
    after: str | None
    """None where no row is left."""
    sha256_after: str | None
    rows_removed: int


Edit = Callable[[CommitRecord], CommitRecord]
"""What else changes in a commit record; the same record where nothing does."""


def rewrite(
    landing: Path, account: str, changes: Mapping[str, FileChange], edit: Edit
) -> list[RewrittenFile]:
    """Apply `changes`, by file relative to the landing folder, and let the commit records follow.

    The caller holds the locks of the account and of the warehouse, since files are removed. Repeating
    a call that was killed completes it. Raises `LoadError` naming a file that cannot be read; what it
    has not come to is then as it was.
    """
    records = list(commit_records(landing, account))
    for file in _files_of(records):
        if file.path in changes:
            # A damaged file written again would have a digest that says it is whole.
            check_file(landing, file)
    written = {path: _write(landing, path, change) for path, change in sorted(changes.items())}
    after = _Listing(Places(records), written, changes)
    changed = {
        record.crawl_id: new for record in records if (new := edit(after.of(record))) != record
    }
    # Also where nothing changes any more: it may have been killed between two records.
    relink(landing, account, changed)
    if changed:
        # Derived, and it holds what the records held.
        (crawls_folder(landing, account).parent / "_crawls.summary").unlink(missing_ok=True)
    landing_at(landing).remove(*(landing / path for path in written))
    _remove_unlisted(landing, account)
    return [new for new, _ in written.values()]


def _remove_unlisted(landing: Path, account: str) -> None:
    """Remove what a killed call has written and no commit record lists."""
    listed = {file.path for file in _files_of(list(commit_records(landing, account)))}
    for path in (landing / account).rglob(f"*{_MARK}*.parquet"):
        if _is_rewritten(path) and path.relative_to(landing).as_posix() not in listed:
            landing_at(landing).remove(path)


@dataclass(frozen=True)
class _Listing:
    """What commit records list once files have been written again."""

    places: Places
    written: Mapping[str, tuple[RewrittenFile, LandedFile | None]]
    changes: Mapping[str, FileChange]

    def of(self, record: CommitRecord) -> CommitRecord:
        """The record with the files of now, and its counts without what was removed."""
        if record.compactions:
            return self._of_compactions(record)
        files = self._files(record.files)
        seen_files = self._files(record.seen_files)
        rejected_files = self._files(record.rejected_files)
        filed = _rows(record.files) - _rows(files)
        seen = _rows(record.seen_files) - _rows(seen_files)
        by_date = dict(record.rows_by_date)
        for day, rows in _by_date(record.files).items():
            gone = rows - _by_date(files).get(day, 0)
            if gone and day in by_date:
                by_date[day] = max(0, by_date[day] - gone)
        return msgspec.structs.replace(
            record,
            files=files,
            seen_files=seen_files,
            rejected_files=rejected_files,
            rows_by_date={day: rows for day, rows in by_date.items() if rows},
            records=max(0, record.records - filed),
            seen=max(0, record.seen - filed - seen),
            rejected=max(
                0, record.rejected - (_rows(record.rejected_files) - _rows(rejected_files))
            ),
            erased=record.erased + filed + seen,
        )

    def _files(self, files: Sequence[LandedFile]) -> list[LandedFile]:
        found = (self._moved(f) if self.places.has_moved(f) else self._own(f) for f in files)
        return [file for file in found if file is not None]

    def _own(self, file: LandedFile) -> LandedFile | None:
        return self.written[file.path][1] if file.path in self.written else file

    def _moved(self, file: LandedFile) -> LandedFile | None:
        """A file whose rows lie in another one: of those, as many as are left of it."""
        rows = self._rows_left(file)
        if rows == file.rows:
            return file
        # Nothing has the digest of what is left of it: its rows lie in a file that has one.
        return msgspec.structs.replace(file, rows=rows, sha256=None) if rows else None

    def _rows_left(self, file: LandedFile) -> int:
        place = self.places.of(file)
        change = self.changes.get(place.path, FileChange())
        gone = sum(place.first_row <= row < place.end_row for row in change.dropped)
        return place.end_row - place.first_row - gone

    def _of_compactions(self, record: CommitRecord) -> CommitRecord:
        compactions = [
            msgspec.structs.replace(
                compaction,
                path=self._path(compaction.path),
                # Also those without a row: crawls may still list them, until their records follow.
                replaces=[
                    msgspec.structs.replace(
                        file,
                        rows=(rows := self._rows_left(file)),
                        sha256=file.sha256 if rows == file.rows else None,
                    )
                    for file in compaction.replaces
                ],
            )
            for compaction in record.compactions
        ]
        files = [file for file in (self._own(f) for f in record.files) if file is not None]
        return msgspec.structs.replace(record, files=files, compactions=compactions)

    def _path(self, path: str) -> str:
        new = self.written[path][1] if path in self.written else None
        return path if new is None else new.path


def _files_of(records: Sequence[CommitRecord]) -> Iterator[LandedFile]:
    for record in records:
        yield from record.all_files


def _rows(files: Sequence[LandedFile]) -> int:
    return sum(file.rows for file in files)


def _by_date(files: Sequence[LandedFile]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for file in files:
        day = Path(file.path).parent.name.removeprefix("date=")
        rows[day] = rows.get(day, 0) + file.rows
    return rows


def _write(landing: Path, path: str, change: FileChange) -> tuple[RewrittenFile, LandedFile | None]:
    """Write the new file beside the old one; None where no row is left of a crawl's own file."""
    old = landing / path
    before = read_table(old)
    table = _changed(before, change)
    sha256_before = digest_of(old)
    removed = before.num_rows - table.num_rows
    is_compacted = old.name.startswith(PREFIX)
    if not table.num_rows and not is_compacted:
        return RewrittenFile(path, sha256_before, None, None, removed), None
    landed = write_again(landing, Path(path).parent, table, lambda digest: _name(old, digest))
    return RewrittenFile(path, sha256_before, landed.path, landed.sha256, removed), landed


def _name(old: Path, digest: str) -> str:
    """A name that begins as that of the crawl's file, or of one that took the place of several."""
    if old.name.startswith(PREFIX):
        return f"{PREFIX}{digest[:_DIGITS]}.parquet"
    stem = old.stem.rpartition(_MARK)[0] if _is_rewritten(old) else old.stem
    return f"{stem}{_MARK}{digest[:_DIGITS]}.parquet"


def _is_rewritten(path: Path) -> bool:
    _, mark, digits = path.stem.rpartition(_MARK)
    return bool(mark) and len(digits) == _DIGITS and set(digits) <= set("0123456789abcdef")


def _changed(table: pa.Table, change: FileChange) -> pa.Table:
    if change.payloads:
        column = table.schema.get_field_index("payload")
        texts = table["payload"].to_pylist()
        for row, text in change.payloads.items():
            texts[row] = text
        field_ = table.schema.field(column)
        table = table.set_column(column, field_, pa.array(texts, field_.type))
    if change.dropped:
        kept = [row for row in range(table.num_rows) if row not in change.dropped]
        table = table.take(pa.array(kept, pa.int64())).combine_chunks()
    return table


def read_table(path: Path) -> pa.Table:
    """All rows of a landed file. Raises `LoadError` naming one that cannot be read."""
    try:
        with path.open("rb") as source:
            return pq.ParquetFile(source).read()
    except (OSError, pa.ArrowException) as error:
        raise LoadError(f"{path} cannot be read ({type(error).__name__}). {REMEDY}") from None
