"""Rejected records: counting them, and filing them after all once the cause is fixed.

    landing/<account>/_rejected/*.parquet ──replay──▶ landing/<account>/<stream>/… + commit record

A rejected record stays where it is; the commit record of a replay says which were filed.
Belongs here: reading rejected files. Does not belong here: why a record is rejected
(`records.py` and the provider).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow.parquet as pq

from lead_pipeline.landing.commits import (
    CommitRecord,
    Window,
    commit_records,
    new_crawl_id,
    save,
)
from lead_pipeline.landing.files import write_flush
from lead_pipeline.landing.records import FiledPage, file_records
from lead_pipeline.landing.tombstones import Erased, erased_of
from lead_pipeline.landing.turns import account_turn
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Page, Walk
from lead_pipeline.settings import Settings

BATCH_ROWS = 1_000


class KeptRecord(NamedTuple):
    """One rejected record as it is kept."""

    stream: str
    kind: str
    reason: str
    payload: bytes
    fetched_at: datetime
    served_at: datetime | None = None
    """None in files of earlier releases."""

    @property
    def digest(self) -> str:
        """What stands for the record, however often it was rejected."""
        return digest_of_rejected(self.stream, self.payload)


def digest_of_rejected(stream: str, payload: bytes) -> str:
    """By what replays know a rejected record."""
    return sha256(stream.encode() + b"\0" + payload).hexdigest()


@dataclass(frozen=True)
class RejectedGroup:
    """Distinct rejected records of a stream that share a reason."""

    stream: str
    reason: str
    records: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True)
class ReplayResult:
    """What a replay did: records filed by stream, and how many are still rejected."""

    filed: dict[str, int]
    still_rejected: int


def rejected_groups(landing: Path, account: str) -> list[RejectedGroup]:
    """What is rejected and not replayed, by stream and reason. No record is shown."""
    counts: Counter[tuple[str, str]] = Counter()
    earliest: dict[tuple[str, str], datetime] = {}
    latest: dict[tuple[str, str], datetime] = {}
    for record in _pending(landing, account):
        key = (record.stream, record.reason)
        counts[key] += 1
        earliest[key] = min(record.fetched_at, earliest.get(key, record.fetched_at))
        latest[key] = max(record.fetched_at, latest.get(key, record.fetched_at))
    return [
        RejectedGroup(stream, reason, count, earliest[stream, reason], latest[stream, reason])
        for (stream, reason), count in sorted(counts.items())
    ]


def replay_rejected(settings: Settings, account: str) -> ReplayResult:
    """Try to file every rejected record of the account again.

    Those that can be filed now land with the time at which they were fetched; the next load
    takes them up. Run it after a fix; running it again changes nothing.
    """
    landing = settings.landing_path
    with account_turn(settings, account, f"replaying rejected records of {account}"):
        commits = list(commit_records(landing, account))
        if not commits:
            return ReplayResult({}, 0)
        erased = erased_of(settings, account)
        by_stream: dict[str, list[KeptRecord]] = {}
        for record in _pending(landing, account):
            by_stream.setdefault(record.stream, []).append(record)
        filed: dict[str, int] = {}
        still_rejected = 0
        for stream, records in sorted(by_stream.items()):
            pages, digests = _file(commits[-1], stream, records, _tenant(commits), erased)
            still_rejected += len(records) - len(digests)
            if digests:
                _land(landing, commits[-1], stream, pages, digests)
                filed[stream] = len(digests)
        return ReplayResult(filed, still_rejected)


def _file(
    like: CommitRecord,
    stream: str,
    records: list[KeptRecord],
    tenant_id: str | None,
    erased: Erased,
) -> tuple[list[FiledPage], list[str]]:
    pages: list[FiledPage] = []
    digests: list[str] = []
    for record in records:
        page = file_records(
            PROVIDERS[like.provider],
            stream,
            _ANY,
            [msgspec.Raw(record.payload)],
            tenant_id,
            number=len(pages) + 1,
            fetched_at=record.fetched_at,
            served_at=record.served_at,
            erased=erased,
        )
        if page.filed:
            pages.append(page)
            digests.append(record.digest)
    return pages, digests


def _land(
    landing: Path, like: CommitRecord, stream: str, pages: list[FiledPage], digests: list[str]
) -> None:
    now = datetime.now(UTC)
    commit = CommitRecord(
        crawl_id=new_crawl_id(now, stream),
        account=like.account,
        provider=like.provider,
        stream=stream,
        # A replay asks for nothing and so proves no window.
        window=Window(None, now),
        state="replayed",
        note="Rejected records that were filed after all.",
        started_at=now,
        finished_at=now,
        replayed=digests,
    )
    flushed = write_flush(landing, commit, pages)
    commit.files = flushed.records
    commit.rows_by_date = flushed.rows_by_date
    commit.records = len(digests)
    save(landing, commit)


def _pending(landing: Path, account: str) -> Iterator[KeptRecord]:
    """Distinct rejected records that no replay has filed."""
    done = {digest for commit in commit_records(landing, account) for digest in commit.replayed}
    for path in sorted((landing / account / "_rejected").glob("[!.]*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
            for row in batch.to_pylist():
                record = KeptRecord(
                    row["stream"],
                    row["kind"],
                    row["reason"],
                    row["payload"],
                    row["fetched_at"],
                    row.get("served_at"),
                )
                if record.digest not in done:
                    done.add(record.digest)
                    yield record


def _tenant(commits: list[CommitRecord]) -> str | None:
    known = [commit.tenant_id for commit in commits if commit.tenant_id]
    return known[-1] if known else None


def _nothing(body: bytes) -> Page:
    raise AssertionError(f"a replay asks for no page ({len(body)} bytes)")


_ANY = Walk(path="", parameters={}, read=_nothing)
