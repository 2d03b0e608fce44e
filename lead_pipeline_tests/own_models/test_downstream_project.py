"""Another dbt project over the published file, as examples/downstream_dbt has it, beside a publication."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lead_pipeline.bi.dbt_project import dbt_command
from lead_pipeline.orchestration.dbt_assets import build_dbt_assets
from lead_pipeline.orchestration.published_asset import build_published_asset
from lead_pipeline_tests.orchestration.test_dbt_assets import Home
from lead_pipeline_tests.sample_builds import read
from lead_pipeline_tests.sample_warehouse import SAMPLE, SampleLead

EXAMPLE = Path(__file__).parents[2] / "examples" / "downstream_dbt"


def start_dbt(project: Path, published: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        [dbt_command()[0], "build"],
        cwd=project,
        env=os.environ | {"LEADS_FILE": str(published)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def leads_of(dbt: subprocess.Popen[str], project: Path) -> int:
    """The leads that a build has counted, once it has ended and all of its tests have passed."""
    output, _ = dbt.communicate(timeout=600)
    assert dbt.returncode == 0, output[-3000:]
    [(leads,)] = read(project / "downstream.duckdb", "select sum(leads) from wins_by_week")
    return int(leads)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_each_build_sees_one_publication_while_another_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(tmp_path / "home"))
    project = tmp_path / "downstream"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("target", "logs", "*.duckdb"))
    models = build_dbt_assets()
    home = Home(tmp_path / "home", [models, build_published_asset(models.keys)])
    home.path.mkdir()
    home.load(SAMPLE)
    assert home.run().success

    home.load((*SAMPLE, SampleLead("4"), SampleLead("5")))
    beside = start_dbt(project, home.published)
    assert home.run().success
    assert leads_of(beside, project) in (len(SAMPLE), len(SAMPLE) + 2)
    assert leads_of(start_dbt(project, home.published), project) == len(SAMPLE) + 2
