"""Alerts as users of the command line meet them: real processes, real servers on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline_tests.alerts.servers import MailServer, WebServer, mail_server, web_server
from lead_pipeline_tests.commands import Ran, environment, lead_pipeline, personal_data
from lead_pipeline_tests.pulling import at

WRONG_TOKEN = "mega_" + "0badcafe" * 8
PASSWORD = "p4ssword-of-the-mail-server"
DAYS = ("run", "--from", "2026-01-01", "--to", "2026-01-03")


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def test_test_says_of_each_channel_that_the_message_was_taken(
    tmp_path: Path, home: Path, web: WebServer, mail: MailServer
) -> None:
    variables = {
        "LEAD_PIPELINE_ALERT_WEBHOOK": f"{web.url}/hook",
        "LEAD_PIPELINE_ALERT_EMAIL": "ops@example.com",
        "LEAD_PIPELINE_SMTP_URL": mail.url,
        "LEAD_PIPELINE_HEARTBEAT_URL": f"{web.url}/beat",
    }
    ran = lead_pipeline(tmp_path, environment(home, variables), "alerts", "test")
    assert (ran.status, ran.errors) == (0, "")
    assert ran.output == "webhook: the test was taken\nemail: the test was taken\n"
    assert [text.splitlines()[-1] for text in (*web.texts, *mail.texts)] == [
        "Alerts of lead-pipeline arrive here. Nothing is wrong."
    ] * 2
    assert web.beats == 0
    assert not home.exists()


def test_test_fails_where_one_channel_does_not_take_the_message(
    tmp_path: Path, home: Path, web: WebServer, mail: MailServer
) -> None:
    web.status = 404
    variables = {
        "LEAD_PIPELINE_ALERT_WEBHOOK": f"{web.url}/s3cret",
        "LEAD_PIPELINE_ALERT_EMAIL": "ops@example.com",
        "LEAD_PIPELINE_SMTP_URL": mail.url,
    }
    ran = lead_pipeline(tmp_path, environment(home, variables), "alerts", "test")
    assert ran.status == 1
    assert "email: the test was taken\n" in ran.output
    assert ran.last_line == (
        "lead-pipeline: webhook failed: the server answered 404. Correct "
        "LEAD_PIPELINE_ALERT_WEBHOOK."
    )
    assert "s3cret" not in ran.output + ran.errors


def test_test_without_a_channel_says_what_to_set(tmp_path: Path, home: Path) -> None:
    ran = lead_pipeline(tmp_path, environment(home), "alerts", "test")
    assert (ran.status, ran.output) == (1, "")
    assert "Set LEAD_PIPELINE_ALERT_WEBHOOK, or LEAD_PIPELINE_ALERT_EMAIL" in ran.last_line


@dataclass(frozen=True)
class Nights:
    """The same range pulled with a token that MEGA refuses, and then with the right one."""

    home: Path
    sandbox: Sandbox
    web: WebServer
    mail: MailServer
    refused: Ran
    beats_after_refused: int
    fixed: Ran


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    folder = tmp_path_factory.mktemp("nights")
    world = World(start=date(2026, 1, 1), leads_per_day=2, leads_at_start=5)
    with (
        Sandbox(world, limits=False) as sandbox,
        web_server() as web,
        mail_server({"robot": PASSWORD}) as mail,
    ):
        sandbox.set_clock(at(4, 2, 30))
        served = sandbox.environment()
        variables = environment(
            folder / "home",
            {
                **{name: served[name] for name in served if not name.startswith("EXPERT")},
                "LEAD_PIPELINE_ALERT_WEBHOOK": f"{web.url}/hook",
                "LEAD_PIPELINE_ALERT_EMAIL": "ops@example.com",
                "LEAD_PIPELINE_SMTP_URL": mail.url_for(f"robot:{PASSWORD}"),
                "LEAD_PIPELINE_HEARTBEAT_URL": f"{web.url}/beat",
            },
        )
        refused = lead_pipeline(folder, variables | {"MEGA_TOKEN": WRONG_TOKEN}, *DAYS)
        beats = web.beats
        fixed = lead_pipeline(folder, variables, *DAYS)
        yield Nights(folder / "home", sandbox, web, mail, refused, beats, fixed)


@pytest.mark.long
def test_refused_key_is_told_by_each_channel_once_and_its_end_once(nights: Nights) -> None:
    assert (nights.refused.status, nights.fixed.status) == (1, 0)
    for texts in (nights.web.texts, nights.mail.texts):
        everything = "\n".join(texts)
        assert everything.count("ERROR mega: the key is refused\n") == 1
        assert everything.count("OVER mega: the key is refused\n") == 1
        assert everything.index("ERROR mega: the key") < everything.index("OVER mega: the key")
        # The account beside it has failed at nothing.
        assert "vorel: a run failed" not in everything


@pytest.mark.long
def test_heartbeat_follows_only_the_night_in_which_all_went_well(nights: Nights) -> None:
    assert (nights.beats_after_refused, nights.web.beats) == (0, 1)


@pytest.mark.long
def test_alerts_change_nothing_of_what_the_command_says(nights: Nights) -> None:
    assert nights.refused.last_line.startswith("lead-pipeline: landing of mega failed: ")
    assert nights.fixed.errors == ""


@pytest.mark.long
def test_nothing_private_arrives_or_is_kept_beside_the_data(nights: Nights) -> None:
    secrets = {
        value
        for name, value in nights.sandbox.environment().items()
        if "TOKEN" in name or "KEY" in name
    }
    private = {text.decode() for text in personal_data(nights.sandbox)} | secrets
    private |= {WRONG_TOKEN, PASSWORD, "/hook", "/beat"}
    kept = (nights.home / "alerts.json").read_text()
    arrived = "\n".join([*nights.web.texts, *nights.mail.texts, kept])
    assert len(private) > 20
    assert [text for text in private if text in arrived] == []


def test_run_that_cannot_even_begin_is_told(tmp_path: Path, home: Path, web: WebServer) -> None:
    variables = {"LEAD_PIPELINE_ALERT_WEBHOOK": f"{web.url}/hook", "MEGA_TOKEN": "a-token"}
    ran = lead_pipeline(tmp_path, environment(home, variables), "run")
    assert ran.status == 1
    [text] = web.texts
    assert "ERROR mega: credentials are missing\n" in text
    assert "MEGA_CUSTOMER_ID" in text
    assert "a-token" not in text


@pytest.mark.long
def test_account_that_somebody_has_mistyped_is_told_to_that_somebody_alone(
    tmp_path: Path, home: Path, web: WebServer
) -> None:
    variables = {"LEAD_PIPELINE_ALERT_WEBHOOK": f"{web.url}/hook", "VOREL_API_KEY": "a-key"}
    ran = lead_pipeline(tmp_path, environment(home, variables), "run", "--account", "voral")
    assert "There is no account 'voral'" in ran.last_line
    assert web.texts == []
