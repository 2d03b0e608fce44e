"""What is told of own models that dbt has accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lead_pipeline.bi.dbt_project import DbtProject
from lead_pipeline.bi.own_nodes import are_about_own, deprecated_references, said_of_own

PROJECT = DbtProject(Path("/merged"), Path("/merged/target"), Path("/home/dbt"))


def node(name: str, path: str, *reads: str, kind: str = "model") -> dict[str, Any]:
    return {
        "name": name,
        "resource_type": kind,
        "schema": "marts",
        "original_file_path": path,
        # A seed depends on no nodes, and dbt has no list of them.
        "depends_on": {"nodes": list(reads)} if kind == "model" else {"macros": []},
    }


MANIFEST: dict[str, Any] = {
    "nodes": {
        "model.leads": node("leads", "models/marts/leads.sql"),
        "model.mine": node("mine", "models/own/mine.sql", "model.leads"),
        "model.stages": node("stages", "models/own/stages.sql"),
        "model.report": node("report", "models/marts/report.sql", "model.stages"),
        "seed.regions": node("regions", "seeds/own/regions.csv", kind="seed"),
    },
    "sources": {},
    "parent_map": {"model.mine": ["model.leads"], "model.report": ["model.stages"]},
}
GONE = {
    "schema_name": "marts",
    "table_name": "leads",
    "column_name": "",
    "replacement": "marts.lead_facts",
    "removed_in": "0.2.0",
}


def test_own_model_that_reads_what_will_go_is_told_with_what_to_read_instead() -> None:
    assert deprecated_references(PROJECT, MANIFEST, [GONE]) == [
        "/home/dbt/models/mine.sql reads marts.leads, which goes with version 0.2.0. "
        "Read marts.lead_facts."
    ]
    assert deprecated_references(PROJECT, MANIFEST, []) == []
    assert deprecated_references(PROJECT, MANIFEST, [{**GONE, "table_name": "people"}]) == []


def test_added_and_replaced_models_are_told_apart() -> None:
    assert said_of_own(PROJECT, MANIFEST) == (
        "Own models in /home/dbt: mine, regions; in place of ours: stages."
    )


def test_model_of_ours_that_reads_one_of_theirs_fails_about_theirs() -> None:
    assert are_about_own({"model.report"}, PROJECT, MANIFEST)
    assert are_about_own({"model.mine"}, PROJECT, MANIFEST)
    assert not are_about_own({"model.leads"}, PROJECT, MANIFEST)
