"""An account that has landed some days, and what readers have of it.

Here: writing it, as crawls and publications do. Not here: what tests expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lead_pipeline.landing.commits import CommitRecord, Window, new_crawl_id, save
from lead_pipeline.landing.coverage import AccountCoverage
from lead_pipeline.providers.base import Account
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import at
from lead_pipeline_tests.sample_builds import Bi
from lead_pipeline_tests.sample_warehouse import SampleLead

ACME = Account("acme", "vorel", "https://app.vorel.ai", {"api_key": "vapk_live_of_nobody"})


def land(settings: Settings, first: int | None, last: int, **fields: object) -> CommitRecord:
    """A crawl of the days `first` (None: since ever) to `last`, in the night after."""
    started_at = at(last + 1, 2, 30)
    values: dict[str, object] = {
        "crawl_id": new_crawl_id(started_at, "leads"),
        "account": "acme",
        "provider": "vorel",
        "stream": "leads",
        "window": Window(None if first is None else at(first), at(last + 1)),
        "is_full": True,
        "state": "complete",
        "complete": True,
        "started_at": started_at,
    }
    record = CommitRecord(**{**values, **fields})  # type: ignore[arg-type]
    save(settings.landing_path, record)
    return record


def publish(settings: Settings, through: datetime, leads: Sequence[SampleLead] = ()) -> None:
    """A file for readers in which the account is complete through that time."""
    coverage = AccountCoverage("acme", "vorel", None, through)
    bi = Bi(settings.home)
    bi.build(leads or (SampleLead("1", account="acme"),), coverage=[coverage])
    bi.publish()
