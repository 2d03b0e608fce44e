"""docs/own_assets.md, as pasted: an asset of a user beside the pipeline's, and its test."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.pulling import at

PAGE = Path(__file__).parents[2] / "docs" / "own_assets.md"

# Dagster reads a property that it has deprecated, for resources in resources.
pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run")


@pytest.fixture
def pasted(tmp_path: Path) -> Path:
    """A folder with each Python file of the page, under the name that its first line says."""
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        name = re.match(r"# (\w+\.py)\n", block)
        assert name is not None
        tmp_path.joinpath(name[1]).write_text(block)
    return tmp_path


@pytest.fixture
def my_leads(pasted: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The page's module, imported where the environment's home is the one of `settings`."""
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(settings.home))
    monkeypatch.syspath_prepend(pasted)
    monkeypatch.delitem(sys.modules, "my_leads", raising=False)
    return importlib.import_module("my_leads")


@pytest.fixture
def loaded(settings: Settings) -> None:
    """Three leads of two sources, landed and loaded."""
    landing = Landing(settings)
    landing.leads(
        "vorel",
        vorel_lead(1, at(1), at(1), source="web", status="new"),
        vorel_lead(2, at(1), at(1), source="web", status="converted"),
        vorel_lead(3, at(1), at(1), source="ads", status="new"),
    )
    load_landing(settings)


@pytest.mark.usefixtures("loaded")
def test_asset_of_the_page_reads_the_leads_into_pandas(my_leads: Any) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [my_leads.leads_by_source], instance=instance, resources=my_leads.defs.resources
        )
    assert counts(result.output_for_node("leads_by_source")) == {
        ("ads", "new"): 1,
        ("web", "new"): 1,
        ("web", "won"): 1,
    }


def counts(table: pd.DataFrame) -> dict[tuple[Any, Any], int]:
    """The figures above zero, by row and column."""
    return {
        (row, column): int(figures[column])
        for row, figures in table.iterrows()
        for column in table.columns
        if figures[column]
    }


def test_asset_of_the_page_stands_below_the_leads_in_a_graph_with_everything_else(
    my_leads: Any,
) -> None:
    graph = my_leads.defs.resolve_asset_graph()
    node = graph.get(dg.AssetKey("leads_by_source"))
    assert node.parent_keys == {dg.AssetKey(["normalized", "leads"])}
    assert dg.AssetKey(["bi", "published"]) in graph.get_all_asset_keys()


@pytest.mark.long
def test_dagster_accepts_the_page_as_a_code_location(pasted: Path, settings: Settings) -> None:
    validated = run(pasted, settings, "dagster", "definitions", "validate", "-f", "my_leads.py")
    assert "All code locations passed validation" in validated, validated


@pytest.mark.long
def test_test_of_the_page_passes(pasted: Path, settings: Settings) -> None:
    tested = run(pasted, settings, "pytest", "-q", "-p", "no:cacheprovider", "test_my_leads.py")
    assert "1 passed" in tested, tested


def run(folder: Path, settings: Settings, module: str, *arguments: str) -> str:
    """What a program, run in `folder`, printed."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "LEAD_PIPELINE_HOME": str(settings.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
