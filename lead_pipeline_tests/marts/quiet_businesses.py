"""Businesses in which one lead comes in and then nothing happens, landed night by night.

The lead was created on 2 January 2026 at 10:00 UTC and stays in stage new. Each night at 02:30 the
day before is crawled, as `lead-pipeline run` does: MEGA and Expert AI Labs ask for what changed
and get nothing, Vorel shows its whole list. Belongs here: what is landed. Does not belong here:
what is true of it (`test_quiet_accounts`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lead_pipeline.landing.commits import Window
from lead_pipeline.sandbox.messages import Record
from lead_pipeline_tests.normalized.landings import CrawlPlan, Landing
from lead_pipeline_tests.pulling import MAKE_LEAD, at

CREATED_AT = at(2, 10)
FIRST_DAY = 2
LAST_DAY = 31
ONE_DAY = timedelta(days=1)
AT_NIGHT = timedelta(hours=2, minutes=30)
STREAMS = {
    "mega": ("leads",),
    "vorel": ("leads",),
    "expert_ai_labs": ("lead_events", "leads", "lead_details"),
}


@dataclass
class Business:
    """One account and what its nights bring beside the lead; days are days of January 2026."""

    landing: Landing
    account: str
    provider: str
    left_out: Iterable[int] = ()
    """Days that nobody crawls."""
    incomplete: Iterable[int] = ()
    """Days whose crawls do not come to their end."""
    last_day: int = LAST_DAY
    has_leads: bool = True
    brought: dict[int, list[Record]] = field(default_factory=dict)
    """Records that the crawl of a day brings, by day."""

    def land(self) -> Business:
        """All nights."""
        for day in range(FIRST_DAY, self.last_day + 1):
            if day not in self.left_out:
                self.crawl(day, at(day) + ONE_DAY + AT_NIGHT)
        return self

    def crawl(self, day: int, started_at: datetime) -> None:
        """Every stream of the account for a day."""
        is_first, is_whole_list = day == FIRST_DAY, self.provider == "vorel"
        records = list(self.brought.get(day, []))
        if self.has_leads and (is_first or is_whole_list):
            records.append(MAKE_LEAD[self.provider](1, CREATED_AT))
        for number, stream in enumerate(STREAMS[self.provider]):
            self.landing.land(
                CrawlPlan(
                    f"{started_at:%Y%m%dT%H%M}-{number}-{stream}",
                    self.provider,
                    [records if stream == "leads" else []],
                    stream=stream,
                    account=self.account,
                    at=started_at + timedelta(minutes=number),
                    window=Window(None if is_first else at(day), at(day) + ONE_DAY),
                    complete=day not in self.incomplete,
                    is_full=stream == "leads" and (is_first or is_whole_list),
                    keep_from=at(day) if is_whole_list and not is_first else None,
                )
            )

    def crawl_everything(self, started_at: datetime) -> None:
        """A full crawl that shows no lead: whoever was there has vanished."""
        window = Window(None, started_at)
        plan = CrawlPlan(
            f"{started_at:%Y%m%dT%H%M}-full",
            self.provider,
            [[]],
            account=self.account,
            at=started_at,
            window=window,
            is_full=True,
        )
        self.landing.land(plan)
