"""`lead-pipeline status` as operators and their monitoring use it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.cli import main
from lead_pipeline.settings import Settings
from lead_pipeline_tests.health.situations import land, publish
from lead_pipeline_tests.normalized.landings import CrawlPlan, Landing
from lead_pipeline_tests.pulling import at

SECRET = "vapk_live_" + "5ec2e7" * 8


@dataclass(frozen=True)
class Said:
    """How the command ended, and what it wrote."""

    status: int
    output: str
    errors: str

    @property
    def document(self) -> Any:
        return json.loads(self.output)


Status = Callable[..., Said]


@pytest.fixture
def status(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Status:
    """The command in this process, for an account `acme` of Vorel that has its key."""
    file = Path("accounts.toml")
    file.write_text(f'[accounts.acme]\nprovider = "vorel"\napi_key = "{SECRET}"\n')
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(settings.home))
    monkeypatch.setenv("LEAD_PIPELINE_ACCOUNTS", str(file))
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["lead-pipeline", "status", *arguments])
        with pytest.raises(SystemExit) as exited:
            main()
        said = capsys.readouterr()
        return Said(int(exited.value.code or 0), said.out, said.err)

    return run


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--fail-on", "stale")])
def test_a_home_that_is_not_there_is_no_healthy_one(
    status: Status, settings: Settings, arguments: tuple[str, ...]
) -> None:
    said = status(*arguments)
    assert (said.status, said.output) == (1, "")
    assert f"LEAD_PIPELINE_HOME ({settings.home}) is not there." in said.errors
    assert not settings.home.exists()


def test_a_home_that_holds_nothing_is_no_healthy_one(status: Status, settings: Settings) -> None:
    settings.landing_path.mkdir(parents=True)
    said = status()
    assert said.status == 1
    assert "holds no landed leads" in said.errors


def test_findings_are_told_and_fail_nothing_unless_asked_to(
    status: Status, settings: Settings
) -> None:
    land(settings, None, 2)
    publish(settings, at(3))
    said = status()
    assert (said.status, said.errors) == (0, "")
    assert "Finding: gap (acme): Days from 2026-01-03 are not complete." in said.output
    assert "lead-pipeline run --account acme --from 2026-01-03" in said.output


def test_each_finding_of_the_kinds_asked_for_is_one_line_on_standard_error(
    status: Status, settings: Settings
) -> None:
    land(settings, None, 2)
    publish(settings, at(3))
    said = status("--fail-on", "stale,unmapped", "--fail-on", "gap")
    lines = said.errors.splitlines()
    assert said.status == 1
    assert lines[0] == (
        "lead-pipeline: gap (acme): Days from 2026-01-03 are not complete. Since 2026-01-03 "
        "00:00Z. They come with the next run, or with: lead-pipeline run --account acme --from "
        "2026-01-03"
    )
    assert [line.split(":")[1] for line in lines] == [" gap (acme)", " stale (acme)"]


def test_findings_of_other_kinds_do_not_fail(status: Status, settings: Settings) -> None:
    land(settings, None, 2)
    publish(settings, at(3))
    said = status("--fail-on", "rejected,missing-account")
    assert (said.status, said.errors) == (0, "")


@pytest.mark.parametrize("kinds", ["gaps", "gap,", "", "GAP"])
def test_an_unknown_kind_is_a_usage_error_that_lists_the_kinds(status: Status, kinds: str) -> None:
    said = status("--fail-on", kinds)
    assert said.status == 2
    for kind in ("gap", "stale", "rejected", "unmapped", "doubtful", "missing-account"):
        assert kind in said.errors


def test_an_account_without_its_key_fails_where_that_is_asked(
    status: Status, settings: Settings
) -> None:
    Path("accounts.toml").write_text(
        '[accounts.acme]\nprovider = "vorel"\napi_key_env = "ACME_KEY"\n'
    )
    land(settings, None, 2)
    said = status("--fail-on", "missing-account")
    assert said.status == 1
    assert said.errors.startswith("lead-pipeline: missing-account (acme): ")
    assert "Set the variable ACME_KEY" in said.errors


def test_the_document_says_all_that_is_known_of_an_account(
    status: Status, settings: Settings
) -> None:
    done = land(settings, None, 2)
    killed = land(settings, 3, 3, state="running", complete=False, pages=7)
    publish(settings, at(3))
    document = status("--json").document
    [account] = document["accounts"]
    assert account | {"streams": None} == {
        "account": "acme",
        "provider": "vorel",
        "is_declared": True,
        "has_credentials": True,
        "complete_from": None,
        "complete_through": "2026-01-03T00:00:00Z",
        "open_from": "2026-01-03",
        "pending_details": 0,
        "streams": None,
        "rejected": [],
        "deletions": {
            "noticed_by": "crawl, each of which reads the whole list",
            "looked_at": "2026-01-03T02:30:00Z",
            "remark": None,
        },
        "erased": 0,
    }
    assert account["streams"][0] == {
        "stream": "leads",
        "complete_windows": [{"start": None, "end": "2026-01-03T00:00:00Z"}],
        "unfinished_crawls": [
            {
                "crawl_id": killed.crawl_id,
                "state": "running",
                "window": {"start": "2026-01-03T00:00:00Z", "end": "2026-01-04T00:00:00Z"},
                "full": False,
                "pages": 7,
                "started_at": "2026-01-04T02:30:00Z",
            }
        ],
        "records": 0,
        "last_crawl_at": "2026-01-04T02:30:00Z",
        "note": None,
    }
    assert done.crawl_id not in json.dumps(document)


def test_the_document_says_what_readers_have(status: Status, settings: Settings) -> None:
    land(settings, None, 2)
    before = status("--json").document
    publish(settings, at(3))
    published = status("--json").document["published"]
    assert before["published"] is None
    assert published["accounts"] == [
        {"account": "acme", "complete_through": "2026-01-03T00:00:00Z", "leads": 1}
    ]
    assert (published["run_id"], published["is_readable"]) == ("run", True)
    assert published["published_at"].endswith("Z")


def test_the_document_comes_with_the_findings_also_where_they_fail(
    status: Status, settings: Settings
) -> None:
    land(settings, None, 2)
    publish(settings, at(3))
    said = status("--json", "--fail-on", "gap")
    assert said.status == 1
    assert len(said.errors.splitlines()) == 1
    gap, stale = said.document["findings"]
    assert (gap["kind"], gap["account"], gap["since"]) == ("gap", "acme", "2026-01-03T00:00:00Z")
    assert stale["kind"] == "stale"
    assert set(gap) == {"kind", "account", "what", "since", "remedy"}


def test_an_account_that_has_landed_nothing_is_in_the_document(
    status: Status, settings: Settings
) -> None:
    land(settings, None, 2, account="former")
    accounts = {item["account"]: item for item in status("--json").document["accounts"]}
    assert (accounts["acme"]["is_declared"], accounts["acme"]["streams"]) == (True, [])
    assert (accounts["former"]["is_declared"], accounts["former"]["open_from"]) == (
        False,
        "2026-01-03",
    )


def test_neither_secrets_nor_persons_are_in_what_status_says(
    status: Status, settings: Settings
) -> None:
    land(settings, None, 2)
    page = [{"name": "Ada Lovelace", "email": "ada@example.com", "phone": "+14155550123"}]
    Landing(settings).land(CrawlPlan("kept-aside", "vorel", [page], account="acme", at=at(3, 3)))
    for said in (status(), status("--json", "--fail-on", "gap,rejected")):
        everything = said.output + said.errors
        assert "could not be filed (1)" in everything
        assert not [word for word in (SECRET, "Ada", "ada@", "4155550123") if word in everything]
