"""dbt as an analytics engineer calls it: in `dbt_project/`, without a target, at any time."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from dagster import AssetsDefinition
from dbt_common.exceptions import DbtRuntimeError

from lead_pipeline.bi import dbt_project
from lead_pipeline.bi.dbt_dev import find_snapshot
from lead_pipeline.orchestration.dbt_assets import build_dbt_assets
from lead_pipeline.orchestration.published_asset import build_published_asset
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.orchestration.test_dbt_assets import Home
from lead_pipeline_tests.sample_builds import read
from lead_pipeline_tests.sample_warehouse import SAMPLE, SampleLead

BUILD_FACTS = ("build", "--select", "+lead_facts", "--indirect-selection", "cautious")
"""Facts, what they are made of, and the tests of that alone."""


@pytest.fixture
def assets() -> list[AssetsDefinition]:
    models = build_dbt_assets()
    return [models, build_published_asset(models.keys)]


@pytest.fixture
def home(tmp_path: Path, assets: list[AssetsDefinition], monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEAD_PIPELINE_DEV", str(tmp_path / "mine" / "dev.duckdb"))
    tmp_path.joinpath("home").mkdir()
    return Home(tmp_path / "home", assets)


def start_dbt(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`dbt …` as people type it, except that its artifacts go to `folder`."""
    return subprocess.Popen(  # noqa: S603
        [dbt_project.dbt_command()[0], *arguments],
        cwd=dbt_project.PROJECT_DIR,
        env=os.environ | {"DBT_TARGET_PATH": str(folder), "DBT_LOG_PATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.long
def test_two_people_a_reader_and_a_publication_at_once_do_not_disturb_each_other(
    home: Home, tmp_path: Path
) -> None:
    home.load(SAMPLE)
    assert home.run().success
    with closing(connect_utc(home.published, read_only=True)) as reader:
        first = start_dbt(tmp_path / "first", "build")
        # The same work for both, so that it does not matter who comes first.
        second = start_dbt(tmp_path / "second", "build")
        home.load((*SAMPLE, SampleLead("4")))
        assert home.run().success
        outputs = [process.communicate(timeout=150)[0] for process in (first, second)]
        assert [first.returncode, second.returncode] == [0, 0], "\n".join(
            output[-3000:] for output in outputs
        )
        assert reader.execute("select count(*) from marts.lead_facts").fetchone() == (4,)
    assert "Waiting for process" in "".join(outputs)
    assert f"Reads {home.path}/bi/.sources/leads.duckdb" in outputs[0]
    assert read(home.published, "select count(*) from marts.lead_facts") == [(5,)]
    published_schemas = "select distinct schema_name from duckdb_tables() order by all"
    assert read(home.published, published_schemas) == [("marts",), ("meta",), ("normalized",)]
    [(rows,)] = read(tmp_path / "mine" / "dev.duckdb", "select count(*) from marts.lead_facts")
    assert rows in (4, 5)


@pytest.mark.long
def test_dev_goes_by_the_zone_of_the_build_whose_leads_it_reads(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fourteen hours ahead: noon of the first is the second there.
    monkeypatch.setenv("LEAD_PIPELINE_TIMEZONE", "Pacific/Kiritimati")
    monkeypatch.setenv("LEAD_PIPELINE_WORKING_HOURS", "Mon-Fri 09:00-17:00")
    home.load((SampleLead("1"),))
    assert home.run().success
    said = "select time_zone, working_hours, holidays from meta.publish"
    assert read(home.published, said) == [("Pacific/Kiritimati", "Mon-Fri 09:00-17:00", None)]
    monkeypatch.delenv("LEAD_PIPELINE_TIMEZONE")
    monkeypatch.delenv("LEAD_PIPELINE_WORKING_HOURS")
    dbt = start_dbt(tmp_path / "target", *BUILD_FACTS)
    output, _ = dbt.communicate(timeout=150)
    assert dbt.returncode == 0, output[-3000:]
    created = "select created_day from marts.lead_facts"
    assert read(home.published, created) == [(date(2026, 1, 2),)]
    assert read(tmp_path / "mine" / "dev.duckdb", created) == [(date(2026, 1, 2),)]
    waited = "select business_seconds_in_stage from marts.stage_visits"
    assert read(tmp_path / "mine" / "dev.duckdb", waited) == read(home.published, waited)


@pytest.mark.long
def test_dbt_without_leads_says_how_to_get_some_and_leaves_nothing(
    home: Home, tmp_path: Path
) -> None:
    dbt = start_dbt(tmp_path / "target", "build")
    output, _ = dbt.communicate(timeout=100)
    assert dbt.returncode != 0
    assert f"There are no leads to read at {home.path}/bi/.sources/leads.duckdb" in output
    assert "make demo" in output
    assert not tmp_path.joinpath("mine").exists()


def snapshot_in(folder: Path) -> Path:
    path = folder / "bi" / ".sources" / "leads.duckdb"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_own_leads_are_found_before_those_of_the_demo(tmp_path: Path) -> None:
    demo = snapshot_in(tmp_path / "data" / "demo")
    assert find_snapshot({}, tmp_path) == demo
    own = snapshot_in(tmp_path / "data")
    assert find_snapshot({}, tmp_path) == own


def test_home_is_taken_from_the_environment_then_from_the_env_file(tmp_path: Path) -> None:
    snapshot_in(tmp_path / "data" / "demo")
    (tmp_path / ".env").write_text("LEAD_PIPELINE_HOME=./elsewhere\n")
    with pytest.raises(DbtRuntimeError, match=r"elsewhere/bi/\.sources/leads\.duckdb\. Run"):
        find_snapshot({}, tmp_path)
    elsewhere = snapshot_in(tmp_path / "elsewhere")
    assert find_snapshot({}, tmp_path) == elsewhere
    named = snapshot_in(tmp_path / "named")
    assert find_snapshot({"LEAD_PIPELINE_HOME": str(tmp_path / "named")}, tmp_path) == named
