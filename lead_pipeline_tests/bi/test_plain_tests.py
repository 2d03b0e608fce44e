"""Tests that only count find what dbt's own materialization finds; others are left to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.artifacts.resources.types import NodeType
from dbt.task.build import BuildTask
from dbt.task.test import TestRunner as DbtRunner

from lead_pipeline.bi.dbt_project import PROJECT_DIR, RESULTS, DbtProject
from lead_pipeline.bi.parsed_dbt import run_dbt
from lead_pipeline.bi.plain_tests import PlainTestRunner

PROJECT = """
name: of_tests
version: "1.0"
profile: lead_pipeline
flags: {send_anonymous_usage_stats: false}
"""
MODEL = "select unnest([1, 2, 2, null]) as number"
SCHEMA = """
models:
  - name: numbers
    columns:
      - name: number
        data_tests:
          - unique
          - not_null: {config: {where: number is not null}}
          - accepted_values: {arguments: {values: [1], quote: false}}
"""
ROWS = "select number from {{ ref('numbers') }}"
TESTS = {
    "finds_nothing": f"{ROWS} where number > 9",
    "finds_some": ROWS,
    "only_warns": "{{ config(severity='warn') }}" + ROWS,
    "is_patient": "{{ config(error_if='>4', warn_if='>3') }}" + ROWS,
    "is_impatient": "{{ config(error_if='>3') }}" + ROWS,
    "adds_up": "{{ config(fail_calc='sum(number)') }}" + ROWS,
    "ends_in_a_comment": f"{ROWS} -- numbers",
    "is_limited": "{{ config(limit=1) }}" + ROWS,
    "is_stored": "{{ config(store_failures=true) }}" + ROWS,
    "cannot_be_run": "select no_such_column from {{ ref('numbers') }}",
}
OWN_COUNT = """
{% macro default__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) %}
    select 42 as failures, true as should_warn, true as should_error
{% endmacro %}
"""


@pytest.fixture
def project(tmp_path: Path) -> DbtProject:
    """A project with a test of each kind."""
    folder = tmp_path / "project"
    files = {
        "dbt_project.yml": PROJECT,
        "profiles.yml": (PROJECT_DIR / "profiles.yml").read_text("utf-8"),
        "models/numbers.sql": MODEL,
        "models/schema.yml": SCHEMA,
        **{f"tests/{name}.sql": sql for name, sql in TESTS.items()},
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return DbtProject(folder, folder / "target")


def results(project: DbtProject, runner: type[DbtRunner], candidate: Path) -> dict[str, Any]:
    """What dbt tells of each test, run by `runner`."""
    candidate.parent.mkdir()
    duckdb.connect(str(candidate)).close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lead_pipeline.bi.parsed_dbt.run_tests_plainly", lambda: None)
        patch.setitem(BuildTask.RUNNER_MAP, NodeType.Test, runner)
        run_dbt(("build",), candidate.parent, candidate, project=project)
    told = ("status", "failures", "message", "adapter_response", "compiled_code", "relation_name")
    ran = json.loads((candidate.parent / RESULTS).read_bytes())["results"]
    return {
        result["unique_id"].split(".")[2]: {name: result[name] for name in told}
        for result in ran
        if result["unique_id"].startswith("test.")
    }


def test_what_is_found_is_what_dbt_finds(project: DbtProject, tmp_path: Path) -> None:
    by_us = results(project, PlainTestRunner, tmp_path / "us" / "leads.duckdb")
    by_dbt = results(project, DbtRunner, tmp_path / "dbt" / "leads.duckdb")

    # dbt counts lines from above the test.
    assert by_us["cannot_be_run"]["message"].endswith(", line 1 of the statement")
    for found in (by_us, by_dbt):
        message = found["cannot_be_run"].pop("message")
        assert 'Referenced column "no_such_column" not found' in message
    assert by_us == by_dbt
    assert {name: by_us[name]["status"] for name in TESTS} == {
        "finds_nothing": "pass",
        "finds_some": "fail",
        "only_warns": "warn",
        "is_patient": "warn",
        "is_impatient": "fail",
        "adds_up": "fail",
        "ends_in_a_comment": "fail",
        "is_limited": "fail",
        "is_stored": "fail",
        "cannot_be_run": "error",
    }
    assert {name: by_us[name]["failures"] for name in ("finds_some", "adds_up", "is_limited")} == {
        "finds_some": 4,
        "adds_up": 5,
        "is_limited": 1,
    }


def test_a_project_that_counts_otherwise_is_left_to_dbt(
    project: DbtProject, tmp_path: Path
) -> None:
    macros = project.folder / "macros"
    macros.mkdir()
    macros.joinpath("own_count.sql").write_text(OWN_COUNT)

    found = results(project, PlainTestRunner, tmp_path / "us" / "leads.duckdb")

    assert found["finds_nothing"]["failures"] == 42
