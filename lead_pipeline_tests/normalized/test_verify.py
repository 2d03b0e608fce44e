"""`verify` finds every row that is not what landing says, and says which."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace

import duckdb
import pytest

from lead_pipeline.errors import LoadError
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.verify import KEYS, TableComparison, verify
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import Ran, environment, lead_pipeline
from lead_pipeline_tests.normalized.landings import Landing, all_tables
from lead_pipeline_tests.normalized.test_stage_history import event
from lead_pipeline_tests.pulling import at, settings_in

NO_VERSION_OF_ITS_OWN = {
    "normalized.loaded_files",
    "normalized.fingerprint",
    "normalized.stages",
    "normalized.canonical_stages",
}
"""Ledger of the load itself, and what the tables were built with."""


@pytest.fixture
def landing(loaded: Landing, settings: Settings) -> Landing:
    """A copy of `loaded`, which the test may change."""
    shutil.copytree(loaded.settings.home, settings.home)
    return replace(loaded, settings=settings)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    """Leads of each kind, loaded in two steps, one in the same state in both, one in a file alone."""
    settings = settings_in(tmp_path_factory.mktemp("loaded") / "home")
    landing = Landing(settings)
    landing.leads("mega", mega_lead(1, colour="red"), mega_lead(2))
    landing.leads("vorel", vorel_lead(1))
    landing.leads("expert_ai_labs", event(1, at(3), "new", "won"), stream="lead_events")
    load_landing(settings)
    crawl = landing.leads("mega", mega_lead(1, at(1), at(2), score=99))
    landing.search(crawl, lead_id(2))
    landing.leads("expert_ai_labs", expert_ai_labs_lead(1, at(1), at(3), pipeline_stage="won"))
    landing.leads("vorel", vorel_lead(1), is_full=True)
    landing.leads("vorel", vorel_lead(1), stream="stale_leads")
    load_landing(settings)
    return landing


def change(settings: Settings, statement: str) -> None:
    with closing(duckdb.connect(str(settings.warehouse_path))) as connection:
        connection.execute(statement)


def differing(comparisons: list[TableComparison]) -> dict[str, list[tuple[str, str]]]:
    return {
        comparison.table: [(d.key, d.columns) for d in comparison.first_differences]
        for comparison in comparisons
        if not comparison.is_equal
    }


def test_tables_that_only_loads_have_written_are_what_landing_says(landing: Landing) -> None:
    assert differing(verify(landing.settings)) == {}


def test_every_table_that_follows_from_landing_is_compared(landing: Landing) -> None:
    compared = {f"normalized.{table}" for table in KEYS}
    tables = {f"normalized.{name}" for name in all_tables(landing.settings)}
    assert tables - compared == NO_VERSION_OF_ITS_OWN


def test_no_compared_table_is_empty_in_these_tests(landing: Landing) -> None:
    tables = all_tables(landing.settings)
    assert [name for name in KEYS if not tables[name]] == []


def test_a_changed_value_is_named_by_key_and_column(landing: Landing) -> None:
    change(landing.settings, "update normalized.leads set score = 1 where lead_key like 'mega:%1'")
    assert differing(verify(landing.settings)) == {"leads": [(f"mega:{lead_id(1)}", "score")]}


def test_a_lost_row_is_named(landing: Landing) -> None:
    change(landing.settings, "delete from normalized.lead_stage_history where account = 'vorel'")
    assert differing(verify(landing.settings)) == {
        "lead_stage_history": [(f"vorel:{lead_id(1)} / 1", "only in the rebuild")]
    }


def test_an_added_row_is_named(landing: Landing) -> None:
    change(
        landing.settings,
        "insert into normalized.lead_stage_events values ('k', 'e', '2026-01-01', 'stage', 'a', 'b', false)",
    )
    assert differing(verify(landing.settings)) == {
        "lead_stage_events": [("k / e / stage", "only in the live table")]
    }


def test_a_row_that_stands_twice_is_a_difference(landing: Landing) -> None:
    change(
        landing.settings,
        "insert into normalized.leads from normalized.leads where account = 'vorel'",
    )
    assert "leads" in differing(verify(landing.settings))


def test_what_has_landed_since_the_last_load_is_no_difference(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(2))
    assert differing(verify(landing.settings)) == {}


def test_the_scratch_file_is_removed_again(landing: Landing) -> None:
    verify(landing.settings)
    assert not landing.settings.scratch_warehouse_path.exists()


def test_a_warehouse_made_of_other_inputs_is_not_compared(landing: Landing) -> None:
    with pytest.raises(LoadError, match="lead-pipeline rebuild"):
        verify(settings_in(landing.settings.home, phone_region="GB"))


def test_without_a_warehouse_there_is_nothing_to_verify(settings: Settings) -> None:
    with pytest.raises(LoadError, match="no warehouse"):
        verify(settings)


def run_verify(settings: Settings) -> Ran:
    return lead_pipeline(settings.home, environment(settings.home), "verify")


@pytest.mark.long
def test_the_command_succeeds_on_equal_tables(landing: Landing) -> None:
    result = run_verify(landing.settings)
    assert (result.status, "All tables are what landing says." in result.output) == (0, True)


def test_the_command_fails_and_names_what_differs(landing: Landing) -> None:
    change(landing.settings, "update normalized.leads set score = 1 where account = 'mega'")
    result = run_verify(landing.settings)
    assert (result.status, f"mega:{lead_id(1)}: score" in result.output) == (1, True)
    assert "leads differ" in result.last_line
    assert "lead-pipeline rebuild" in result.last_line


def test_no_value_of_a_lead_is_shown(landing: Landing) -> None:
    change(landing.settings, "update normalized.leads set email = 'x@y.z' where account = 'mega'")
    result = run_verify(landing.settings)
    assert "x@y.z" not in result.output + result.errors
    assert "jane1@example.com" not in result.output + result.errors
