"""Rows of a `stages.csv` of one's own, from the landed lead to every mart and the report.

docs/marts.md: a lead is open when it is not missing and its row does not say that it is terminal;
a row's order can place a stage further along the path, and decides the order of the report.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.bi.candidate import mark_tested, prepare_candidate
from lead_pipeline.bi.publish import publish
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.report.published_file import Row, opened
from lead_pipeline.sandbox.examples import vorel_lead
from lead_pipeline_tests.marts.building import rows_of, run_dbt
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.pulling import at, settings_in

STAGES_CSV = """account,provider,field,value,stage,stage_order,is_terminal
,vorel,stage,Winterschlaf,nurture,,TRUE
,vorel,stage,Angezahlt,won,0,false
,vorel,stage,Besichtigt,qualified,4,
,vorel,stage,new,new,,true
vorel_eu,vorel,stage,new,new,,
"""
SERVED = {
    1: "WINTERSCHLAF",
    2: "angezahlt",
    3: "besichtigt",
    4: "new",
    5: "lost",
    6: "???",
}
"""Stage by number of the lead; all were last updated on 5 January, in both accounts.

The last one is missing in `vorel_eu`: the newest whole list does not have it.
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own_stages")
    settings = settings_in(folder / "home")
    settings.home.mkdir()
    (settings.home / "stages.csv").write_text(STAGES_CSV, "utf-8")
    landing = Landing(settings)
    leads = [
        vorel_lead(number, at(2), at(5), status=stage, source=f"source {number}")
        for number, stage in SERVED.items()
    ]
    for account in ("vorel", "vorel_eu"):
        # Both are watched before any lead is created.
        landing.leads("vorel", account=account, is_full=True, at=at(1))
        landing.leads("vorel", *leads, account=account, is_full=True)
    landing.leads("vorel", *leads[:-1], account="vorel_eu", is_full=True)
    load_landing(settings)
    candidate = folder / ".candidate" / "leads.duckdb"
    prepare_candidate(settings.warehouse_path, candidate)
    run_dbt(folder / "target", candidate, "build", "--exclude", "test_type:unit")
    mark_tested(candidate, run_id="run", tests_passed=1)
    publish(candidate, folder / "leads.duckdb", run_id="run")
    return folder / "leads.duckdb"


@pytest.fixture(scope="module")
def shown(published: Path) -> list[Row]:
    """Rows of the report: open leads by account and stage."""
    with opened(published) as file:
        return file.rows("stages")


def said(published: Path, mart: str, column: str, account: str = "vorel") -> dict[str, Any]:
    """The column by provider's stage."""
    leads = {row["lead_key"]: row for row in rows_of(published, "marts.lead_facts")}
    return {
        leads[row["lead_key"]]["provider_stage"]: row[column]
        for row in rows_of(published, f"marts.{mart}")
        if row["account"] == account
    }


def test_the_row_that_counts_says_whether_a_lead_is_open(published: Path) -> None:
    assert said(published, "leads", "is_open") == {
        "WINTERSCHLAF": False,
        "angezahlt": True,
        "besichtigt": True,
        "new": False,
        "lost": False,
        "???": True,
    }


def test_a_row_of_the_account_counts_before_that_of_the_provider(published: Path) -> None:
    assert said(published, "leads", "is_open", "vorel_eu")["new"]


def test_a_missing_lead_is_not_open(published: Path) -> None:
    assert not said(published, "leads", "is_open", "vorel_eu")["???"]


def test_only_open_leads_are_stale(published: Path) -> None:
    assert said(published, "stale_leads", "is_open").keys() == {"angezahlt", "besichtigt", "???"}


def test_only_open_leads_have_open_breaches(published: Path) -> None:
    breaches = {
        account: said(published, "sla_breaches", "is_open", account)
        for account in ("vorel", "vorel_eu")
    }
    assert {account: rows["new"] for account, rows in breaches.items()} == {
        "vorel": False,
        "vorel_eu": True,
    }


def test_counts_of_open_leads_are_those_of_leads(published: Path, shown: list[Row]) -> None:
    leads = sum(row["is_open"] for row in rows_of(published, "marts.lead_facts"))
    counted = {
        mart: sum(row["leads_open"] for row in rows_of(published, f"marts.{mart}"))
        for mart in ("source_performance", "owner_performance")
    }
    assert (counted, sum(row.open for row in shown)) == (
        {"source_performance": leads, "owner_performance": leads},
        leads,
    )
    assert leads == 6


def test_an_order_places_a_stage_further_along_the_path_and_never_back(published: Path) -> None:
    reached = {
        row["source"]: (row["reached_qualified"], row["reached_booked"], row["reached_won"])
        for row in rows_of(published, "marts.source_performance")
    }
    assert (reached["source 3"], reached["source 2"]) == ((2, 2, 0), (2, 2, 2))


def test_stages_have_the_place_that_their_rows_give_them(published: Path) -> None:
    places = {
        row["stage"]: row["place"]
        for row in rows_of(published, "marts.stages")
        if row["account"] == "vorel"
    }
    assert sorted(places, key=places.__getitem__)[:4] == ["won", "new", "engaged", "qualified"]


def test_the_report_shows_stages_in_the_order_of_the_mapping(shown: list[Row]) -> None:
    assert [row.stage for row in shown if row.account == "vorel"] == [
        "won",
        "qualified",
        "unmapped",
    ]
