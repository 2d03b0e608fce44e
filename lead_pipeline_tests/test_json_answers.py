"""`--json`: standard output is one document, whatever else there is to say."""

from __future__ import annotations

import json
from pathlib import Path

from lead_pipeline.sandbox import Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import environment, lead_pipeline
from lead_pipeline_tests.normalized.landings import CrawlPlan, Landing
from lead_pipeline_tests.pulling import (
    account_of,
    at,
    days,
    loaded_leads,
    pull_all,
    put_leads,
    settings_in,
)
from lead_pipeline_tests.sample_builds import Bi, leads_of


def test_check_says_of_each_account_whether_it_works(sandbox: Sandbox, tmp_path: Path) -> None:
    put_leads(sandbox, "mega", 3, at(1))
    given = {k: v for k, v in sandbox.environment().items() if k.startswith("MEGA")}
    more = {"VOREL_BASE_URL": "http://127.0.0.1:9", "LEAD_PIPELINE_TIMEZONE": "Asia/Kolkata"}
    variables = environment(tmp_path / "home", {**given, **more})
    ran = lead_pipeline(tmp_path, variables, "check", "--json")
    document = json.loads(ran.output)
    mega, vorel = document["accounts"]
    assert (mega["account"], mega["works"], mega["failure"]) == ("mega", True, None)
    assert mega["next_run"]["first"] == "2026-01-01"
    assert mega["next_run"]["requests"] == 1
    assert (vorel["account"], vorel["works"]) == ("vorel", False)
    assert "set VOREL_API_KEY" in vorel["failure"]
    assert document["left_out"] == ["expert_ai_labs"]
    assert document["calendar"]["time_zone"] == "Asia/Kolkata"
    assert "Days are those of Asia/Kolkata; no working hours are set." in ran.errors
    assert ran.status == 1
    assert given["MEGA_TOKEN"] not in ran.output + ran.errors


def test_verify_says_of_each_table_whether_it_is_what_landing_says(
    sandbox: Sandbox, settings: Settings, tmp_path: Path
) -> None:
    put_leads(sandbox, "mega", 3, at(1))
    pull_all(settings, account_of(sandbox, "mega"), days(1))
    loaded_leads(settings)
    ran = lead_pipeline(tmp_path, environment(settings.home), "verify", "--json")
    tables = {table["table"]: table for table in json.loads(ran.output)["tables"]}
    assert ran.status == 0
    assert tables["leads"]["live_rows"] == tables["leads"]["rebuilt_rows"] == 3
    assert {table["is_equal"] for table in tables.values()} == {True}
    assert "All tables are what landing says." in ran.errors


def test_rollback_lists_the_builds_newest_first(tmp_path: Path) -> None:
    bi = Bi(tmp_path / "home")
    bi.build_and_publish(leads_of("mega", 10), run_id="first")
    bi.build_and_publish(leads_of("mega", 11), run_id="second")
    ran = lead_pipeline(tmp_path, environment(bi.home), "rollback", "--list", "--json")
    builds = json.loads(ran.output)["builds"]
    assert [(build["run_id"], build["leads"], build["is_published"]) for build in builds] == [
        ("second", 11, True),
        ("first", 10, False),
    ]
    assert builds[0]["published_at"].endswith("Z")
    assert builds[1]["build"].endswith("-first")


def test_replay_counts_what_is_still_rejected_and_shows_no_record(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home")
    page = [{"name": "Ada Lovelace"}, {"name": "Grace Hopper"}]
    Landing(settings).land(CrawlPlan("kept-aside", "vorel", [page], at=at(3, 3)))
    ran = lead_pipeline(tmp_path, environment(settings.home), "replay-rejected", "--json")
    assert json.loads(ran.output) == {
        "accounts": [{"account": "vorel", "filed": {}, "still_rejected": 2}]
    }
    assert (ran.status, "Ada" in ran.output + ran.errors) == (0, False)
