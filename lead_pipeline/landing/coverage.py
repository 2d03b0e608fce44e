"""How far an account's landed data reaches, told from its complete crawls.

Belongs here: arithmetic on what crawls prove. Does not belong here: counting leads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.windows import UpdatedWindow, merge


@dataclass(frozen=True)
class ProvenWindow:
    """What one complete crawl proves: every update of its stream in `[start, end)` landed.

    `start` is None for since ever. `note` is what was unusual about the crawl. `is_full`: it met
    the whole list, and so relies on no other stream that it was planned from.
    """

    stream: str
    start: datetime | None
    end: datetime
    note: str | None = None
    is_full: bool = False


@dataclass(frozen=True)
class AccountCoverage:
    """Every update of the account's leads in `[complete_from, complete_through)` has landed.

    `complete_from` is None for "since ever"; `complete_through` is None when nothing is
    complete yet. Where days were left out, the coverage ends at the first gap. `note` says
    what readers should know of it, such as leads older than a horizon that were not read.
    """

    account: str
    provider: str
    complete_from: datetime | None
    complete_through: datetime | None
    note: str | None = None


def proven_windows(records: Iterable[CommitRecord]) -> list[ProvenWindow]:
    """What complete crawls prove, in their order."""
    return [
        ProvenWindow(
            record.stream, record.proven_from, record.proven_until, record.note, record.is_full
        )
        for record in records
        if record.complete
    ]


def merged_windows(proven: Iterable[ProvenWindow], stream: str) -> list[UpdatedWindow]:
    """The windows of `stream`, merged, in order."""
    return merge((window.start, window.end) for window in proven if window.stream == stream)


def coverage_of(account: str, provider: str, proven: Sequence[ProvenWindow]) -> AccountCoverage:
    """The coverage that follows from an account's crawls, oldest first.

    Every stream that lead states come from must be complete, so the answer is the part that
    their first uninterrupted windows have in common.
    """
    nothing = AccountCoverage(account, provider, None, None)
    blocks = []
    for stream in PROVIDERS[provider].required_streams:
        windows = _windows_with_their_sources(provider, proven, stream)
        if not windows:
            return nothing
        blocks.append(windows[0])
    starts = [block.start for block in blocks if block.start is not None]
    start, end = max(starts, default=None), min(block.end for block in blocks)
    if start is not None and start >= end:
        return nothing
    records = PROVIDERS[provider].records_stream.name
    notes = [window.note for window in proven if window.stream == records]
    return AccountCoverage(account, provider, start, end, notes[-1] if notes else None)


def _windows_with_their_sources(
    provider: str, proven: Sequence[ProvenWindow], stream: str
) -> list[UpdatedWindow]:
    """The windows of `stream`, without what those streams do not prove that it was planned from.

    A crawl that asks for the leads that an earlier one named proves nothing after the earlier one.
    """
    planned_from = PROVIDERS[provider].stream(stream).after
    windows = [(window.start, window.end) for window in proven if _is(window, stream, full=True)]
    relying = merge(
        (window.start, window.end) for window in proven if _is(window, stream, full=False)
    )
    for other in planned_from:
        relying = _common(relying, merged_windows(proven, other))
    return merge([*windows, *((window.start, window.end) for window in relying)])


def _is(window: ProvenWindow, stream: str, *, full: bool) -> bool:
    return window.stream == stream and window.is_full == full


def _common(left: Iterable[UpdatedWindow], right: Sequence[UpdatedWindow]) -> list[UpdatedWindow]:
    """The time that is in windows of both."""
    return merge(
        (
            max((w.start for w in (one, other) if w.start is not None), default=None),
            min(one.end, other.end),
        )
        for one in left
        for other in right
    )
