"""What a lead is worth and why it was lost: custom fields that the settings name."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline.bi.masking import Mask
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.building import rows_of, run_dbt
from lead_pipeline_tests.sample_builds import MASK
from lead_pipeline_tests.sample_warehouse import SampleLead, write_warehouse

LEADS = (
    SampleLead("1", ((1, "lost", "lost"),)),
    SampleLead("2", ((1, "won", "won"),)),
    SampleLead("3", ((1, "new", "new"),)),
    SampleLead("4", ((1, "lost", "lost"),)),
)
FIELDS = {
    "1": '{"deal value, net": 1200.5, "why. lost": "too dear"}',
    "2": '{"deal value, net": "800", "why. lost": "of an earlier loss"}',
    "3": '{"deal value, net": "about 7 k"}',
}


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_VALUE_FIELD", "deal value, net")
    monkeypatch.setenv("LEAD_PIPELINE_LOSS_REASON_FIELD", "why. lost")


def facts(folder: Path, mask: Mask | None = None) -> dict[str, tuple[object, object]]:
    """Value and reason by lead_id, in a build of the leads above."""
    warehouse = write_warehouse(folder / "warehouse.duckdb", LEADS)
    with closing(connect_utc(warehouse)) as connection:
        connection.execute("update normalized.leads set custom_fields = null")
        for lead_id, fields in FIELDS.items():
            connection.execute(
                "update normalized.leads set custom_fields = $1 where lead_id = $2",
                [fields, lead_id],
            )
    candidate = folder / "leads.duckdb"
    prepare_candidate(warehouse, candidate, mask)
    tables = ("--resource-type", "model", "--resource-type", "seed")
    run_dbt(folder / "target", candidate, "build", "--select", "+lead_facts", *tables)
    return {
        row["lead_id"]: (row["pipeline_value"], row["loss_reason"])
        for row in rows_of(candidate, "marts.lead_facts")
    }


def test_value_is_a_number_or_null_and_the_reason_that_of_the_present_loss(tmp_path: Path) -> None:
    assert facts(tmp_path) == {
        "1": (1200.5, "too dear"),
        "2": (800.0, None),
        "3": (None, None),
        "4": (None, None),
    }


def test_masked_files_hold_neither(tmp_path: Path) -> None:
    assert set(facts(tmp_path, MASK).values()) == {(None, None)}


def test_without_names_both_are_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEAD_PIPELINE_VALUE_FIELD")
    monkeypatch.delenv("LEAD_PIPELINE_LOSS_REASON_FIELD")
    assert set(facts(tmp_path).values()) == {(None, None)}
