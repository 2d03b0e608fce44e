"""The lake, as commands serve it: with each publication, after a rollback, and when persons are forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline.bi.builds import read_build
from lead_pipeline.bi.retained_builds import name_of
from lead_pipeline.erasure.receipt import receipts
from lead_pipeline_tests.bi.lakes import SampleLake
from lead_pipeline_tests.commands import Demo, environment, lead_pipeline
from lead_pipeline_tests.deploy.database import PASSWORD, Database, free_port
from lead_pipeline_tests.sample_builds import Bi, read

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def test_lake_follows_publications_rollbacks_and_erasures(
    database: Database, demo: Demo, tmp_path: Path
) -> None:
    lake = SampleLake(Bi(demo.copy_to(tmp_path)), database.another(), str(tmp_path / "lake"))
    variables = environment(lake.bi.home, {"LEAD_PIPELINE_LAKE": lake.url})
    ran = lead_pipeline(tmp_path, variables, "publish")
    assert (ran.status, ran.errors) == (0, "")
    published = build_of(lake)
    assert lake.builds() == [published]
    [(lead_key,)] = read(
        lake.bi.published, "select lead_key from marts.lead_facts order by lead_key limit 1"
    )

    ran = lead_pipeline(tmp_path, variables, "rollback")
    assert ran.status == 0, ran.errors
    assert lake.builds() == [published, build_of(lake)]
    assert build_of(lake) != published

    ran = lead_pipeline(tmp_path, variables, "forget", lead_key, "--yes")
    assert ran.status == 0, ran.errors
    assert lake.builds() == [build_of(lake)]
    [receipt] = receipts(lake.settings)
    assert [place.partition(" (")[0] for place in receipt.removed if place.startswith("lake")] == [
        "lake: snapshot 1",
        "lake: snapshot 2",
    ]
    assert str(lead_key) not in lake.catalog_text()


def test_lake_that_takes_nothing_fails_the_run_and_the_file_is_published(
    database: Database, demo: Demo, tmp_path: Path
) -> None:
    home = demo.copy_to(tmp_path)
    lake = SampleLake(Bi(home), database, str(tmp_path / "lake"))
    url = lake.url.replace(f":{database.port}/", f":{free_port()}/")
    before = build_of(lake)
    ran = lead_pipeline(tmp_path, environment(home, {"LEAD_PIPELINE_LAKE": url}), "publish")

    assert ran.status == 1
    assert "The build is published, but not in the lake. PostgreSQL at 127.0.0.1:" in ran.last_line
    assert PASSWORD not in ran.output + ran.errors
    assert build_of(lake) != before


def build_of(lake: SampleLake) -> str:
    build = read_build(lake.bi.published)
    assert build is not None
    return name_of(build)
