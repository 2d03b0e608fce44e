"""Log lines: one per event, about an account, a window and a crawl, as text or as JSON."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.logs import ROOT, about, log_of, show, use_format
from lead_pipeline.sandbox import Fault, Sandbox
from lead_pipeline.settings import Settings, load_settings
from lead_pipeline_tests.commands import environment, lead_pipeline
from lead_pipeline_tests.pulling import account_of, at, days, loaded_leads, pull, put_leads

log = log_of("lead_pipeline.tests")


@pytest.fixture
def shown() -> Iterator[io.StringIO]:
    """Where log lines from INFO on go during the test."""
    root = logging.getLogger(ROOT)
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    show("INFO", "text", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    use_format("text")


def test_an_event_is_one_line_and_says_what_it_is_about_first(shown: io.StringIO) -> None:
    with about(crawl="c1", account="mega"):
        log.info("crawl ended", rows=12, seconds=1.26, note=None)
    log.info("load ended", rebuilt=False, at=datetime(2026, 1, 5, 3, tzinfo=UTC))
    first, second = shown.getvalue().splitlines()
    assert first[19:] == "Z INFO    crawl ended account=mega crawl=c1 rows=12 seconds=1.3"
    assert second[20:] == " INFO    load ended rebuilt=false at=2026-01-05T03:00:00Z"


def test_text_of_others_stays_on_its_line(shown: io.StringIO) -> None:
    log.info("request failed", reason='50 % "done"\nand more')
    [line] = shown.getvalue().splitlines()
    assert line.endswith(r'request failed reason="50 % \"done\"\nand more"')


def test_json_is_one_document_a_line_with_the_same_names(shown: io.StringIO) -> None:
    show("INFO", "json", shown)
    with about(account="mega", window="[a, b)"):
        log.info("crawl ended", rows=12, published=True)
    logging.getLogger("lead_pipeline.storage").warning("Waiting for %s.", "process 7")
    first, second = map(json.loads, shown.getvalue().splitlines())
    assert datetime.fromisoformat(first.pop("at")).tzinfo == UTC
    assert first == {
        "level": "info",
        "logger": "lead_pipeline.tests",
        "event": "crawl ended",
        "account": "mega",
        "window": "[a, b)",
        "rows": 12,
        "published": True,
    }
    assert (second["level"], second["event"]) == ("warning", "Waiting for process 7.")


def test_what_is_less_grave_than_asked_for_is_not_shown(shown: io.StringIO) -> None:
    show("WARNING", "text", shown)
    log.info("crawl begins")
    log.warning("crawl stopped")
    assert [line[20:] for line in shown.getvalue().splitlines()] == [" WARNING crawl stopped"]


def test_others_that_listen_get_the_whole_line_as_the_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As Dagster does for the log of a run."""
    caplog.set_level("INFO", logger=ROOT)
    log.info("published", run="r1", leads=3)
    assert caplog.messages == ["published run=r1 leads=3"]


def test_each_line_of_a_crawl_names_account_window_and_crawl(
    sandbox: Sandbox, settings: Settings, shown: io.StringIO
) -> None:
    show("INFO", "json", shown)
    put_leads(sandbox, "mega", 3, at(1))
    sandbox.mega.faults.add(Fault("status", at=1, status=503))
    commit = pull(settings, account_of(sandbox, "mega"), days(1))
    lines = [json.loads(line) for line in shown.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["crawl begins", "request failed", "crawl ended"]
    assert {(line["account"], line["window"], line["crawl"]) for line in lines} == {
        ("mega", "[(everything before), 2026-01-02T00:00Z)", commit.crawl_id)
    }
    ended = lines[-1]
    assert (ended["rows"], ended["requests"], ended["retries"], ended["state"]) == (
        3,
        commit.requests,
        1,
        "complete",
    )


def test_a_crawl_that_stops_says_so_with_the_kind_of_error(
    sandbox: Sandbox, settings: Settings, shown: io.StringIO
) -> None:
    sandbox.mega.faults.add(Fault("status", at=1, times=9, status=403))
    with pytest.raises(Exception, match="may not read this"):
        pull(settings, account_of(sandbox, "mega"), days(1))
    last = shown.getvalue().splitlines()[-1]
    assert " WARNING crawl stopped account=mega stream=leads " in last
    assert "error=AccessRefused" in last


def test_a_load_says_what_it_has_loaded(
    sandbox: Sandbox, settings: Settings, shown: io.StringIO
) -> None:
    put_leads(sandbox, "mega", 3, at(1))
    pull(settings, account_of(sandbox, "mega"), days(1))
    loaded_leads(settings)
    last = shown.getvalue().splitlines()[-1]
    assert "load ended files=1 rows=3 leads_changed=3 rebuilt=false" in last


def test_neither_keys_nor_persons_are_in_log_lines(
    sandbox: Sandbox, settings: Settings, shown: io.StringIO
) -> None:
    put_leads(sandbox, "vorel", 3, at(1))
    account = account_of(sandbox, "vorel")
    pull(settings, account, days(1))
    loaded_leads(settings)
    lines = shown.getvalue()
    persons = {str(record["name"]) for record in sandbox.vorel.store}
    assert len(lines.splitlines()) == 3
    assert not [word for word in {*account.credentials.values(), *persons} if word in lines]


@pytest.fixture
def landed(sandbox: Sandbox, settings: Settings) -> Mapping[str, str]:
    """The environment of a home in which MEGA has landed a day that is not loaded."""
    put_leads(sandbox, "mega", 3, at(1))
    pull(settings, account_of(sandbox, "mega"), days(1))
    loaded_leads(settings)
    return environment(settings.home)


@pytest.mark.parametrize(
    ("arguments", "variables", "is_shown"),
    [
        (("verify",), {}, False),
        (("--verbose", "verify"), {}, True),
        (("verify",), {"LEAD_PIPELINE_LOG_LEVEL": "info"}, True),
        (("-v", "verify"), {"LEAD_PIPELINE_LOG_LEVEL": "error"}, False),
    ],
)
def test_a_command_shows_log_lines_where_it_is_asked_to(
    landed: Mapping[str, str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    is_shown: bool,
) -> None:
    ran = lead_pipeline(tmp_path, {**landed, **variables}, *arguments)
    assert ran.status == 0
    assert (" INFO    verified tables=" in ran.errors) == is_shown
    assert bool(ran.errors) == is_shown


@pytest.mark.parametrize(
    ("variable", "value"),
    [("LEAD_PIPELINE_LOG_LEVEL", "loud"), ("LEAD_PIPELINE_LOG_FORMAT", "xml")],
)
def test_a_wrong_setting_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"{variable}: "):
        load_settings()
