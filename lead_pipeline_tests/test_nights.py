"""Nights and what lies between them, by the plain command: polls, late accounts, a first backfill."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lead_pipeline.sandbox import Fault, Sandbox
from lead_pipeline.sandbox.examples import mega_lead
from lead_pipeline.sandbox.faults import FOREVER
from lead_pipeline_tests.commands import COMMAND, environment, lead_pipeline
from lead_pipeline_tests.pulling import at, put_leads, settings_in

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def ago(days: int) -> datetime:
    return NOON - timedelta(days=days)


@pytest.fixture
def mega(sandbox: Sandbox, tmp_path: Path) -> tuple[Sandbox, dict[str, str]]:
    """Five leads of MEGA, all of last week, and the variables to pull them with."""
    for number in range(5):
        sandbox.mega.store.put(mega_lead(number, ago(6), ago(6)))
    return (
        sandbox,
        environment(
            tmp_path / "home",
            {
                **{k: v for k, v in sandbox.environment().items() if k.startswith("MEGA")},
                "LEAD_PIPELINE_START_DATE": f"{ago(8):%Y-%m-%d}",
            },
        ),
    )


def test_poll_before_the_first_night_asks_nothing_and_says_what_comes_first(
    mega: tuple[Sandbox, dict[str, str]], tmp_path: Path
) -> None:
    sandbox, variables = mega
    ran = lead_pipeline(tmp_path, variables, "poll")
    assert (ran.status, sandbox.mega.requests) == (0, [])
    assert "First: lead-pipeline run" in ran.output


@pytest.mark.long
def test_poll_lands_changes_and_leaves_readers_what_they_have(
    mega: tuple[Sandbox, dict[str, str]], tmp_path: Path
) -> None:
    sandbox, variables = mega
    assert lead_pipeline(tmp_path, variables, "run").status == 0
    published = (tmp_path / "home" / "bi" / "leads.duckdb").stat().st_mtime_ns
    moment = datetime.now(UTC) - timedelta(minutes=1)
    sandbox.mega.store.put(mega_lead(3, ago(6), moment, score=99))
    sandbox.mega.requests.clear()
    ran = lead_pipeline(tmp_path, variables, "poll")
    assert (ran.status, len(sandbox.mega.requests)) == (0, 1)
    landed = list(
        settings_in(tmp_path / "home").landing_path.glob(f"mega/leads/date={moment:%Y-%m-%d}/*")
    )
    assert len(landed) == 1
    assert (tmp_path / "home" / "bi" / "leads.duckdb").stat().st_mtime_ns == published


def on_a_terminal(folder: Path, variables: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """Run the command as somebody at a terminal does; returns its status and all that it wrote."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - our own command
        [str(COMMAND), *arguments],
        cwd=folder,
        env=dict(variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            said += os.read(ours, 65_536)
        except OSError:
            # The other end is closed.
            break
    os.close(ours)
    return process.wait(), said.decode()


@pytest.mark.long
def test_large_first_backfill_on_a_terminal_says_what_it_costs_and_asks_for_a_day(
    mega: tuple[Sandbox, dict[str, str]], tmp_path: Path
) -> None:
    _sandbox, variables = mega
    few = variables | {"LEAD_PIPELINE_LARGE_BACKFILL_REQUESTS": "0"}
    status, said = on_a_terminal(tmp_path, few, "run")
    assert status == 1
    assert "mega has never landed, and all of it is about 1 requests" in " ".join(said.split())
    assert f"run --from {ago(8):%Y-%m-%d}" in " ".join(said.split())
    assert not list((tmp_path / "home" / "landing").glob("mega/leads"))


@pytest.mark.long
def test_accounts_that_have_landed_are_published_at_the_deadline_and_late_ones_after_them(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    for provider in ("mega", "vorel"):
        put_leads(sandbox, provider, 5, at(2))
    sandbox.vorel.faults.add(Fault("slow_body", times=FOREVER, delay=1.0, chunk=200))
    variables = {k: v for k, v in sandbox.environment().items() if k.startswith(("MEGA", "VOREL"))}
    ran = lead_pipeline(
        tmp_path,
        environment(
            tmp_path / "home", {**variables, "LEAD_PIPELINE_PUBLISH_DEADLINE_MINUTES": "0.1"}
        ),
        "run",
        "--from",
        "2026-01-01",
        "--to",
        "2026-01-03",
    )
    assert (ran.status, ran.output.count("publishing …")) == (0, 2)
