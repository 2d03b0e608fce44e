"""What was found of columns is found again from the same SQL, and from no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.bi import column_lineage as module
from lead_pipeline.bi.column_lineage import column_lineage

LEADS = ("normalized", "leads")
COLUMNS = {LEADS: {"lead_key": "VARCHAR", "email": "VARCHAR", "phone": "VARCHAR"}}


def manifest(folder: Path, sql: str) -> dict[str, Any]:
    """A project of one model, compiled below `folder`."""
    path = folder / "compiled" / "project" / "models" / "people.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sql)
    node = {
        "resource_type": "model",
        "package_name": "project",
        "original_file_path": "models/people.sql",
        "depends_on": {"nodes": ["source.project.leads"]},
    }
    source = {"schema": LEADS[0], "name": LEADS[1]}
    return {"nodes": {"model.project.people": node}, "sources": {"source.project.leads": source}}


@pytest.fixture
def kept_in(tmp_path: Path) -> Path:
    """Where it is kept."""
    return tmp_path / "kept" / "column_lineage.json"


def parents(folder: Path, sql: str) -> list[str]:
    """The columns that `contact` is made of."""
    found = column_lineage(manifest(folder, sql), folder, COLUMNS, folder / "kept")
    return [name for _, name in found["model.project.people"]["contact"]]


def test_other_sql_has_its_own_lineage_whatever_was_found_before(tmp_path: Path) -> None:
    query = "select {} as contact from leads.normalized.leads"
    for _ in range(2):
        assert parents(tmp_path, query.format("email")) == ["email"]
        assert parents(tmp_path, query.format("coalesce(email, phone)")) == ["email", "phone"]


def test_same_sql_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "select email as contact from leads.normalized.leads"
    assert parents(tmp_path, query) == ["email"]
    monkeypatch.setattr(module, "lineage", None)
    assert parents(tmp_path, query) == ["email"]


def test_other_columns_of_the_file_have_their_own_lineage(tmp_path: Path) -> None:
    query = "select email as contact from leads.normalized.leads"
    assert parents(tmp_path, query) == ["email"]
    without = {LEADS: {"lead_key": "VARCHAR"}}
    found = column_lineage(manifest(tmp_path, query), tmp_path, without, tmp_path / "kept")
    assert found["model.project.people"]["contact"] == []


def test_what_is_kept_and_cannot_be_read_counts_as_none(tmp_path: Path, kept_in: Path) -> None:
    query = "select email as contact from leads.normalized.leads"
    assert parents(tmp_path, query) == ["email"]
    kept_in.write_bytes(kept_in.read_bytes()[:-20])
    assert parents(tmp_path, query) == ["email"]
