"""The fourth provider from its API to the marts, with the commands that people type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lead_pipeline_tests.commands import Ran, environment, lead_pipeline, lead_pipeline_here
from lead_pipeline_tests.fourth_provider.imitation import DealsImitation, deal, moved
from lead_pipeline_tests.pulling import at

WON = "deals:1000001"


@dataclass(frozen=True)
class Installation:
    """An installation with the fourth provider, and one night behind it."""

    folder: Path
    variables: dict[str, str]

    def run(self, *arguments: str) -> str:
        """What a command says; it must succeed."""
        return _output_of(lead_pipeline(self.folder, self.variables, *arguments))

    def look(self, *arguments: str) -> str:
        """The same in this process, into which the provider must be installed."""
        return _output_of(lead_pipeline_here(self.folder, self.variables, *arguments))

    def query(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        """Rows of the published file."""
        file = Path(self.variables["LEAD_PIPELINE_HOME"]) / "bi" / "leads.duckdb"
        with duckdb.connect(str(file), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql, parameters).fetchall()


def _output_of(ran: Ran) -> str:
    assert ran.status == 0, ran.errors
    return ran.output


@pytest.fixture(scope="module")
def installation(
    deals_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Six deals: five new ones, and one that went through all stages."""
    folder = tmp_path_factory.mktemp("deals")
    with DealsImitation.start() as api:
        api.put_many(5, at(5), first=100)
        won = moved(deal(1, at(2, 9)), at(4, 10), stage="demo_done", stage_label="Demo done")
        won = moved(won, at(6, 8), status="won", last_contact=1767686400000)
        api.server.store.put_deal(won)
        variables = {**api.variables(), "PYTHONPATH": str(deals_folder)}
        made = Installation(folder, environment(folder / "home", variables))
        made.run("run", "--from", "2026-01-01")
        yield made


def test_leads_are_published_with_the_columns_that_the_mapping_makes(
    installation: Installation,
) -> None:
    [row] = installation.query(
        "select provider, account, lead_id, full_name, phone_e164, provider_status, "
        "provider_stage, stage, score, owner_id, budget_range, last_interaction_at::varchar, "
        "created_at::varchar from normalized.leads where lead_key = ?",
        WON,
    )
    assert row == (
        *("deals", "deals", "1000001", "Dana Reed 1", "+12065550123", "won", "demo_done", "won"),
        *(0.25, "7", "10-20k", "2026-01-06 08:00:00+00", "2026-01-02 09:00:00+00"),
    )


def test_history_inside_the_record_is_exact(installation: Installation) -> None:
    rows = installation.query(
        "select stage_number, stage, provider_status, provider_stage, entered_at::varchar, "
        "evidence from normalized.lead_stage_history where lead_key = ? order by 1",
        WON,
    )
    assert rows == [
        (1, "new", "open", "incoming", "2026-01-02 09:00:00+00", "audit_log"),
        (2, "qualified", "open", "demo_done", "2026-01-04 10:00:00+00", "audit_log"),
        (3, "won", "won", "demo_done", "2026-01-06 08:00:00+00", "audit_log"),
    ]


def test_leads_show_in_the_marts(installation: Installation) -> None:
    leads = installation.query(
        "select stage, count(*) from marts.lead_facts group by all order by all"
    )
    funnel = installation.query(
        "select stage, sum(leads_entered)::bigint from marts.stage_funnel_daily "
        "where provider = 'deals' group by all order by all"
    )
    assert leads == [("new", 5), ("won", 1)]
    assert {stage: count for stage, count in funnel if count} == {
        "new": 6,
        "qualified": 1,
        "won": 1,
    }


def test_nothing_that_the_api_serves_is_drift(installation: Installation) -> None:
    home = Path(installation.variables["LEAD_PIPELINE_HOME"])
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("from normalized.contract_drift").fetchall() == []


@pytest.mark.usefixtures("deals_installed")
def test_commands_know_the_account(installation: Installation) -> None:
    assert "deals (deals, http://127.0.0.1:" in installation.look("check")
    assert "deals/deals" in installation.look("status")
    assert "provider_status: open → won" not in installation.look("explain", "deals:1000100")
    assert "equal" in installation.look("verify")


def test_files_land_below_the_names_that_the_provider_declares(installation: Installation) -> None:
    landing = Path(installation.variables["LEAD_PIPELINE_HOME"]) / "landing"
    days = {path.name for path in (landing / "deals" / "deals").iterdir()}
    assert days == {"date=2026-01-05", "date=2026-01-06"}
