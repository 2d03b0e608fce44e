"""Whether a crawl that came to its end is to be believed, judged by those before it.

    counts of the crawl, earlier crawls ──▶ a reason to doubt it, or none

An API that answers with an empty list, a tenth of it, or ids of another type is at fault far more
often than a business loses its leads over night. What came is landed all the same; nothing is
concluded from what did not come.
"""

from __future__ import annotations

from collections.abc import Sequence

from lead_pipeline.landing.commits import CommitRecord

FEW = 10
"""So many leads may vanish, or records be rejected, in a night of any business."""


def doubt_of(
    commit: CommitRecord, earlier: Sequence[CommitRecord], max_vanished_percent: float
) -> str | None:
    """Why the crawl is doubtful, with the figures; None where it is not.

    `earlier` are the crawls of the same stream, oldest first. `max_vanished_percent` of the records
    that the last complete list had must not be gone, nor so many of those that came unusable.
    """
    came = commit.seen + commit.rejected + commit.erased
    share = max_vanished_percent / 100
    if commit.rejected > FEW and commit.rejected >= came * share:
        return f"{commit.rejected:,} of the {came:,} records that came could not be filed"
    if commit.is_full:
        lists = [record for record in earlier if record.complete and record.is_full]
        before = lists[-1].seen + lists[-1].erased if lists else 0
        if is_too_much(before - came, before, max_vanished_percent):
            return (
                f"{came:,} records came, and the list of {lists[-1].started_at:%Y-%m-%d} had "
                f"{before:,}"
            )
    return _cut_off(commit, came)


def is_too_much(gone: int, before: int, max_vanished_percent: float) -> bool:
    """Whether so many of the leads that there were cannot be gone, as far as is believed."""
    return gone > FEW and gone > before * max_vanished_percent / 100


def _cut_off(commit: CommitRecord, came: int) -> str | None:
    """A walk to the end of its list has as many records as the API counted when it began."""
    reads_to_end = commit.stop_at is None and commit.stop_created_before is None
    if commit.total is None or commit.record_ids or not reads_to_end:
        return None
    # While pages are turned, leads can vanish from the list.
    turned = max(commit.pages - 1, commit.total // 100) if commit.pages > 1 else 0
    if came + turned >= commit.total:
        return None
    return f"the list ended after {came:,} of the {commit.total:,} records that the API counted"
