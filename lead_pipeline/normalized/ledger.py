"""What has been loaded, and what the loaded crawls prove.

    commit records ──▶ crawls, loaded_files ──▶ coverage, audit_coverage ──▶ leads to look at again

Belongs here: the ledgers of the warehouse. Does not belong here: records (`records.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lead_pipeline.landing.commits import CommitRecord, accounts_with_landing, commit_records
from lead_pipeline.landing.coverage import ProvenWindow, coverage_of, merged_windows
from lead_pipeline.normalized.session import Session
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.windows import UpdatedWindow, merge

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class NewFile:
    """A landed file that the tables do not hold yet; `path` is relative to the landing folder."""

    crawl: CommitRecord
    path: str
    rows: int

    @property
    def is_seen(self) -> bool:
        """Whether it holds ids that a crawl met without landing their records."""
        return "/_seen/" in self.path


def all_records(landing: Path) -> list[CommitRecord]:
    """Every commit record there is, by account, oldest crawl first."""
    return [
        record
        for account in accounts_with_landing(landing)
        for record in commit_records(landing, account)
    ]


def new_records(session: Session, landing: Path) -> list[CommitRecord]:
    """Commit records that are new or may have grown since they were last loaded."""
    finished = {
        crawl_id
        for (crawl_id,) in session.fetch(
            "select crawl_id from normalized.crawls where finished_at is not null"
        )
    }
    return [
        record
        for account in accounts_with_landing(landing)
        for record in commit_records(landing, account, leave_out=finished)
    ]


def new_files(session: Session, records: Sequence[CommitRecord]) -> list[NewFile]:
    """The files of `records` that are not loaded, oldest date of records first.

    Rows that lie together were updated on one day, so later loads can skip most of a table.
    """
    loaded = {
        path
        for (path,) in session.fetch(
            "select path from normalized.loaded_files "
            "where crawl_id in (select unnest(?::varchar[]))",
            [[record.crawl_id for record in records]],
        )
    }
    found = [
        NewFile(record, file.path, file.rows)
        for record in records
        for file in (*record.files, *record.seen_files)
        if file.path not in loaded
    ]
    return sorted(found, key=lambda file: (Path(file.path).parent.name, file.path))


def record_crawls(
    session: Session, records: Sequence[CommitRecord], files: Sequence[NewFile]
) -> None:
    """Write what was loaded just now to the ledgers, and what follows for the coverage."""
    if not records:
        return
    session.execute(
        "delete from normalized.crawls where crawl_id in (select unnest(?::varchar[]))",
        [[record.crawl_id for record in records]],
    )
    session.insert_columns("normalized.crawls", _columns(records))
    if files:
        session.insert_columns(
            "normalized.loaded_files",
            {
                "path": [file.path for file in files],
                "crawl_id": [file.crawl.crawl_id for file in files],
                "loaded_rows": [file.rows for file in files],
                "loaded_at": [datetime.now(UTC)] * len(files),
            },
        )
    for account, provider in sorted({(record.account, record.provider) for record in records}):
        _update_coverage(session, account, provider)


def _columns(records: Sequence[CommitRecord]) -> dict[str, list[object]]:
    def values(name: str) -> list[object]:
        return [getattr(record, name) for record in records]

    names = ("crawl_id", "account", "provider", "stream", "proven_from", "proven_until")
    rest = ("started_at", "finished_at", "total", "note")
    return {name: values(name) for name in (*names, *rest)} | {
        "is_complete": values("complete"),
        "is_full": [record.is_full and _is_list(record) for record in records],
    }


def _is_list(record: CommitRecord) -> bool:
    return record.stream == PROVIDERS[record.provider].records_stream.name


def _logged_windows(provider: str, proven: Sequence[ProvenWindow]) -> list[UpdatedWindow]:
    """For which times the provider's audit log has landed whole."""
    logs = PROVIDERS[provider].streams_of("events")
    return merge(
        (window.start, window.end) for log in logs for window in merged_windows(proven, log)
    )


def _update_coverage(session: Session, account: str, provider: str) -> None:
    proven = [ProvenWindow(*row) for row in session.query("proven_windows", [account])]
    coverage = coverage_of(account, provider, proven)
    session.execute("delete from normalized.coverage where account = ?", [account])
    session.insert(
        "normalized.coverage",
        [
            (
                account,
                provider,
                coverage.complete_from,
                coverage.complete_through,
                coverage.note,
            )
        ],
    )
    _update_audit_coverage(session, account, _logged_windows(provider, proven))


def _update_audit_coverage(
    session: Session, account: str, windows: Iterable[UpdatedWindow]
) -> None:
    new = {(window.start or BEGINNING, window.end) for window in windows}
    old = {
        (covered_from, covered_until)
        for covered_from, covered_until in session.fetch(
            "select covered_from, covered_until from normalized.audit_coverage where account = ?",
            [account],
        )
    }
    if new == old:
        return
    for changed_from, changed_until in _differences(old, new):
        session.run(
            "touch_audit_coverage",
            {"account": account, "changed_from": changed_from, "changed_until": changed_until},
        )
    session.execute("delete from normalized.audit_coverage where account = ?", [account])
    session.insert(
        "normalized.audit_coverage", [(account, start, end) for start, end in sorted(new)]
    )


def _differences(
    old: set[tuple[datetime, datetime]], new: set[tuple[datetime, datetime]]
) -> list[tuple[datetime, datetime]]:
    """The stretches that are covered by one of the two sets of windows only."""
    bounds = sorted({bound for window in old | new for bound in window})
    pieces = itertools.pairwise(bounds)

    def covered(windows: set[tuple[datetime, datetime]], piece: tuple[datetime, datetime]) -> bool:
        return any(start <= piece[0] and piece[1] <= end for start, end in windows)

    return [piece for piece in pieces if covered(old, piece) != covered(new, piece)]
