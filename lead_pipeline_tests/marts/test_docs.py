"""docs/marts.md and the project's own conventions, held against the manifest."""

from __future__ import annotations

import re
import runpy
from collections.abc import Mapping
from typing import Any

import pytest

from lead_pipeline.bi import dbt_project

DOCS = dbt_project.PROJECT_DIR.parent / "docs"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return dbt_project.load_manifest()


def models(manifest: Mapping[str, Any], *layers: str) -> dict[str, Any]:
    return {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] in layers
    }


def test_page_of_marts_is_the_one_that_the_yaml_gives(manifest: dict[str, Any]) -> None:
    render = runpy.run_path(str(DOCS / "write_marts.py"))["render"]
    assert DOCS.joinpath("marts.md").read_text("utf-8") == render(manifest), "run `make docs`"


def test_dbts_column_texts_are_those_of_the_normalized_tables() -> None:
    page = runpy.run_path(str(DOCS / "write_columns.py"))
    assert page["PAGE"].read_text("utf-8") == page["render"](), "run `make docs`"


def test_what_readers_get_has_contracts_descriptions_and_a_grain(manifest: dict[str, Any]) -> None:
    for name, model in models(manifest, "marts", "meta").items():
        assert model["config"]["contract"]["enforced"], name
        assert model["description"].startswith("One row per "), name
        for column, facts in model["columns"].items():
            assert facts["description"], f"{name}.{column}"
            assert facts["data_type"], f"{name}.{column}"


def test_every_mart_has_a_unit_test(
    manifest: dict[str, Any],
) -> None:
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    assert models(manifest, "marts").keys() - tested == set()


def test_every_mart_reaches_the_published_file_in_the_exposure(manifest: dict[str, Any]) -> None:
    exposure = manifest["exposures"]["exposure.lead_pipeline.published_file"]
    marts = {model["unique_id"] for model in models(manifest, "marts").values()}
    assert set(exposure["depends_on"]["nodes"]) == marts


def test_exposures_of_the_pages_name_the_marts_that_their_queries_read(
    manifest: dict[str, Any],
) -> None:
    read: dict[str, set[str]] = {"report": set(), "explore": set()}
    for path in (DOCS.parent / "lead_pipeline/report/sql").glob("*.sql"):
        page = "explore" if path.name.startswith("explore") else "report"
        read[page] |= set(re.findall(r"\bmarts\.(\w+)", path.read_text("utf-8")))
    for page, marts in read.items():
        exposure = manifest["exposures"][f"exposure.lead_pipeline.{page}"]
        assert set(exposure["depends_on"]["nodes"]) == {
            f"model.lead_pipeline.{name}" for name in marts
        }


def test_readers_may_build_on_marts_and_on_nothing_else(manifest: dict[str, Any]) -> None:
    access = {
        layer: {model["config"]["access"] for model in models(manifest, layer).values()}
        for layer in ("marts", "intermediate", "staging")
    }
    assert access == {"marts": {"public"}, "intermediate": {"protected"}, "staging": {"protected"}}
    groups = {model["group"] for model in models(manifest, *access).values()}
    assert groups == {name["name"] for name in manifest["groups"].values()}


def test_nobody_is_invented_as_an_owner(manifest: dict[str, Any]) -> None:
    kinds = (*manifest["groups"].values(), *manifest["exposures"].values())
    assert {found["owner"]["email"] for found in kinds} == {None}


def test_singular_tests_say_what_a_returned_row_means() -> None:
    for path in (dbt_project.PROJECT_DIR / "tests").glob("*.sql"):
        assert path.read_text("utf-8").startswith("-- Each returned row is "), path.name
