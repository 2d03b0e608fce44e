"""Whether loading grows with the change and not with the history.

The same number of changed leads is loaded on top of a small and of a large history, and the
large history once more from scratch.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from lead_pipeline.console import show_table
from lead_pipeline.landing.commits import CommitRecord, Window, new_crawl_id, save
from lead_pipeline.landing.files import write_flush
from lead_pipeline.landing.records import FiledPage, FiledRecord
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.providers.base import Identity
from lead_pipeline.sandbox.examples import mega_lead
from lead_pipeline.settings import Settings, load_settings

START = datetime(2026, 1, 1, tzinfo=UTC)
SMALL, LARGE, CHANGED = 20_000, 200_000, 1_000
PAGE = 10_000


def main() -> None:
    """Print the table."""
    small_full, small_change = _measure(SMALL)
    large_full, large_change = _measure(LARGE)
    show_table(
        f"Loading MEGA leads: from scratch, then {CHANGED:,} changed ones",
        ["history", "from scratch s", "leads a second", "change s", "change / scratch"],
        [
            _row(SMALL, small_full, small_change),
            _row(LARGE, large_full, large_change),
            [
                "ratio",
                round(large_full / small_full, 2),
                None,
                round(large_change / small_change, 2),
                None,
            ],
        ],
    )


def _row(leads: int, full: float, change: float) -> list[object]:
    return [
        f"{leads:,}",
        round(full, 2),
        round(leads / full),
        round(change, 2),
        round(change / full, 3),
    ]


def _measure(leads: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as home:
        os.environ["LEAD_PIPELINE_HOME"] = home
        settings = load_settings()
        _land(settings, 0, leads, START)
        full = _timed_load(settings)
        _land(settings, 0, CHANGED, START + timedelta(days=1))
        return full, _timed_load(settings)


def _timed_load(settings: Settings) -> float:
    started = time.perf_counter()
    load_landing(settings)
    return time.perf_counter() - started


def _land(settings: Settings, first: int, last: int, updated_at: datetime) -> None:
    """Land leads as a crawl would have."""
    now = datetime.now(UTC)
    commit = CommitRecord(
        crawl_id=new_crawl_id(now, "leads"),
        account="mega",
        provider="mega",
        stream="leads",
        window=Window(None, updated_at + timedelta(days=1)),
        started_at=now,
    )
    for page in _pages(first, last, updated_at, now):
        flushed = write_flush(settings.landing_path, commit, [page])
        commit.files += flushed.records
    commit.complete, commit.state, commit.finished_at = True, "complete", now
    save(settings.landing_path, commit)


def _pages(first: int, last: int, updated_at: datetime, now: datetime) -> Iterator[FiledPage]:
    for number, start in enumerate(range(first, last, PAGE), start=1):
        records = [
            FiledRecord(
                Identity(str(lead), updated_at, START),
                msgspec.json.encode(mega_lead(lead, START, updated_at, id=str(lead))).decode(),
            )
            for lead in range(start, min(start + PAGE, last))
        ]
        yield FiledPage(number, now, records, [], [], None)
