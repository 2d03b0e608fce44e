"""Which day `run` begins with: the first that the account's crawls do not prove."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from lead_pipeline.landing.check import check_account
from lead_pipeline.landing.coverage import AccountCoverage
from lead_pipeline.landing.gaps import first_open_day, open_from
from lead_pipeline.landing.status import account_statuses
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import mega_lead
from lead_pipeline.windows import UpdatedWindow, day_start
from lead_pipeline_tests.commands import environment, lead_pipeline
from lead_pipeline_tests.pulling import account_of, at, days, pull, settings_in

START = date(2026, 1, 1)
YESTERDAY = date(2026, 1, 20)


@pytest.mark.parametrize(
    ("complete_from", "complete_through", "expected"),
    [
        pytest.param(None, None, START, id="a new account"),
        pytest.param(None, at(21), None, id="nothing is open"),
        pytest.param(None, at(20), YESTERDAY, id="one night"),
        pytest.param(None, at(17), date(2026, 1, 17), id="three nights were missed"),
        pytest.param(None, at(21, 12), None, id="today is known in part"),
        pytest.param(None, at(17, 12), date(2026, 1, 17), id="a day is known in part"),
        pytest.param(at(15), at(21), START, id="older days were never asked for"),
        pytest.param(at(1), at(21), None, id="asked for since the first partition"),
        pytest.param(None, datetime(2025, 6, 1, tzinfo=UTC), START, id="before all partitions"),
    ],
)
def test_the_first_open_day(
    complete_from: datetime | None, complete_through: datetime | None, expected: date | None
) -> None:
    coverage = AccountCoverage("mega", "mega", complete_from, complete_through)
    assert first_open_day(coverage, START, YESTERDAY) == expected


@pytest.mark.long
def test_missed_nights_come_with_the_next_run_and_status_names_them(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)

    def ago(number: int) -> datetime:
        return today - timedelta(days=number)

    store = sandbox.mega.store
    for number in range(3):
        store.put(mega_lead(number, ago(9), ago(9)))
    variables = {k: v for k, v in sandbox.environment().items() if k.startswith("MEGA")}
    home = environment(
        tmp_path / "home", {**variables, "LEAD_PIPELINE_START_DATE": f"{ago(9):%Y-%m-%d}"}
    )
    settings = settings_in(tmp_path / "home", start_date=ago(9).date())
    window = UpdatedWindow(None, day_start(ago(5).date()))
    pull(settings, account_of(sandbox, "mega"), window)
    for number, moment in enumerate((ago(5), ago(3), ago(1))):
        store.put(mega_lead(number, ago(9), moment, score=99))
    status = lead_pipeline(tmp_path, home, "status")
    assert f"lead-pipeline run --account mega --from {ago(5):%Y-%m-%d}" in status.output
    ran = lead_pipeline(tmp_path, home, "run")
    assert (ran.status, f"asks for all days from {ago(5):%Y-%m-%d}" in ran.output) == (0, True)
    with duckdb.connect(str(tmp_path / "home/bi/leads.duckdb"), read_only=True) as file:
        query = "select count(*) from normalized.leads where score = 99"
        assert file.execute(query).fetchone() == (3,)
    assert [item.open_from for item in account_statuses(settings)] == [None]


def test_check_tells_the_cost_of_the_days_that_run_would_ask_for(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Of this account, only days were asked for that are not the first."""
    settings, account = settings_in(tmp_path / "home"), account_of(sandbox, "mega")
    pull(settings, account, days(15, 20))
    next_run = check_account(settings, account, print).next_backfill
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert next_run is not None
    assert (next_run.first, next_run.first) == (START, open_from(settings, account, yesterday))
