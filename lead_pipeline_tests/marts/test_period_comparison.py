"""Periods are compared like with like, whatever accounts there are and however far each reaches."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.building import BuiltWorld, rows_of, run_dbt

Rows = Mapping[tuple[str, str, str], dict[str, Any]]
"""By period, account and metric."""

DAYS = """
insert into marts.metrics_daily by name
select 'mega' as provider, 'web' as source, account || ':o' as owner_key, true as is_watched, true as is_whole,
    leads_created, leads_won, won_lower as leads_won_lower, won_upper as leads_won_upper,
    leads_lost, leads_lost as leads_lost_lower, leads_lost as leads_lost_upper, account, date_day
from (values
    -- Between two polls around the midnight of the 28th, a's can have been on either day.
    (date '2026-03-29', 'a', 1, 3, 2, 4, 1),
    (date '2026-03-28', 'a', 0, 2, 1, 3, 0),
    (date '2026-03-22', 'a', 2, 4, 4, 4, 4),
    (date '2026-02-10', 'a', 1, 6, 6, 6, 0),
    (date '2026-03-29', 'late', 1, 5, 5, 5, 0),
    (date '2026-03-20', 'late', 6, null, null, null, null),
    -- A day that has begun only.
    (date '2026-03-30', 'late', 9, 9, 9, 9, 9),
    (date '2026-02-03', 'gone', 7, 7, 7, 7, 0)
) as days (date_day, account, leads_created, leads_won, won_lower, won_upper, leads_lost)
"""
ACCOUNTS = """
insert into intermediate.int_account_horizons by name
select 'mega' as provider, account, first_watched_day, last_proven_day
from (values
    ('a', date '2026-01-02', date '2026-03-29'),
    -- Watched since a Monday.
    ('late', date '2026-03-23', date '2026-03-29'),
    -- Nobody has read it any more since.
    ('gone', date '2026-01-02', date '2026-02-10'),
    ('all', null, null)
) as accounts (account, first_watched_day, last_proven_day)
"""
COVERAGE = """
insert into meta.coverage (account, provider, complete_from)
values ('a', 'mega', null), ('late', 'mega', '2026-03-16 00:00:00+00'), ('gone', 'mega', null)
"""
TARGETS = """
insert into seeds.targets by name
select null as account, null as owner_id, 'leads_won' as metric, 'week' as period, date '2026-03-23' as starts_on, 20 as target
union all select 'a', null, 'leads_won', 'month', '2026-03-01', 30
union all select 'a', 'o', 'leads_won', 'week', '2026-03-23', 1
"""


@pytest.fixture(scope="module")
def rows(built_world: BuiltWorld, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("periods")
    return compared_in(folder, built_world.candidate, ACCOUNTS)


def compared_in(folder: Path, candidate: Path, accounts: str) -> Rows:
    """The rows that dbt makes of other days and accounts than those of the build."""
    path = folder / "leads.duckdb"
    shutil.copyfile(candidate, path)
    with closing(connect_utc(path)) as connection:
        _replace(connection, accounts)
    run_dbt(folder / "target", path, "run", "--select", "period_comparison")
    return {
        (row["period"], row["account"], row["metric"]): row
        for row in rows_of(path, "marts.period_comparison")
    }


def _replace(connection: duckdb.DuckDBPyConnection, accounts: str) -> None:
    for table in (
        "marts.metrics_daily",
        "intermediate.int_account_horizons",
        "meta.coverage",
        "seeds.targets",
    ):
        connection.execute(f"delete from {table}")  # noqa: S608
    for statement in (DAYS, accounts, COVERAGE, TARGETS):
        connection.execute(statement)


def test_yesterday_is_compared_with_the_day_before_within_bounds(rows: Rows) -> None:
    row = rows["day", "a", "leads_won"]
    assert (row["starts_on"], row["previous_starts_on"]) == (date(2026, 3, 29), date(2026, 3, 28))
    assert (row["value"], row["value_lower"], row["value_upper"]) == (3, 2, 4)
    assert (row["previous_value"], row["difference"], row["change_rate"]) == (2, 1, 0.5)
    # Not even whether it was more is known.
    assert (row["difference_lower"], row["difference_upper"]) == (-1, 3)


def test_a_win_rate_has_the_bounds_of_what_it_is_made_of(rows: Rows) -> None:
    row = rows["day", "a", "win_rate"]
    assert (row["value"], row["value_lower"], row["value_upper"]) == (3 / 4, 2 / 3, 4 / 5)
    assert row["previous_value"] == 1
    assert rows["day", "late", "win_rate"]["value"] == 1
    # Nothing was decided on the day before.
    assert rows["day", "late", "win_rate"]["previous_value"] is None


def test_a_week_is_a_whole_one_and_all_accounts_are_the_same_ones_in_both_periods(
    rows: Rows,
) -> None:
    late = rows["week", "late", "leads_won"]
    assert (late["starts_on"], late["ends_on"]) == (date(2026, 3, 23), date(2026, 3, 29))
    assert (late["value"], late["previous_value"]) == (5, None)
    assert late["previous_starts_on"] is None
    together = rows["week", "all", "leads_won"]
    assert (together["value"], together["previous_value"]) == (5, 4)
    assert (together["accounts_counted"], together["accounts_left_out"]) == (1, 2)
    on_a_day = rows["day", "all", "leads_won"]
    assert (on_a_day["value"], on_a_day["accounts_counted"]) == (8, 2)


def test_creations_are_known_without_watching_from_where_all_leads_are_here(rows: Rows) -> None:
    week = rows["week", "late", "leads_created"]
    assert (week["value"], week["previous_value"]) == (1, 6)
    assert rows["seven_days", "all", "leads_created"]["previous_value"] == 8
    assert rows["month_so_far", "late", "leads_created"]["value"] is None


def test_a_part_of_a_month_is_compared_with_as_many_days_or_not_at_all(rows: Rows) -> None:
    """February had no 29 days; c had ten of them when nobody read it any more."""
    march = rows["month_so_far", "a", "leads_won"]
    assert (march["starts_on"], march["days"], march["value"]) == (date(2026, 3, 1), 29, 9)
    assert (march["previous_value"], march["difference"], march["change_rate"]) == (None,) * 3
    gone = rows["month_so_far", "gone", "leads_won"]
    assert (gone["ends_on"], gone["value"]) == (date(2026, 2, 10), 7)
    assert (gone["previous_starts_on"], gone["previous_ends_on"]) == (None, None)
    assert rows["month", "a", "leads_won"]["ends_on"] == date(2026, 2, 28)
    assert rows["month", "a", "leads_won"]["value"] == 6


def test_what_is_only_known_of_a_part_of_a_period_has_no_value(rows: Rows) -> None:
    for metric in ("leads_won", "win_rate"):
        row = rows["month_so_far", "late", metric]
        assert (row["value"], row["value_lower"], row["value_upper"]) == (None, None, None)
        assert (row["accounts_counted"], row["accounts_left_out"]) == (0, 1)


def test_targets_of_all_and_of_an_account_stand_beside_what_they_are_of(rows: Rows) -> None:
    assert rows["week", "all", "leads_won"]["target"] == 20
    assert rows["week", "all", "leads_won"]["target_share"] == 0.25
    assert rows["week_so_far", "all", "leads_won"]["target"] == 20
    assert rows["month_so_far", "a", "leads_won"]["target_share"] == 0.3
    # That of an owner is not the account's.
    assert rows["week", "a", "leads_won"]["target"] is None


def test_an_account_may_be_called_all(built_world: BuiltWorld, tmp_path: Path) -> None:
    accounts = ACCOUNTS.replace(
        "('all', null, null)", "('all', date '2026-01-02', date '2026-03-29')"
    )
    path = tmp_path / "leads.duckdb"
    compared_in(tmp_path, built_world.candidate, accounts)
    kinds = [
        row["is_all_accounts"]
        for row in rows_of(path, "marts.period_comparison")
        if row["account"] == "all"
    ]
    assert sorted(set(kinds)) == [False, True]
    assert kinds.count(False) == kinds.count(True)


def test_without_an_account_whose_data_is_proven_there_is_nothing_to_compare(
    built_world: BuiltWorld, tmp_path: Path
) -> None:
    accounts = "insert into intermediate.int_account_horizons by name select 'a' as account, 'mega' as provider"
    assert compared_in(tmp_path, built_world.candidate, accounts) == {}
