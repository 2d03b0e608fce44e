"""`status` says of every account how late a deletion is noticed, and what is known by now."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lead_pipeline.landing.status import DeletionStatus, account_statuses
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import COMMAND, environment
from lead_pipeline_tests.landing.vanishing import Business, business, spread
from lead_pipeline_tests.pulling import SLUGS, at, commits, days, pull, put_leads, with_options

BY_COUNTS = "nightly crawl, by counts"
BY_LIST = "crawl, each of which reads the whole list"
BY_FULL_CRAWL = "full crawl (lead-pipeline run --full)"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Business]:
    """Three hundred leads of MEGA, all landed the night before."""
    with business(tmp_path / "home", spread(300)) as found:
        yield found


def deletions(settings: Settings) -> DeletionStatus:
    """What the status of the only account says."""
    [status] = account_statuses(settings)
    return status.deletions


@pytest.mark.parametrize(
    ("slug", "noticed_by"),
    [("mega", BY_COUNTS), ("vorel", BY_LIST), ("expert_ai_labs", BY_FULL_CRAWL)],
)
def test_every_provider_says_with_what_a_deletion_shows(
    sandbox: Sandbox,
    settings: Settings,
    accounts: Mapping[str, Account],
    slug: str,
    noticed_by: str,
) -> None:
    assert set(accounts) == set(SLUGS)
    put_leads(sandbox, slug, 3, at(1))
    if slug == "expert_ai_labs":
        pull(settings, accounts[slug], days(1), "lead_events")
    pull(settings, accounts[slug], days(1))
    pull(settings, accounts[slug], days(2), *(["lead_events"] if slug == "expert_ai_labs" else []))
    pull(settings, accounts[slug], days(2))
    assert deletions(settings).noticed_by == noticed_by


def test_a_horizon_leaves_it_to_full_crawls(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    account = with_options(accounts["vorel"], horizon_days=5)
    put_leads(sandbox, "vorel", 3, at(1))
    pull(settings, account, days(1))
    pull(settings, account, days(9))
    assert deletions(settings).noticed_by == BY_FULL_CRAWL


def test_without_counts_it_takes_a_full_crawl(shop: Business) -> None:
    shop.night()
    [status] = account_statuses(shop.settings, {"mega": {"deletion_requests": 0}})
    assert status.deletions.noticed_by == BY_FULL_CRAWL


def test_what_is_known_reaches_as_far_as_the_last_search(shop: Business) -> None:
    assert deletions(shop.settings) == DeletionStatus(BY_COUNTS, None, None)
    shop.night()
    record = commits(shop.settings, "mega")[-1]
    assert deletions(shop.settings) == DeletionStatus(BY_COUNTS, record.started_at, None)


def test_a_search_that_did_not_settle_it_is_told_and_moves_nothing(shop: Business) -> None:
    shop.night()
    known = deletions(shop.settings).looked_at
    shop.delete(range(200))
    shop.night()
    told = deletions(shop.settings)
    assert told.looked_at == known
    assert told.remark == (
        "the API counts 200 fewer leads than the 300 that are held, which is not believed; "
        "lead-pipeline run --full reads all of them"
    )


def test_a_full_crawl_shows_it_too(shop: Business) -> None:
    full = pull(shop.settings, shop.account, shop.window, full=True)
    assert deletions(shop.settings).looked_at == full.started_at


def test_the_command_shows_it(shop: Business, tmp_path: Path) -> None:
    shop.night()
    looked_at = deletions(shop.settings).looked_at
    assert looked_at is not None
    ran = subprocess.run(  # noqa: S603
        [COMMAND, "status"],
        cwd=tmp_path,
        env={**environment(tmp_path / "home", {}), "COLUMNS": "250"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert BY_COUNTS in ran.stdout
    assert f"{looked_at:%Y-%m-%d %H:%M}Z" in ran.stdout
