"""Businesses that go quiet, of which the truth is known: it stands in `TRUTH`, written by hand.

docs/marts.md: everything is measured to the end of the account's data, the time through which its
crawls prove all updates, whether or not they met a lead, or a newer change that has landed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline.normalized.load import load_landing
from lead_pipeline_tests.marts.building import rows_of, run_dbt
from lead_pipeline_tests.marts.quiet_businesses import AT_NIGHT, Business
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.pulling import MAKE_LEAD, at, settings_in

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Truth:
    """What is true of the lead at the end of the account's data."""

    data_until: datetime
    last_day: date
    days_quiet: int
    hours_in_stage: float


TRUTH = {
    # Twenty-nine nights without any change: 2 January 10:00 to 1 February 00:00.
    "mega": Truth(FEBRUARY, date(2026, 1, 31), 29, 710),
    "expert_ai_labs": Truth(FEBRUARY, date(2026, 1, 31), 29, 710),
    "vorel": Truth(FEBRUARY, date(2026, 1, 31), 29, 710),
    # Nobody asked for 10 January, so a change on that day would not be here.
    "gap": Truth(at(10), date(2026, 1, 9), 7, 182),
    # The same, but another lead changed on 20 January at 09:00.
    "gap_then_change": Truth(at(20, 9), date(2026, 1, 20), 17, 431),
    # The crawls of 22 to 31 January broke off.
    "incomplete": Truth(at(22), date(2026, 1, 21), 19, 470),
    # The newest crawl was at noon of 16 January, for that whole day.
    "noon": Truth(at(16, 12), date(2026, 1, 16), 14, 338),
    # The same with an audit log, which was asked at noon; leads that it names a minute later.
    "noon_by_audit_log": Truth(at(16, 12), date(2026, 1, 16), 14, 338),
    # Another lead claims since 5 January that it was updated in 2099.
    "wrong_time": Truth(FEBRUARY, date(2026, 1, 31), 29, 710),
}


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All marts of all businesses, with every test of theirs passed."""
    folder = tmp_path_factory.mktemp("quiet")
    settings = settings_in(folder / "home")
    landing = Landing(settings)
    for provider in MAKE_LEAD:
        Business(landing, provider, provider).land()
    Business(landing, "gap", "mega", left_out=[10]).land()
    changed = MAKE_LEAD["mega"](2, at(2, 11), updated_at=at(20, 9))
    Business(landing, "gap_then_change", "mega", left_out=[10], brought={20: [changed]}).land()
    Business(landing, "incomplete", "mega", incomplete=range(22, 32)).land()
    Business(landing, "noon", "mega", last_day=15).land().crawl(16, at(16, 12))
    by_audit_log = Business(landing, "noon_by_audit_log", "expert_ai_labs", last_day=15)
    by_audit_log.land().crawl(16, at(16, 12))
    other = MAKE_LEAD["mega"](2, at(4, 10))
    wrong = MAKE_LEAD["mega"](2, at(4, 10), updated_at=datetime(2099, 1, 1, tzinfo=UTC))
    # Asked for what changed since a day, MEGA brings it every night.
    brought = {4: [other]} | {day: [wrong] for day in range(5, 32)}
    Business(landing, "wrong_time", "mega", brought=brought).land()
    Business(landing, "vanished", "mega").land().crawl_everything(at(20) + AT_NIGHT)
    Business(landing, "nobody", "mega", has_leads=False).land()
    load_landing(settings)
    path = folder / "leads.duckdb"
    prepare_candidate(settings.warehouse_path, path)
    run_dbt(folder / "target", path, "build", "--exclude", "test_type:unit")
    return path


def rows_by_account(
    candidate: Path, table: str, number: int = 1
) -> Mapping[str, list[dict[str, Any]]]:
    """Rows of the lead with this number, by account."""
    found: dict[str, list[dict[str, Any]]] = {}
    lead_ids = {str(make(number)["id"]) for make in MAKE_LEAD.values()}
    for row in rows_of(candidate, table):
        if row["lead_id"] in lead_ids:
            found.setdefault(row["account"], []).append(row)
    return found


@pytest.mark.parametrize("account", TRUTH)
def test_a_lead_is_quiet_through_the_end_of_its_accounts_data(
    account: str, candidate: Path
) -> None:
    truth = TRUTH[account]
    stale = {key: rows[0] for key, rows in rows_by_account(candidate, "marts.stale_leads").items()}
    if truth.days_quiet < 14:
        assert account not in stale
    else:
        row = stale[account]
        assert (row["data_until"], row["days_quiet"]) == (truth.data_until, truth.days_quiet)


@pytest.mark.parametrize("account", TRUTH)
def test_a_stage_is_known_through_the_end_of_the_accounts_data(
    account: str, candidate: Path
) -> None:
    [row] = rows_by_account(candidate, "marts.lead_facts")[account]
    known = row["stage_known_until"], row["days_in_stage"]
    assert known == (TRUTH[account].data_until, TRUTH[account].days_quiet)


@pytest.mark.parametrize("account", TRUTH)
def test_daily_history_has_every_day_to_the_end_of_the_accounts_data(
    account: str, candidate: Path
) -> None:
    days = [
        row["date_day"] for row in rows_by_account(candidate, "marts.lead_daily_history")[account]
    ]
    last = TRUTH[account].last_day
    assert sorted(days) == [date(2026, 1, day) for day in range(2, last.day + 1)]


@pytest.mark.parametrize("account", TRUTH)
def test_time_over_a_limit_grows_through_quiet_nights(account: str, candidate: Path) -> None:
    """The limit for stage new is 48 hours."""
    [row] = rows_by_account(candidate, "marts.sla_breaches")[account]
    hours = TRUTH[account].hours_in_stage
    assert (row["hours_in_stage"], row["hours_over"], row["is_open"]) == (hours, hours - 48, True)


@pytest.mark.parametrize("account", ["mega", "expert_ai_labs", "vorel"])
def test_open_stays_grow_through_quiet_nights(account: str, candidate: Path) -> None:
    [row] = [row for row in rows_of(candidate, "marts.stage_velocity") if row["account"] == account]
    assert row["p50_open_days"] == pytest.approx(710 / 24)


def test_funnel_counts_quiet_leads_on_every_day_to_the_last_one(candidate: Path) -> None:
    counts = {
        row["date_day"]: row["leads_in_stage"]
        for row in rows_of(candidate, "marts.stage_funnel_daily")
        if row["account"] == "mega"
    }
    assert counts == {date(2026, 1, day): 1 for day in range(2, 32)}


def test_a_vanished_lead_is_known_to_its_last_sighting_and_gone_from_the_day_of_the_proof(
    candidate: Path,
) -> None:
    """The night of 3 January met it, the full crawl of 20 January did not."""
    [lead] = rows_by_account(candidate, "marts.lead_facts")["vanished"]
    assert (lead["stage_known_until"].date(), lead["days_in_stage"]) == (date(2026, 1, 3), 0)
    days = rows_by_account(candidate, "marts.lead_daily_history")["vanished"]
    assert {row["date_day"].day: row["is_missing"] for row in days} == {
        day: day >= 20 for day in range(2, 32)
    }
    assert "vanished" not in rows_by_account(candidate, "marts.stale_leads")


def test_an_account_without_leads_is_complete_and_has_no_figures(candidate: Path) -> None:
    [coverage] = [row for row in rows_of(candidate, "meta.coverage") if row["account"] == "nobody"]
    assert coverage["complete_through"] == FEBRUARY
    assert "nobody" not in {
        row["account"] for row in rows_of(candidate, "marts.stage_funnel_daily")
    }
