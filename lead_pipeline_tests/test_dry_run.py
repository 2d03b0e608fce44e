"""`--dry-run` tells what would happen; neither an API nor a file notices it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.bi.builds import Build
from lead_pipeline.bi.gate import PublishRules, floors_of, losses_of, vanishings_of
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import mega_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import environment, lead_pipeline, lead_pipeline_here
from lead_pipeline_tests.health.situations import land
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.pulling import account_of, at, days, loaded_leads, pull_all, put_leads
from lead_pipeline_tests.sample_builds import Bi, leads_of


def contents(folder: Path) -> dict[str, str]:
    """Every file below `folder`, locks left out, with the digest of what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".locks" not in path.parts
    }


@pytest.fixture
def mega(sandbox: Sandbox, settings: Settings) -> Mapping[str, str]:
    """The environment of a home in which MEGA has landed its first two days."""
    put_leads(sandbox, "mega", 3, at(1))
    pull_all(settings, account_of(sandbox, "mega"), days(1, 2))
    variables = {k: v for k, v in sandbox.environment().items() if k.startswith("MEGA")}
    sandbox.mega.requests.clear()
    return environment(settings.home, {**variables, "COLUMNS": "250"})


def test_run_tells_days_and_requests_and_asks_nothing(
    sandbox: Sandbox, settings: Settings, mega: Mapping[str, str], tmp_path: Path
) -> None:
    before = contents(settings.home)
    ran = lead_pipeline(tmp_path, mega, "run", "--to", "2026-01-05", "--dry-run")
    assert (ran.status, ran.errors) == (0, "")
    assert "mega: 2026-01-03 to 2026-01-05" in ran.output
    assert "GET /api/agents/crm/leads?" in ran.output
    assert "updated_since=2026-01-02T23:00:00.000Z" in ran.output
    assert "Nothing was asked for, and nothing was written." in ran.output
    assert list(sandbox.mega.requests) == []
    assert contents(settings.home) == before


def test_run_tells_which_crawl_it_would_resume(
    settings: Settings, tmp_path: Path, sandbox: Sandbox
) -> None:
    land(settings, None, 2, account="vorel")
    crawl = land(settings, 3, 4, account="vorel", state="running", complete=False, pages=7)
    variables = {k: v for k, v in sandbox.environment().items() if k.startswith("VOREL")}
    home = environment(settings.home, {**variables, "COLUMNS": "250"})
    ran = lead_pipeline_here(tmp_path, home, "run", "--to", "2026-01-04", "--dry-run")
    assert f"{crawl.crawl_id}, after page 7" in ran.output
    other = lead_pipeline_here(tmp_path, home, "run", "--to", "2026-01-03", "--dry-run")
    assert crawl.crawl_id not in other.output


def test_run_on_a_new_machine_makes_no_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    variables = environment(home, {"EXPERT_AI_LABS_API_KEY": "eal_live_of_nobody"})
    ran = lead_pipeline_here(tmp_path, variables, "run", "--dry-run")
    assert ran.status == 0
    assert "decided by what lead_events brings" in ran.output
    assert not home.exists()


def test_run_without_all_credentials_fails_dry_as_it_would_in_earnest(
    mega: Mapping[str, str], tmp_path: Path
) -> None:
    variables = {**mega, "VOREL_BASE_URL": "http://127.0.0.1:9"}
    ran = lead_pipeline_here(tmp_path, variables, "run", "--dry-run")
    assert ran.status == 1
    assert "Account vorel cannot be used: set VOREL_API_KEY" in ran.last_line
    assert "mega: 2026-01-03 to " in ran.output


def test_publish_tells_what_is_not_loaded_yet(
    settings: Settings, mega: Mapping[str, str], tmp_path: Path
) -> None:
    first = lead_pipeline(tmp_path, mega, "publish", "--dry-run")
    assert "Would be rebuilt from 1 landed files with 3 rows: there are no tables yet." in (
        first.output
    )
    assert not settings.warehouse_path.exists()
    loaded_leads(settings)
    Landing(settings).leads("mega", mega_lead(9, at(2)), mega_lead(8, at(2)))
    before = contents(settings.home)
    then = lead_pipeline_here(tmp_path, mega, "publish", "--dry-run")
    assert (then.status, then.errors) == (0, "")
    assert "Would be loaded: 1 landed files with 2 rows. No rebuild is due." in then.output
    assert "there is no build at" in then.output
    assert contents(settings.home) == before


def test_publish_tells_why_a_rebuild_is_due(
    settings: Settings, mega: Mapping[str, str], tmp_path: Path
) -> None:
    loaded_leads(settings)
    other = {**mega, "LEAD_PIPELINE_PHONE_REGION": "GB"}
    ran = lead_pipeline_here(tmp_path, other, "publish", "--dry-run")
    assert "Would be rebuilt from 1 landed files" in ran.output
    assert "the phone region" in ran.output


def test_publish_tells_what_the_gate_compares(
    settings: Settings, mega: Mapping[str, str], tmp_path: Path
) -> None:
    Bi(settings.home).build_and_publish(leads_of("mega", 10))
    ran = lead_pipeline_here(tmp_path, mega, "publish", "--dry-run")
    row = next(line for line in ran.output.splitlines() if line.startswith("│ mega "))
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["mega", "10", "8", "10"]
    meant = lead_pipeline_here(tmp_path, mega, "publish", "--dry-run", "--allow-row-count-drop")
    assert "Nothing is compared" in meant.output


def test_publish_of_an_empty_home_is_refused(tmp_path: Path) -> None:
    ran = lead_pipeline_here(tmp_path, environment(tmp_path / "home"), "publish", "--dry-run")
    assert ran.status == 1
    assert "LEAD_PIPELINE_HOME" in ran.last_line


@given(
    leads=st.integers(1, 5_000),
    missing=st.integers(0, 100),
    percent=st.sampled_from([0.0, 1.0, 12.5, 20.0, 33.3, 99.0, 100.0]),
)
def test_the_floors_are_those_of_the_gate(leads: int, missing: int, percent: float) -> None:
    missing = min(missing, leads - 1)
    table, rules = "normalized.leads", PublishRules(max_row_count_drop_percent=percent)
    before = Build(
        Path("leads.duckdb"),
        "run",
        at(5),
        {(table, "mega"): leads},
        {"mega": missing},
        None,
        follows_present_rules=True,
    )
    [floor] = floors_of(before, rules)

    def is_refused(left: int) -> bool:
        return bool(losses_of(before.leads, {(table, "mega"): left}, percent))

    def is_doubted(newly: int) -> bool:
        return bool(vanishings_of(before, {"mega": missing + newly}, rules))

    assert (is_refused(floor.fewest), is_refused(floor.fewest - 1)) == (False, True)
    assert (is_doubted(floor.most_missing), is_doubted(floor.most_missing + 1)) == (
        False,
        True,
    )
