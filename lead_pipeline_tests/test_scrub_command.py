"""`lead-pipeline scrub`: what people type and see, and the part of it that each publication does."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from lead_pipeline.landing.commits import CommitRecord, new_crawl_id
from lead_pipeline.landing.scrub import known_problems
from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline.orchestration.upkeep import after_publication
from lead_pipeline.sandbox.examples import mega_lead
from lead_pipeline_tests.commands import environment, lead_pipeline
from lead_pipeline_tests.normalized.landings import CrawlPlan, Landing
from lead_pipeline_tests.pulling import at, settings_in


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(settings_in(tmp_path / "home"))


def crawl(landing: Landing, day: int) -> CommitRecord:
    crawl_id = new_crawl_id(at(day), "leads")
    return landing.land(
        CrawlPlan(crawl_id, "mega", [[mega_lead(day, at(1), at(day))]], at=at(day), is_full=True)
    )


def lose_a_file(landing: Landing) -> str:
    """Remove the file of the first of two crawls; its path below landing."""
    lost = crawl(landing, 5).files[0].path
    crawl(landing, 6)
    (landing.settings.landing_path / lost).unlink()
    return lost


def test_scrub_tells_how_much_it_has_read_where_all_is_whole(
    landing: Landing, tmp_path: Path
) -> None:
    crawl(landing, 5)
    ran = lead_pipeline(tmp_path, environment(landing.settings.home), "scrub", "--all", "--json")
    assert (ran.status, json.loads(ran.output)["problems"]) == (0, [])
    assert "1 commit records and 1 of 1 landed files" in ran.last_line


def test_scrub_names_what_is_gone_and_repairs_nothing_unasked(
    landing: Landing, tmp_path: Path
) -> None:
    lost = lose_a_file(landing)
    ran = lead_pipeline(tmp_path, environment(landing.settings.home), "scrub", "--repair")
    assert ran.status == 1
    assert Path(lost).name in ran.output.replace("\n", "")
    assert "gives up 1 landed rows" in ran.output
    assert ran.last_line.endswith("nothing was repaired. Restore a backup, or repeat with --yes.")


@pytest.mark.long
def test_a_repair_publishes_what_is_left(landing: Landing, tmp_path: Path) -> None:
    lose_a_file(landing)
    ran = lead_pipeline(tmp_path, environment(landing.settings.home), "scrub", "--repair", "--yes")
    assert ran.status == 0, ran.errors
    with duckdb.connect(str(landing.settings.published_path), read_only=True) as published:
        [(leads,)] = published.execute("select count(*) from normalized.leads").fetchall()
    assert leads == 1


def test_a_publication_finds_a_lost_file_and_tells(landing: Landing) -> None:
    lost = lose_a_file(landing)
    told: list[str] = []
    with open_instance(landing.settings, told.append) as instance:
        after_publication(instance, landing.settings, told.append)
    assert any("1 landed files or commit records are damaged or gone" in line for line in told)
    assert [problem.path for problem in known_problems(landing.settings)] == [lost]
