"""Crawls that show far less than those before them land, prove nothing, and say so."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from lead_pipeline.errors import DoubtfulCrawl
from lead_pipeline.landing.commits import CommitRecord, Window
from lead_pipeline.landing.coverage import coverage_of, proven_windows
from lead_pipeline.landing.doubt import doubt_of
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import COMMAND, environment
from lead_pipeline_tests.normalized.landings import table
from lead_pipeline_tests.pulling import (
    account_of,
    at,
    commits,
    days,
    landed_ids,
    loaded_leads,
    pull,
    put_leads,
    rejected,
    settings_in,
)


def crawl(day: int, **fields: object) -> CommitRecord:
    """A complete crawl of the whole list in that night."""
    values: dict[str, object] = {
        "crawl_id": f"crawl-{day:02d}",
        "account": "acme",
        "provider": "vorel",
        "stream": "leads",
        "window": Window(at(day - 1), at(day)),
        "started_at": at(day, 2),
        "is_full": True,
        "complete": True,
        "state": "complete",
        "pages": 1,
    }
    return CommitRecord(**{**values, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "rejected_records", "reason"),
    [
        (1000, 0, None),
        (500, 0, None),
        (499, 0, "499 records came, and the list of 2026-01-05 had 1,000"),
        (0, 0, "0 records came, and the list of 2026-01-05 had 1,000"),
        (100, 0, "100 records came, and the list of 2026-01-05 had 1,000"),
        (0, 1000, "1,000 of the 1,000 records that came could not be filed"),
        (500, 500, "500 of the 1,000 records that came could not be filed"),
        (501, 499, None),
    ],
)
def test_a_list_is_judged_by_the_last_one(
    seen: int, rejected_records: int, reason: str | None
) -> None:
    earlier = [crawl(4, seen=10), crawl(5, seen=1000), crawl(6, seen=7, complete=False)]
    assert doubt_of(crawl(7, seen=seen, rejected=rejected_records), earlier, 50) == reason


@pytest.mark.parametrize("before", [1, 10])
def test_a_handful_of_leads_may_vanish_in_a_night(before: int) -> None:
    assert doubt_of(crawl(7, seen=0), [crawl(5, seen=before)], 50) is None


@pytest.mark.parametrize("count", [1, 10])
def test_a_handful_of_records_may_be_unusable(count: int) -> None:
    assert doubt_of(crawl(7, seen=0, rejected=count, is_full=False), [], 50) is None


def test_a_first_list_may_be_empty() -> None:
    assert doubt_of(crawl(7, seen=0), [], 20) is None


def test_a_window_in_which_nothing_changed_is_no_list() -> None:
    assert doubt_of(crawl(7, seen=0, is_full=False), [crawl(5, seen=1000)], 20) is None


@pytest.mark.parametrize(
    ("total", "pages", "reason"),
    [
        (100, 1, None),
        (101, 1, "the list ended after 100 of the 101 records that the API counted"),
        # While pages are turned, some may vanish.
        (104, 5, None),
        (105, 5, "the list ended after 100 of the 105 records that the API counted"),
    ],
)
def test_a_list_that_ends_before_its_total_was_cut_off(
    total: int, pages: int, reason: str | None
) -> None:
    cut = crawl(7, seen=100, total=total, pages=pages, is_full=False)
    assert doubt_of(cut, [], 20) == reason


def test_a_walk_that_stopped_on_purpose_was_not_cut_off() -> None:
    stopped = crawl(7, seen=100, total=5000, is_full=False, stop_at=at(7))
    assert doubt_of(stopped, [], 20) is None


@pytest.fixture
def thirty(sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]) -> Sandbox:
    """Thirty leads, all landed in a first night."""
    put_leads(sandbox, "vorel", 30, at(1))
    pull(settings, accounts["vorel"], days(1))
    return sandbox


def test_an_empty_list_makes_nobody_missing_and_proves_nothing(
    thirty: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    for lead in list(thirty.vorel.store):
        thirty.vorel.store.delete(lead["id"])
    with pytest.raises(DoubtfulCrawl, match=r"0 records came, and the list of .* had 30"):
        pull(settings, accounts["vorel"], days(2))
    coverage = coverage_of("vorel", "vorel", proven_windows(commits(settings, "vorel")))
    assert coverage.complete_through == days(1).end
    assert len(loaded_leads(settings)) == 30
    assert {row["missing_since"] for row in table(settings, "leads")} == {None}


def test_what_came_of_a_doubtful_list_has_landed(
    thirty: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    for lead in list(thirty.vorel.store):
        thirty.vorel.store.delete(lead["id"])
    put_leads(thirty, "vorel", 2, at(2, 9), first=500)
    with pytest.raises(DoubtfulCrawl):
        pull(settings, accounts["vorel"], days(2))
    assert len(landed_ids(settings, "vorel")) == 32


def test_a_doubtful_list_that_is_meant_can_be_accepted(
    thirty: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    for lead in list(thirty.vorel.store)[1:]:
        thirty.vorel.store.delete(lead["id"])
    commit = pull(settings, accounts["vorel"], days(2), accept_doubtful=True)
    assert (commit.complete, commit.doubt) == (True, None)
    loaded_leads(settings)
    missing = [row for row in table(settings, "leads") if row["missing_since"] is not None]
    assert len(missing) == 29


def test_a_list_with_a_record_that_names_nobody_shows_no_absence(
    thirty: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    """One of the leads may be the one without an id."""
    gone = next(iter(thirty.vorel.store))
    nobody = {**gone, "id": "x" * 600}
    thirty.vorel.store.delete(gone["id"])
    thirty.vorel.store.put(nobody)
    commit = pull(settings, accounts["vorel"], days(2))
    assert (commit.complete, commit.unidentified) == (True, 1)
    assert [row["reason"] for row in rejected(settings, "vorel")]
    loaded_leads(settings)
    assert {row["missing_since"] for row in table(settings, "leads")} == {None}


@pytest.mark.long
def test_the_command_fails_with_the_figures_and_the_way_to_accept_them(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    put_leads(sandbox, "vorel", 30, at(1))
    variables = {k: v for k, v in sandbox.environment().items() if k.startswith("VOREL")}
    home = environment(tmp_path / "home", variables)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [COMMAND, "run", "--from", "2026-01-20", "--to", "2026-01-21", *arguments],
            cwd=tmp_path,
            env=home,
            capture_output=True,
            text=True,
            check=False,
        )

    settings, account = settings_in(tmp_path / "home"), account_of(sandbox, "vorel")
    pull(settings, account, days(1, 20))
    for lead in list(sandbox.vorel.store):
        sandbox.vorel.store.delete(lead["id"])
    refused = run()
    assert refused.returncode == 1
    today = datetime.now(UTC).date()
    assert f"0 records came, and the list of {today} had 30" in refused.stderr.splitlines()[-1]
    assert "--accept-doubtful" in refused.stderr.splitlines()[-1]
    assert run("--accept-doubtful").returncode == 0
    with duckdb.connect(str(tmp_path / "home/bi/leads.duckdb"), read_only=True) as file:
        query = "select count(*), count(missing_since) from normalized.leads"
        assert file.execute(query).fetchone() == (30, 30)
