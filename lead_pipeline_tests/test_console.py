"""What is said reaches every terminal: any encoding, any width, loud or quiet."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import Ran, environment, lead_pipeline
from lead_pipeline_tests.health.situations import land, publish
from lead_pipeline_tests.pulling import at

COMMANDS = [
    "run",
    "poll",
    "demo",
    "sandbox",
    "check",
    "status",
    "explain",
    "replay-rejected",
    "rebuild",
    "verify",
    "scrub",
    "compact",
    "publish",
    "rollback",
    "serve",
    "fetch",
    "forget",
    "retention",
    "new-model",
    "new-provider",
    "alerts",
]


@pytest.fixture
def some_days(settings: Settings) -> Mapping[str, str]:
    """The environment of a home in which two days have landed and are published."""
    land(settings, None, 2)
    publish(settings, at(3))
    return environment(settings.home, {"VOREL_BASE_URL": "http://127.0.0.1:9"})


def status(folder: Path, variables: Mapping[str, str], **more: str) -> Ran:
    return lead_pipeline(folder, {**variables, **more}, "status")


def test_the_version_is_one_line(tmp_path: Path) -> None:
    ran = lead_pipeline(tmp_path, environment(tmp_path / "home"), "--version")
    assert (ran.status, ran.errors) == (0, "")
    assert re.fullmatch(r"lead-pipeline \d+\.\d+\.\d+\n", ran.output)


@pytest.mark.parametrize(
    "odd",
    [
        {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
    ],
    ids=lambda odd: " ".join(odd.values()),
)
def test_an_encoding_without_our_characters_gets_plain_ones(
    tmp_path: Path, some_days: Mapping[str, str], odd: dict[str, str]
) -> None:
    ran = status(tmp_path, some_days, **odd)
    assert (ran.status, ran.errors) == (0, "")
    assert "[..., 2026-01-03)" in ran.output
    rows = [line for line in ran.output.splitlines() if line.startswith("| acme/leads")]
    header = [line for line in ran.output.splitlines() if line.startswith("| stream ")]
    assert [len(row) for row in rows] == [len(header[0])]


@pytest.mark.parametrize("columns", ["20", "40", "7", "0", "-3", "many"])
def test_a_table_that_does_not_fit_becomes_a_list_and_loses_nothing(
    tmp_path: Path, some_days: Mapping[str, str], columns: str
) -> None:
    ran = status(tmp_path, some_days, COLUMNS=columns)
    assert (ran.status, ran.errors) == (0, "")
    for value in ("acme/leads", "acme/stale_leads", "[…, 2026-01-03)", "2026-01-03 02:30Z"):
        assert value in ran.output
    assert ("- stream: acme/leads" in ran.output) == (columns in ("20", "40"))


@pytest.mark.parametrize("columns", ["20", "0"])
def test_help_is_there_at_any_width(tmp_path: Path, columns: str) -> None:
    variables = environment(tmp_path / "home", {"COLUMNS": columns})
    assert "status" in lead_pipeline(tmp_path, variables, "--help").output


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_what_to_put_in_place_of_types_of_python(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lead_pipeline.cli import app

    monkeypatch.setenv("COLUMNS", "200")
    app([*command.split(), "--help"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "--help" in shown
    assert re.findall(r"\b(?:TEXT|INTEGER|FLOAT|PATH|BOOLEAN)\b|%[YmdH]|<\w+>", shown) == []


def test_quiet_says_only_the_last_word(tmp_path: Path, some_days: Mapping[str, str]) -> None:
    ran = lead_pipeline(tmp_path, some_days, "--quiet", "status")
    assert ran.status == 0
    assert {line.partition(":")[0] for line in ran.output.splitlines()} == {"Finding"}


def test_quiet_says_what_failed(tmp_path: Path, some_days: Mapping[str, str]) -> None:
    ran = lead_pipeline(tmp_path, some_days, "-q", "check")
    assert (ran.status, ran.output) == (1, "")
    assert "VOREL_API_KEY" in ran.last_line


def test_quiet_and_verbose_exclude_each_other(tmp_path: Path) -> None:
    ran = lead_pipeline(tmp_path, environment(tmp_path / "home"), "-q", "-v", "status")
    assert ran.status == 2
    assert "exclude each other" in ran.last_line


def test_a_shell_is_given_its_completion(tmp_path: Path) -> None:
    variables = {
        **environment(tmp_path / "home"),
        "_LEAD_PIPELINE_COMPLETE": "complete_bash",
        "COMP_WORDS": "lead-pipeline re",
        "COMP_CWORD": "1",
    }
    ran = lead_pipeline(tmp_path, variables)
    assert set(ran.output.split()) == {"rebuild", "replay-rejected", "retention"}
    assert not (tmp_path / "home").exists()


def test_completion_can_be_installed(tmp_path: Path) -> None:
    shown = lead_pipeline(tmp_path, environment(tmp_path / "home"), "--help").output
    assert "--install-completion" in shown
    assert "--show-completion" in shown


PROGRESS = """
import time
from lead_pipeline.commands import console
console.NOW_AND_THEN = 0.2
with console.working("Counting leaves") as tell:
    time.sleep(0.7)
    tell("Half of them.")
print("done")
"""


def test_what_takes_long_says_now_and_then_that_it_goes_on(tmp_path: Path) -> None:
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROGRESS], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    lines = ran.stdout.splitlines()
    assert lines[0] == "Counting leaves …"
    assert lines[1] == "Counting leaves: 0 s so far"
    assert lines[-2:] == ["Half of them.", "done"]
