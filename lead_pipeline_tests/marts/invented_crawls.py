"""When the accounts of an invented world were crawled, and what follows for their coverage.

Belongs here: commit records, as nightly crawls leave them. Does not belong here: the leads that
they brought (`invented_leads`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from lead_pipeline.landing.commits import CommitRecord, Window
from lead_pipeline.landing.coverage import coverage_of, proven_windows
from lead_pipeline_tests.marts.invented_leads import ACCOUNTS

ONE_DAY = timedelta(days=1)
LEFT_OUT = 9
"""The night, counted from the first, in which `vorel_eu` was not crawled."""


def crawls_until(night: datetime, begin: datetime) -> list[CommitRecord]:
    """A crawl of every account for each day from `begin` to the midnight `night`.

    Both of MEGA are complete each night; the busy one is also crawled at noon of the day that
    begins then, which is not over. Those of Expert AI Labs have not been complete for thirty days,
    Vorel's never; `vorel_eu` lacks a night.
    """
    days = [begin + ONE_DAY * number for number in range((night - begin) // ONE_DAY)]
    found: list[CommitRecord] = []
    for number, day in enumerate(days):
        is_old = day < night - 30 * ONE_DAY
        start = day if number else None
        for account in ("mega", "mega_quiet"):
            found += _crawls(account, start, day, complete=True)
        found += _crawls("expert_ai_labs", start, day, complete=is_old)
        found += _crawls("vorel", start, day, complete=False)
        if number != LEFT_OUT:
            found += _crawls("vorel_eu", start, day, complete=True)
    noon = night + timedelta(hours=12)
    found += _crawls("mega", night, night, complete=True, started_at=noon)
    return found


def coverage_rows(crawls: Sequence[CommitRecord]) -> list[dict[str, object]]:
    """The rows that loading writes to `normalized.coverage`."""
    rows: list[dict[str, object]] = []
    for account, provider in ACCOUNTS.items():
        mine = [crawl for crawl in crawls if crawl.account == account]
        coverage = coverage_of(account, provider, proven_windows(mine))
        rows.append(
            {
                "account": account,
                "provider": provider,
                "complete_from": coverage.complete_from,
                "complete_through": coverage.complete_through,
            }
        )
    return rows


def _crawls(
    account: str,
    start: datetime | None,
    day: datetime,
    *,
    complete: bool,
    started_at: datetime | None = None,
) -> Iterator[CommitRecord]:
    provider = ACCOUNTS[account]
    is_expert = provider == "expert_ai_labs"
    for stream in ("lead_events", "leads", "lead_details") if is_expert else ("leads",):
        yield CommitRecord(
            crawl_id=f"{day:%Y%m%d}-{account}-{stream}",
            account=account,
            provider=provider,
            stream=stream,
            window=Window(start, day + ONE_DAY),
            started_at=started_at or day + ONE_DAY + timedelta(hours=2, minutes=30),
            state="complete" if complete else "running",
            complete=complete,
        )
