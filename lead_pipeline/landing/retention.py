"""What landing need not keep for ever: payloads of superseded states, and rejected records, by age.

    records older than N days that have a later state ──▶ reduced to what history needs
    rejected records older than N days                ──▶ removed

A reduced payload keeps the lead's id and tenant, its times, status and stage, score and owner: what stage
history and marts read of earlier states. Belongs here: which rows, and what is left of them. Does not
belong here: writing files again (`rewriting.py`), when it is due (`commands/retention.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import COMPACTIONS, CommitRecord, LandedFile, commit_records
from lead_pipeline.landing.places import Places
from lead_pipeline.landing.rewriting import FileChange, read_table, rewrite
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Provider
from lead_pipeline.providers.contract import known_fields
from lead_pipeline.storage.sql import read_sql

KEPT_COLUMNS = frozenset(
    {
        "lead_id",
        "tenant_id",
        "created_at",
        "updated_at",
        "provider_status",
        "provider_stage",
        "provider_stage_id",
        "provider_stage_name",
        "score",
        "owner_id",
        "owner_name",
    }
)
"""What stage history and marts read of states that are not the newest."""

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
Kept = Mapping[str, Any]
"""The fields that stay, by name: None for a whole value, else those within it."""


@dataclass(frozen=True)
class Reduction:
    """What is due in an account's landing."""

    account: str
    payloads: int
    """Payloads to be reduced."""
    rejected: int
    """Rejected records to be removed."""
    changes: Mapping[str, FileChange]

    def __bool__(self) -> bool:
        return bool(self.changes)


def find_due(
    landing: Path, account: str, *, superseded: datetime | None, rejected: datetime | None
) -> Reduction:
    """What came before these moments and is due; None: nothing of that kind is.

    Files of crawls that have not ended are left alone. Streams whose records tell a lead's whole history
    are not reduced: their earlier states may be the only ones that tell it. Raises `LoadError`.
    """
    records = list(commit_records(landing, account))
    changes: dict[str, FileChange] = {}
    payloads = removed = 0
    if superseded is not None and records:
        for path, texts in _superseded(landing, records, superseded).items():
            changes[path] = FileChange(payloads=texts)
            payloads += len(texts)
    if rejected is not None:
        for path, rows in _rejected(landing, records, rejected).items():
            changes[path] = FileChange(dropped=frozenset(rows))
            removed += len(rows)
    return Reduction(account, payloads, removed, changes)


def reduce_landing(landing: Path, due: Reduction) -> int:
    """Write the files again in which something is due; how many there were.

    The caller holds the locks of the account and of the warehouse.
    """
    return len(rewrite(landing, due.account, due.changes, lambda record: record))


def _superseded(
    landing: Path, records: Sequence[CommitRecord], before: datetime
) -> dict[str, dict[int, str]]:
    provider = PROVIDERS[records[0].provider]
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for stream in provider.streams:
        if stream.kind == "events" or stream.tells_stage_changes:
            continue
        kept = _kept_fields(provider, stream.name)
        own = [record for record in records if record.stream in (stream.name, COMPACTIONS)]
        files = _files(own, lambda record: record.files)
        for filename, row, payload in _query(landing, files, before):
            reduced = reduced_payload(payload, kept)
            if reduced is not None and len(reduced) < len(payload):
                found[Path(filename).relative_to(landing).as_posix()][row] = reduced
    return found


def _files(
    records: Sequence[CommitRecord], files_of: Callable[[CommitRecord], Sequence[LandedFile]]
) -> list[str]:
    """Where the rows of the files lie, without those of crawls that can be resumed."""
    ended = [r for r in records if r.finished_at is not None and r.stream != COMPACTIONS]
    return Places(records).paths(file for record in ended for file in files_of(record))


def _query(landing: Path, files: Sequence[str], before: datetime) -> list[tuple[str, int, str]]:
    if not files:
        return []
    with closing(duckdb.connect()) as connection:
        try:
            return connection.execute(
                read_sql("landing", "superseded_records"),
                {"files": [str(landing / path) for path in files], "before": before},
            ).fetchall()
        except duckdb.Error as error:
            # Not its text, which can hold values.
            raise LoadError(
                f"Landed files below {landing} cannot be read ({type(error).__name__}). lead-pipeline "
                "scrub names the file and the remedy."
            ) from None


def _rejected(
    landing: Path, records: Sequence[CommitRecord], before: datetime
) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for path in _files(records, lambda r: r.rejected_files):
        times = read_table(landing / path)["fetched_at"].to_pylist()
        rows = {row for row, moment in enumerate(times) if moment < before}
        if rows:
            found[path] = rows
    return found


def _kept_fields(provider: Provider, stream: str) -> Kept:
    kept: dict[str, Any] = {}
    for known in known_fields(provider):
        if known.stream == stream and known.column in KEPT_COLUMNS:
            _add(kept, known.field.split("."))
    return kept


def _add(kept: dict[str, Any], path: Sequence[str]) -> None:
    name, *rest = path
    if not rest:
        kept[name] = None
    elif (inner := kept.setdefault(name, {})) is not None:
        _add(inner, rest)


def reduced_payload(payload: str, kept: Kept) -> str | None:
    """The JSON object with the `kept` fields alone, each as it came; None where it is no object."""
    try:
        return _reduced(msgspec.Raw(payload.encode()), kept).decode()
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def _reduced(value: msgspec.Raw, kept: Kept) -> bytes:
    members = []
    for name, content in _object.decode(value).items():
        if name not in kept:
            continue
        inner = kept[name]
        is_object = bytes(content).lstrip().startswith(b"{")
        text = bytes(content) if inner is None or not is_object else _reduced(content, inner)
        members.append(msgspec.json.encode(name) + b":" + text)
    return b"{" + b",".join(members) + b"}"
