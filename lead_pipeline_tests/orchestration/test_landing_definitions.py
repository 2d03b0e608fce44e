"""What a process that only lands loads: the same landing assets as the whole, and no dbt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lead_pipeline.definitions import load_definitions
from lead_pipeline.orchestration.landing_definitions import load_landing_definitions
from lead_pipeline.orchestration.schedules import JOB
from lead_pipeline_tests.commands import environment


@pytest.fixture(autouse=True)
def declared(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(home))
    monkeypatch.setenv("MEGA_TOKEN", "token")
    monkeypatch.setenv("MEGA_CUSTOMER_ID", "customer")
    monkeypatch.setenv("VOREL_API_KEY", "key")


def test_landing_assets_are_those_of_the_whole() -> None:
    whole = load_definitions().resolve_asset_graph()
    landing = load_landing_definitions().resolve_asset_graph()
    keys = {key for key in whole.get_all_asset_keys() if key.path[0] == "landing"}
    assert landing.get_all_asset_keys() == keys
    for key in keys:
        assert landing.get(key).partitions_def == whole.get(key).partitions_def
        assert landing.get(key).tags == whole.get(key).tags
        assert landing.get(key).pools == whole.get(key).pools


def test_runs_that_land_belong_to_the_nightly_job() -> None:
    job = load_landing_definitions().resolve_job_def(JOB)
    assert {key.path[0] for key in job.asset_layer.selected_asset_keys} == {"landing"}


def test_neither_dbt_nor_charts_are_imported_to_land(home: Path) -> None:
    program = (
        "import sys\n"
        "from lead_pipeline.orchestration.landing_definitions import load_landing_definitions\n"
        "from lead_pipeline.orchestration.runner import PipelineRunner\n"
        "load_landing_definitions()\n"
        "print([name for name in ('dbt', 'dagster_dbt', 'altair', 'pandas') if name in sys.modules])"
    )
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program],
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "[]\n"
