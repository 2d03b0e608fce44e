"""What has been loaded, and what the loaded crawls prove.

commit records ──▶ crawls and files not loaded yet
complete crawls ──▶ coverage, audit_coverage ──▶ stretches that changed
               └──▶ polls ──▶ since when accounts are watched, what did not change
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lead_pipeline.landing.chain import check_chain
from lead_pipeline.landing.commits import (
    COMPACTIONS,
    CommitRecord,
    accounts_with_landing,
    commit_records,
)
from lead_pipeline.landing.coverage import ProvenWindow, coverage_of, merged_windows
from lead_pipeline.landing.places import Places
from lead_pipeline.normalized.batches import NewFile
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.steps import Columns, StepContext
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.windows import UpdatedWindow, merge

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)

Stretch = tuple[datetime, datetime]
"""From the first moment until just before the second."""


def all_records(landing: Path) -> list[CommitRecord]:
    """The commit record of every crawl there is, by account, oldest first.

    Raises `LoadError` where one is lost or not what was written.
    """
    for account in accounts_with_landing(landing):
        check_chain(landing, account)
    return [
        record
        for account in accounts_with_landing(landing)
        for record in commit_records(landing, account)
        if record.stream != COMPACTIONS
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
        if record.stream != COMPACTIONS
    ]


def new_files(session: Session, records: Sequence[CommitRecord], places: Places) -> list[NewFile]:
    """The files of `records` that are not loaded, oldest date of records first.

    The ledger knows files as their crawls have listed them, wherever their rows lie now. Rows that lie together were updated on one day, so later loads can skip most of a table.
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
        NewFile(record, file.path, file.rows, places.of(file), places.holder(file))
        for record in records
        for file in (*record.files, *record.seen_files)
        if file.path not in loaded
    ]
    new = {file.path for file in found}
    return sorted(
        (
            replace(file, is_part=any(s.path not in new for s in places.sources(file.place.path)))
            for file in found
        ),
        key=lambda file: (Path(file.path).parent.name, file.place),
    )


def coverage(proven_crawls: Sequence[Any], context: StepContext) -> Columns:
    """Columns of `normalized.coverage` of each account in `proven_crawls`."""
    del context
    found = [
        coverage_of(account, provider, proven)
        for account, provider, proven in _by_account(proven_crawls)
    ]
    names = ("account", "provider", "complete_from", "complete_through", "note")
    return {name: [getattr(coverage, name) for coverage in found] for name in names}


def unchanged_proofs(crawls: Sequence[Any], context: StepContext) -> Columns:
    """For each crawl of `crawls`: the newest stretch that it and those before it prove together.

    A lead that was served in the stretch and that none of these crawls has brought since had not
    changed when the stretch ended. `is_log`: it is an audit log that brings changes, not leads.
    """
    del context
    proofs: list[tuple[str, datetime, datetime, datetime, bool]] = []
    for account, of_account in itertools.groupby(crawls, key=lambda row: row[0]):
        stretches: list[UpdatedWindow] = []
        for _, began_at, proven_from, unchanged_until, is_log in of_account:
            stretches = merge(
                [*((s.start, s.end) for s in stretches), (proven_from, unchanged_until)]
            )
            if stretches:
                newest = stretches[-1]
                start = newest.start or BEGINNING
                proofs.append((account, began_at, start, newest.end, is_log))
    names = ("account", "began_at", "unchanged_from", "unchanged_until", "is_log")
    return _columns(names, proofs)


def polled_accounts(polls: Sequence[Any], context: StepContext) -> Columns:
    """Since when each account is polled without a gap; `polls`: (account, began at, from, until).

    `watched_from` is when the first poll began of those whose stretches are uninterrupted until
    the newest one, `all_from` where these stretches begin (None: since ever), `proven_until` where
    they end. `poll_seconds` is the median of the times between polls since `watched_from`.
    """
    del context
    rows = []
    for account, of_account in itertools.groupby(polls, key=lambda row: row[0]):
        found = [(began_at, start, end) for _, began_at, start, end in of_account]
        stretches = merge((start, end) for _, start, end in found)
        if not stretches:
            continue
        newest = stretches[-1]
        watched_from = min(
            (began_at for began_at, _, _ in found if began_at >= (newest.start or BEGINNING)),
            default=None,
        )
        rows.append(
            (
                account,
                watched_from,
                _usual_seconds(watched_from, [end for _, _, end in found]),
                newest.start,
                newest.end,
            )
        )
    names = ("account", "watched_from", "poll_seconds", "all_from", "proven_until")
    return _columns(names, rows)


def _usual_seconds(watched_from: datetime | None, proven: Iterable[datetime]) -> int | None:
    """The median time between polls: between the moments through which they prove something."""
    if watched_from is None:
        return None
    moments = sorted({watched_from, *(end for end in proven if end > watched_from)})
    lengths = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(moments)]
    return round(statistics.median(lengths)) if lengths else None


def audit_coverage(proven_crawls: Sequence[Any], context: StepContext) -> Columns:
    """For which times the audit logs of the accounts in `proven_crawls` have landed whole."""
    del context
    covered = [
        (account, window.start or BEGINNING, window.end)
        for account, provider, proven in _by_account(proven_crawls)
        for window in sorted(
            _logged_windows(provider, proven), key=lambda w: (w.start or BEGINNING, w.end)
        )
    ]
    return _columns(("account", "covered_from", "covered_until"), covered)


def changed_audit_coverage(stretches: Sequence[Any], context: StepContext) -> Columns:
    """What is covered before or after only; `stretches`: (account, is new, from, until)."""
    del context
    changed = []
    for account in sorted({row[0] for row in stretches}):
        old, new = (
            {
                (start, end)
                for of, is_new, start, end in stretches
                if of == account and is_new == now
            }
            for now in (False, True)
        )
        changed += [(account, *stretch) for stretch in _differences(old, new)]
    return _columns(("account", "changed_from", "changed_until"), changed)


def _by_account(proven_crawls: Sequence[Any]) -> Iterator[tuple[str, str, list[ProvenWindow]]]:
    """(account, provider, what its crawls prove); a row without a stream proves nothing."""
    for (account, provider), rows in itertools.groupby(proven_crawls, key=lambda row: row[:2]):
        yield account, provider, [ProvenWindow(*row[2:]) for row in rows if row[2] is not None]


def _logged_windows(provider: str, proven: Sequence[ProvenWindow]) -> list[UpdatedWindow]:
    logs = PROVIDERS[provider].streams_of("events")
    return merge(
        (window.start, window.end) for log in logs for window in merged_windows(proven, log)
    )


def _differences(old: set[Stretch], new: set[Stretch]) -> list[Stretch]:
    """The stretches that are covered by one of the two sets only."""
    bounds = sorted({bound for stretch in old | new for bound in stretch})

    def covered(stretches: set[Stretch], piece: Stretch) -> bool:
        return any(start <= piece[0] and piece[1] <= end for start, end in stretches)

    return [
        piece for piece in itertools.pairwise(bounds) if covered(old, piece) != covered(new, piece)
    ]


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Columns:
    return {name: [row[number] for row in rows] for number, name in enumerate(names)}
