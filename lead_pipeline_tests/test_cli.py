"""The command `lead-pipeline` as users meet it: real processes against a real server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest
from dagster import AssetKey, AssetRecordsFilter, DagsterRunStatus

from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.sandbox import FOREVER, Fault, Sandbox, World
from lead_pipeline_tests.commands import (
    Ran,
    environment,
    finish,
    instance_of,
    lead_pipeline,
    lead_pipeline_here,
    personal_data,
    start,
    wait_until,
)
from lead_pipeline_tests.pulling import at, commits, settings_in

FIRST, LAST = "2026-01-01", "2026-01-03"
WRONG_TOKEN = "mega_" + "0badcafe" * 8
STALLED = Fault("slow_body", times=FOREVER, delay=0.2, chunk=50)


@pytest.fixture(scope="module")
def busy_sandbox() -> Iterator[Sandbox]:
    """A small world in which it is 4 January."""
    world = World(start=date(2026, 1, 1), leads_per_day=4, leads_at_start=10)
    with Sandbox(world, limits=False) as sandbox:
        sandbox.set_clock(at(4, 2, 30))
        yield sandbox


# The first test of each waits for several runs of the real command.
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Runs:
    """The same range, pulled three times.

    First of Vorel alone, killed while it pulls; then of all accounts with a token that MEGA
    refuses; then with the right one.
    """

    home: Path
    refused: Ran
    published_by_refused: list[tuple[str, int]]
    vorel_by_refused: list[CommitRecord]
    fixed: Ran


@pytest.fixture(scope="module")
def runs(busy_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    home = folder / "home"
    variables = environment(home, busy_sandbox.environment())
    arguments = ("run", "--from", FIRST, "--to", LAST)
    busy_sandbox.vorel.faults.add(STALLED)
    process = start(folder, variables, (*arguments, "--account", "vorel"))
    wait_until(lambda: is_pulling(home, "vorel"))
    os.killpg(process.pid, signal.SIGKILL)
    finish(process)
    busy_sandbox.vorel.faults.clear()
    refused = lead_pipeline(folder, variables | {"MEGA_TOKEN": WRONG_TOKEN}, *arguments)
    published, vorel = leads_per_account(home), commits(settings_in(home), "vorel")
    fixed = lead_pipeline(folder, variables, *arguments)
    return Runs(home, refused, published, vorel, fixed)


def is_pulling(home: Path, account: str) -> bool:
    return any((home / "landing" / account / "_crawls").glob("*.json"))


def leads_per_account(home: Path) -> list[tuple[str, int]]:
    with duckdb.connect(str(home / "bi" / "leads.duckdb"), read_only=True) as connection:
        return connection.execute(
            "select account, count(*) from normalized.leads group by account order by account"
        ).fetchall()


def test_help_shows_every_command(tmp_path: Path) -> None:
    ran = lead_pipeline(tmp_path, environment(tmp_path / "home"), "--help")
    commands = (
        "run",
        "demo",
        "sandbox",
        "check",
        "status",
        "explain",
        "poll",
        "replay-rejected",
        "rebuild",
        "verify",
        "publish",
        "rollback",
        "serve",
        "fetch",
        "forget",
        "retention",
        "alerts",
    )
    assert [name for name in commands if f" {name} " not in ran.output] == []
    assert ran.status == 0


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    program = "import sys, lead_pipeline.cli; print(*sys.modules)"
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    heavy = {"dagster", "duckdb", "pandas", "pyarrow", "httpx", "pydantic", "structlog", "msgspec"}
    assert heavy & set(ran.stdout.split()) == set()


def test_run_without_credentials_says_what_to_do(tmp_path: Path) -> None:
    ran = lead_pipeline(tmp_path, environment(tmp_path / "home"), "run")
    assert (ran.status, ran.output) == (1, "")
    assert ran.last_line == (
        "lead-pipeline: No account has credentials. `lead-pipeline check` says what to set; "
        "`lead-pipeline demo` needs none."
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "remedy"),
    [
        pytest.param(("run", "--from", LAST, "--to", FIRST), {}, "Swap", id="days swapped"),
        pytest.param(("run", "--to", "2999-01-01"), {}, "can be today", id="future"),
        pytest.param(("run", "--from", "2020-01-01"), {}, "START_DATE", id="before the start"),
        pytest.param(("run", "--account", "nobody"), {}, "'nobody'", id="unknown account"),
        pytest.param(("run", "--account", ""), {}, "no account ''", id="empty account"),
        pytest.param(("run", "--nights", "2"), {}, "No such option", id="unknown option"),
        pytest.param(
            ("check",),
            {"VOREL_BASE_URL": "http://vorel.example", "VOREL_API_KEY": "key"},
            "VOREL_BASE_URL uses plain http",
            id="plain http",
        ),
        pytest.param(
            ("check",),
            {"VOREL_BASE_URL": "http://127.0.0.1:9", "VOREL_API_KEY": "key"},
            "127.0.0.1:9",
            id="server down",
        ),
        pytest.param(
            ("run", "--account", "mega"),
            {"MEGA_TOKEN": "key", "VOREL_API_KEY": "key"},
            "Account mega cannot be used: set MEGA_CUSTOMER_ID",
            id="account without a key",
        ),
        pytest.param(
            ("run",),
            {"MEGA_TOKEN": "key", "VOREL_BASE_URL": "http://127.0.0.1:9"},
            "set MEGA_CUSTOMER_ID in the environment or in .env. Account vorel cannot be used: set "
            "VOREL_API_KEY",
            id="no declared account has its key",
        ),
        pytest.param(("check",), {"MEGA_TOKEN": "key"}, "MEGA_CUSTOMER_ID", id="check of the same"),
        pytest.param(("rebuild",), {}, "LEAD_PIPELINE_HOME", id="nothing to rebuild"),
        pytest.param(
            ("rollback",), {}, "LEAD_PIPELINE_RETAINED_BUILDS", id="nothing to go back to"
        ),
        pytest.param(("rollback", "--hold"), {}, "rollback --list", id="nothing to keep"),
        pytest.param(("rollback", "--hold", "--list"), {}, "exclude each other", id="two deeds"),
        pytest.param(("rollback", "a", "--to", "b"), {}, "once", id="two builds"),
        pytest.param(
            ("publish",), {"LEAD_PIPELINE_MASKING": "true"}, "openssl rand", id="no masking key"
        ),
    ],
)
def test_refusal_says_what_to_do_in_its_last_line(
    home: Path, tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], remedy: str
) -> None:
    ran = lead_pipeline_here(tmp_path, environment(home, variables), *arguments)
    assert ran.status in (1, 2)
    assert remedy in ran.last_line
    assert not (home / "warehouse.duckdb").exists()


def test_refused_token_is_named_with_its_variable(runs: Runs) -> None:
    assert runs.refused.status == 1
    assert runs.refused.last_line.startswith("lead-pipeline: landing of mega failed: ")
    assert "MEGA_TOKEN" in runs.refused.last_line


def test_other_accounts_are_published_although_one_fails(runs: Runs) -> None:
    assert [account for account, _ in runs.published_by_refused] == ["expert_ai_labs", "vorel"]


def test_all_accounts_are_published_once_all_work(runs: Runs, busy_sandbox: Sandbox) -> None:
    assert runs.fixed.status == 0, runs.fixed.errors
    alive = {
        "expert_ai_labs": len(busy_sandbox.expert_ai_labs.store),
        "mega": len(busy_sandbox.mega.store),
        "vorel": len(busy_sandbox.vorel.store),
    }
    assert dict(leads_per_account(runs.home)) == alive


def test_success_leaves_standard_error_empty(runs: Runs) -> None:
    assert runs.fixed.errors == ""


def test_output_says_where_the_file_is(runs: Runs) -> None:
    assert f"Published {runs.home / 'bi' / 'leads.duckdb'}" in runs.fixed.output


@pytest.mark.parametrize("account", ["mega", "vorel"])
def test_each_partition_of_the_range_has_its_own_row_count(runs: Runs, account: str) -> None:
    newest = commits(settings_in(runs.home), account)
    leads = [commit for commit in newest if commit.stream == "leads" and commit.complete][-1]
    days = [FIRST, "2026-01-02", LAST]
    with instance_of(runs.home) as instance:
        rows = {}
        for day in days:
            found = instance.fetch_materializations(
                AssetRecordsFilter(AssetKey(["landing", account, "leads"]), asset_partitions=[day]),
                limit=1,
            )
            materialization = found.records[0].asset_materialization
            assert materialization is not None
            rows[day] = materialization.metadata["rows"].value
    assert rows == {day: leads.rows_by_date.get(day, 0) for day in days}


def test_every_run_has_ended_the_killed_one_by_the_next(runs: Runs) -> None:
    with instance_of(runs.home) as instance:
        killed, *others = (run.status for run in reversed(instance.get_runs()))
    assert killed == DagsterRunStatus.FAILURE
    # A run per account and one that publishes, twice; MEGA's first one failed.
    assert sorted(status.name for status in others) == ["FAILURE", *["SUCCESS"] * 7]


def test_killed_crawl_is_gone_on_with(runs: Runs) -> None:
    crawls = [crawl.state for crawl in runs.vorel_by_refused if crawl.stream == "leads"]
    assert crawls == ["complete"]


def test_no_process_leaves_its_lock_behind(runs: Runs) -> None:
    assert list((runs.home / "dagster" / "processes").iterdir()) == []


def test_no_secret_is_written_anywhere(runs: Runs, busy_sandbox: Sandbox) -> None:
    variables = busy_sandbox.environment()
    secrets = {variables[name].encode() for name in variables if "TOKEN" in name or "KEY" in name}
    assert found_in_files(runs.home, secrets | {WRONG_TOKEN.encode()}, everywhere=True) == []
    said = runs.refused.output + runs.refused.errors + runs.fixed.output
    assert [secret for secret in secrets if secret.decode() in said] == []


def test_personal_data_is_in_landing_and_tables_only(runs: Runs, busy_sandbox: Sandbox) -> None:
    people = personal_data(busy_sandbox)
    assert len(people) > 50
    assert found_in_files(runs.home, people, everywhere=False) == []


@dataclass(frozen=True)
class WithoutKey:
    """Two declared accounts of which one lacks its key: a run, a check, a status."""

    home: Path
    run: Ran
    check: Ran
    status: Ran


@pytest.fixture(scope="module")
def without_key(busy_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> WithoutKey:
    folder = tmp_path_factory.mktemp("without_key")
    home = folder / "home"
    vorel = busy_sandbox.environment()
    (folder / "accounts.toml").write_text(
        '[accounts.agency]\nprovider = "mega"\ntoken_env = "AGENCY_TOKEN"\ncustomer_id = "c"\n'
        f'[accounts.salon]\nprovider = "vorel"\napi_key = "{vorel["VOREL_API_KEY"]}"\n'
        f'base_url = "{vorel["VOREL_BASE_URL"]}"\n'
    )
    variables = environment(home, {"LEAD_PIPELINE_ACCOUNTS": "accounts.toml"})
    return WithoutKey(
        home,
        run=lead_pipeline(folder, variables, "run", "--from", FIRST, "--to", LAST),
        check=lead_pipeline_here(folder, variables, "check"),
        status=lead_pipeline_here(folder, variables, "status"),
    )


@pytest.mark.long
def test_run_publishes_the_others_and_then_fails_for_the_account_without_its_key(
    without_key: WithoutKey, busy_sandbox: Sandbox
) -> None:
    assert leads_per_account(without_key.home) == [("salon", len(busy_sandbox.vorel.store))]
    assert "Published" in without_key.run.output
    assert without_key.run.status == 1
    assert without_key.run.last_line == (
        "lead-pipeline: landing of agency failed: Account agency cannot be used: set the variable "
        "AGENCY_TOKEN (accounts.toml, account 1)."
    )


@pytest.mark.long
def test_check_checks_the_others_and_then_fails_for_the_account_without_its_key(
    without_key: WithoutKey,
) -> None:
    assert "salon (vorel, http://127.0.0.1:" in without_key.check.output
    assert without_key.check.status == 1
    assert without_key.check.last_line == (
        "lead-pipeline: agency cannot be pulled: Account agency cannot be used: set the variable "
        "AGENCY_TOKEN (accounts.toml, account 1)."
    )


@pytest.mark.long
def test_status_names_the_account_without_its_key(without_key: WithoutKey) -> None:
    assert "Finding: missing-account (agency): " in without_key.status.output
    assert "Set the variable AGENCY_TOKEN" in without_key.status.output


def found_in_files(home: Path, needles: set[bytes], *, everywhere: bool) -> list[str]:
    """Files below `home` that hold one of the needles, landing and tables left out or not."""
    found = []
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        holds_leads = name.startswith(("landing/", "bi/.builds/")) or name.endswith("leads.duckdb")
        if not path.is_file() or (not everywhere and (holds_leads or name == "warehouse.duckdb")):
            continue
        content = path.read_bytes()
        found += [name for needle in needles if needle in content]
    return found


@pytest.mark.parametrize(
    "accounts", ["one account", pytest.param("all accounts", marks=pytest.mark.long)]
)
def test_ctrl_c_ends_the_run_and_says_so(
    busy_sandbox: Sandbox, tmp_path: Path, accounts: str
) -> None:
    home = tmp_path / "home"
    chosen = ("--account", "vorel") if accounts == "one account" else ()
    busy_sandbox.vorel.faults.add(STALLED)
    try:
        process = start(
            tmp_path,
            environment(home, busy_sandbox.environment()),
            ("run", "--from", FIRST, "--to", LAST, *chosen),
        )
        wait_until(lambda: is_pulling(home, "vorel"))
        os.killpg(process.pid, signal.SIGINT)
        ran = finish(process)
    finally:
        busy_sandbox.vorel.faults.clear()
    assert (ran.status, ran.last_line) == (
        130,
        "lead-pipeline: interrupted. What has landed is kept; run again to resume from there.",
    )
    with instance_of(home) as instance:
        assert DagsterRunStatus.STARTED not in {run.status for run in instance.get_runs()}
