"""Alerts of a night: each cause once a day and once when it is over, to whom, and never in the way."""

from __future__ import annotations

import multiprocessing
import socket
import time
from datetime import timedelta
from pathlib import Path

import pytest

from lead_pipeline.alerts.failures import Ended
from lead_pipeline.alerts.night import CAUSES_PER_MESSAGE, after_runs
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline_tests.alerts.healthy import (
    LANDED,
    NOON,
    PUBLISHED,
    REFUSED,
    look,
    make_healthy,
    told,
)
from lead_pipeline_tests.alerts.servers import MailServer, WebServer, silent_server
from lead_pipeline_tests.health.situations import land, publish
from lead_pipeline_tests.pulling import at, settings_in

DAY = timedelta(days=1)


@pytest.fixture
def well(home: Path, web: WebServer, mail: MailServer) -> Settings:
    """Nothing is wrong, and both servers are told."""
    settings = told(home, web, mail)
    make_healthy(settings)
    return settings


def test_nobody_is_told_while_all_is_well(well: Settings, web: WebServer, mail: MailServer) -> None:
    assert look(well, LANDED, PUBLISHED) == []
    assert (web.requests, mail.mails) == ([], [])


def test_alert_says_what_where_since_when_and_what_to_do(
    well: Settings, web: WebServer, mail: MailServer
) -> None:
    look(well, REFUSED, PUBLISHED)

    told_text = (
        f"lead-pipeline: acme: the key is refused (on {socket.gethostname()})\n\n"
        "ERROR acme: the key is refused\n"
        "acme answered 401: the credentials are wrong or revoked.\n"
        "Since 2026-01-05 12:00Z.\n"
        "To do: Correct the credentials, see lead-pipeline check, then lead-pipeline run "
        "--account acme."
    )
    assert web.texts == [told_text]
    assert mail.texts == [told_text]
    assert mail.mails[0]["Subject"] == "lead-pipeline: acme: the key is refused"


def test_same_cause_is_told_once_a_day(well: Settings, web: WebServer, mail: MailServer) -> None:
    for hours in (0, 1, 12, 22):
        look(well, REFUSED, now=at(5, 0, 30) + timedelta(hours=hours))
    assert (len(web.texts), len(mail.texts)) == (1, 1)

    # The run of the next night ends some minutes earlier than that of the night before.
    look(well, REFUSED, now=at(6, 0, 20))
    assert (len(web.texts), len(mail.texts)) == (2, 2)
    assert "Since 2026-01-05 00:30Z." in web.texts[1]


def test_end_of_a_cause_is_told_once(well: Settings, web: WebServer, mail: MailServer) -> None:
    look(well, REFUSED)
    for minutes in (60, 61, 62):
        look(well, LANDED, now=NOON + timedelta(minutes=minutes))

    over = (
        f"lead-pipeline: over: acme: the key is refused (on {socket.gethostname()})\n\n"
        "OVER acme: the key is refused\nOver since 2026-01-05 13:00Z. It began 2026-01-05 12:00Z."
    )
    assert web.texts[1:] == [over]
    assert mail.texts[1:] == [over]


def test_cause_that_comes_back_is_told_again(well: Settings, web: WebServer) -> None:
    for minute, ended in enumerate([REFUSED, LANDED, REFUSED]):
        look(well, ended, now=NOON + timedelta(minutes=minute))

    assert [text.splitlines()[2].split()[0] for text in web.texts] == ["ERROR", "OVER", "ERROR"]


def test_run_of_one_account_ends_no_cause_of_another(well: Settings, web: WebServer) -> None:
    look(well, REFUSED)
    look(well, Ended.landing("other", None), PUBLISHED)

    assert len(web.texts) == 1


def test_causes_that_show_together_are_one_message(well: Settings, web: WebServer) -> None:
    look(well, REFUSED, Ended.publication("dbt build failed: a test.", "PublishError"))

    [text] = web.texts
    assert text.startswith("lead-pipeline: 2 to look at")
    assert text.count("ERROR") == 2
    assert "ERROR bi/published: the build is refused, readers keep the last file" in text


def test_many_causes_are_several_messages_in_which_each_is_once(
    well: Settings, web: WebServer
) -> None:
    names = [f"account_{number:03}" for number in range(2 * CAUSES_PER_MESSAGE + 1)]
    look(well, *(Ended.landing(name, "It is down.") for name in names))

    assert len(web.texts) == 3
    assert [sum(f"ERROR {name}:" in text for text in web.texts) for name in names] == [1] * len(
        names
    )


def test_what_could_not_be_delivered_is_told_the_next_time_and_only_there(
    well: Settings, web: WebServer, mail: MailServer
) -> None:
    web.status = 503
    said = look(well, REFUSED)
    assert said == [
        "An alert by webhook was not delivered: the server answered 503. Correct "
        "LEAD_PIPELINE_ALERT_WEBHOOK."
    ]
    web.status, web.requests = 200, []
    assert look(well, REFUSED) == []
    assert look(well, REFUSED) == []

    assert (len(web.texts), len(mail.texts)) == (1, 1)


def test_end_that_could_not_be_delivered_is_told_the_next_time(
    well: Settings, web: WebServer
) -> None:
    look(well, REFUSED)
    web.status = 503
    look(well, LANDED, now=NOON + timedelta(hours=1))
    web.status, web.requests = 200, []
    look(well, now=NOON + timedelta(hours=2))

    [text] = web.texts
    assert "Over since 2026-01-05 13:00Z" in text


def test_nobody_hears_that_something_is_over_that_nobody_was_told(
    well: Settings, web: WebServer, mail: MailServer
) -> None:
    web.status, mail.refused = 503, frozenset({"ops@example.com"})
    look(well, REFUSED)
    web.status, web.requests, mail.refused = 200, [], frozenset()
    look(well, LANDED)

    assert (web.requests, mail.mails) == ([], [])


def test_server_that_says_nothing_holds_up_the_night_ten_seconds_at_most(
    home: Path, mail: MailServer
) -> None:
    with silent_server() as place:
        settings = settings_in(
            home,
            accounts=told(home).accounts,
            alert_webhook=f"http://{place}/",
            alert_email="ops@example.com",
            smtp_url=mail.url,
        )
        make_healthy(settings)
        began = time.monotonic()
        [said] = look(settings, REFUSED)
        took = time.monotonic() - began

    assert "An alert by webhook was not delivered: " in said
    assert took < 20
    assert len(mail.texts) == 1


def test_somebody_who_keeps_the_ledger_holds_up_the_night_for_some_seconds_at_most(
    well: Settings, web: WebServer
) -> None:
    with held(well.alerts_lock, "telling of alerts"):
        said = look(well, REFUSED)

    assert [sentence for sentence in said if sentence.startswith("Alerts could not be sent: ")]
    assert web.requests == []


def test_half_a_ledger_of_a_killed_process_is_removed_by_the_next_one(well: Settings) -> None:
    mine = well.home / ".alerts.json.4711-0a1b2c3d.tmp"
    another = well.home / ".demo.json.4711-0a1b2c3d.tmp"
    for path in (mine, another):
        path.write_text("{")
    runs(well, Ended.landing("mega", "It failed."))
    assert (mine.exists(), another.exists()) == (False, True)


def test_damaged_ledger_is_begun_again(well: Settings, web: WebServer) -> None:
    look(well, REFUSED)
    well.alerts_path.write_bytes(b'{"causes": {"refused')
    look(well, REFUSED)
    look(well, REFUSED)

    assert len(web.texts) == 2


def test_damaged_landing_leaves_findings_as_they_were_and_tells_the_rest(
    well: Settings, web: WebServer
) -> None:
    commit = land(well, 5, 5, state="stuck", complete=False)
    look(well, now=NOON)
    assert "WARNING acme: a crawl is not finished" in web.texts[0]
    path = well.landing_path / "acme" / "_crawls" / f"{commit.crawl_id}.json"
    path.write_bytes(b"{")
    said = look(well, REFUSED, now=NOON)

    assert [sentence for sentence in said if "healthy was not evaluated" in sentence]
    assert "ERROR acme: the key is refused" in web.texts[1]
    assert "OVER" not in web.texts[1]


def look_from_a_process(settings: Settings, barrier: multiprocessing.synchronize.Barrier) -> None:
    barrier.wait()
    assert look(settings, REFUSED) == []


@pytest.mark.long
def test_two_processes_at_once_tell_a_cause_once(
    well: Settings, web: WebServer, mail: MailServer
) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [
        context.Process(target=look_from_a_process, args=(well, barrier)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0]
    assert (len(web.texts), len(mail.texts)) == (1, 1)


def test_without_a_channel_nothing_is_kept(home: Path) -> None:
    settings = told(home)
    assert look(settings, REFUSED) == []
    assert not settings.alerts_path.exists()


def test_account_that_lacks_credentials_is_one_cause(well: Settings, web: WebServer) -> None:
    assert well.accounts is not None
    well.accounts.write_text('[[accounts]]\nname = "acme"\nprovider = "vorel"\n')
    look(well, Ended.landing("acme", "Account acme cannot be used: add `api_key`."))

    [text] = web.texts
    assert text.startswith("lead-pipeline: acme: credentials are missing")
    assert text.count("ERROR") == 1


def test_crawl_that_is_not_believed_is_one_cause(well: Settings, web: WebServer) -> None:
    land(well, 5, 5, state="doubtful", complete=False, doubt="3 records came")
    look(well, Ended.landing("acme", "The crawl is doubtful.", "DoubtfulCrawl"))

    [text] = web.texts
    assert text.count("ERROR") == 1
    assert "3 records came" in text


def test_heartbeat_follows_a_night_in_which_all_went_well(well: Settings, web: WebServer) -> None:
    look(well, LANDED, PUBLISHED, is_whole=True)
    assert web.requests == [("GET", "/beat", b"")]


@pytest.mark.parametrize(
    ("ended", "is_whole"),
    [
        pytest.param([REFUSED, PUBLISHED], True, id="an account failed"),
        pytest.param([LANDED, Ended.publication("A test failed.")], True, id="nothing published"),
        pytest.param([LANDED, PUBLISHED], False, id="only one account was asked for"),
    ],
)
def test_no_heartbeat_follows_another_night(
    well: Settings, web: WebServer, ended: list[Ended], is_whole: bool
) -> None:
    look(well, *ended, is_whole=is_whole)
    assert web.beats == 0


def test_heartbeat_that_is_not_taken_is_told_and_fails_nothing(
    well: Settings, web: WebServer
) -> None:
    web.status = 404
    assert look(well, LANDED, PUBLISHED, is_whole=True) == [
        "The heartbeat was not delivered: the server answered 404. Correct "
        "LEAD_PIPELINE_HEARTBEAT_URL."
    ]


def runs(settings: Settings, *ended: Ended, day: int = 5, is_published: bool = True) -> None:
    said: list[str] = []
    after_runs(settings, ended, said.append, is_published=is_published, now=at(day, 12))
    assert said == []


def test_publication_after_separate_runs_is_a_good_night_when_nothing_bad_is_known(
    well: Settings, web: WebServer
) -> None:
    runs(well, LANDED, PUBLISHED)
    runs(well, PUBLISHED)
    assert web.beats == 1
    land(well, None, 5)
    publish(well, at(6))
    runs(well, LANDED, PUBLISHED, day=6)
    assert web.beats == 2


def test_separate_runs_are_no_good_night_while_an_account_has_failed_or_is_late(
    well: Settings, web: WebServer
) -> None:
    runs(well, REFUSED, is_published=False)
    runs(well, PUBLISHED)
    assert web.beats == 0
    runs(well, LANDED, is_published=False)
    assert web.beats == 0
    # Nothing has landed of the 5th.
    runs(well, PUBLISHED, day=6)
    assert web.beats == 0
