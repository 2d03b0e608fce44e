"""What durability costs a crawl, and whether its memory stays bounded.

The journal with large Parquet files is set against the obvious other way to lose at most one
page to a kill: a Parquet file per page.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lead_pipeline.accounts import load_accounts
from lead_pipeline.commands.console import show_table
from lead_pipeline.landing.crawl import FlushPolicy
from lead_pipeline.landing.pull import PullOptions, pull_stream
from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.examples import vorel_lead
from lead_pipeline.settings import load_settings
from lead_pipeline.windows import UpdatedWindow

START = datetime(2026, 1, 1, tzinfo=UTC)
LEADS = 20_000
DAYS = 90


@dataclass(frozen=True)
class Measured:
    """One crawl of the whole Vorel list, whose update dates lie scattered over `DAYS`."""

    seconds: float
    files: int
    pages: int
    peak_megabytes: float


def main() -> None:
    """Print the table."""
    with Sandbox(World.empty(START.date()), limits=False) as sandbox:
        sandbox.vorel.store.put_all(
            vorel_lead(
                number,
                START + timedelta(minutes=number),
                START + timedelta(minutes=number) + timedelta(days=number * 7 % DAYS),
            )
            for number in range(LEADS)
        )
        os.environ.update(sandbox.environment())
        journal = _crawl(FlushPolicy())
        per_page = _crawl(FlushPolicy(pages=1))
    show_table(
        f"Crawl of {LEADS:,} Vorel leads, {journal.pages:,} pages over loopback",
        ["way", "seconds", "pages a second", "Parquet files", "peak MB", "time ratio"],
        [
            _row("journal, file per 100 pages", journal, journal),
            _row("file per page and date", per_page, journal),
        ],
    )


def _row(name: str, measured: Measured, base: Measured) -> list[object]:
    return [
        name,
        round(measured.seconds, 2),
        round(measured.pages / measured.seconds),
        measured.files,
        round(measured.peak_megabytes),
        round(measured.seconds / base.seconds, 2),
    ]


def _crawl(flush: FlushPolicy) -> Measured:
    with tempfile.TemporaryDirectory() as home:
        os.environ["LEAD_PIPELINE_HOME"] = home
        settings = load_settings()
        account = load_accounts(settings).named("vorel")
        started = time.perf_counter()
        commit = pull_stream(
            settings,
            account,
            "leads",
            UpdatedWindow(None, START + timedelta(days=DAYS * 2)),
            options=PullOptions(flush=flush),
        )
        seconds = time.perf_counter() - started
        files = len(list(Path(home).rglob("*.parquet")))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(seconds, files, commit.pages, peak)
