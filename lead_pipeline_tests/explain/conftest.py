"""The command `lead-pipeline explain` in this process, on a landing that a test writes."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from lead_pipeline.cli import main
from lead_pipeline.commands.console import PIPED_WIDTH, console
from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import Ran
from lead_pipeline_tests.normalized.landings import Landing

Explain = Callable[..., Ran]
Explained = Callable[[str], Any]


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


@pytest.fixture
def explain(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Explain:
    """Run `lead-pipeline explain` with these arguments."""
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(settings.home))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    # Whatever the tests' own output goes to.
    monkeypatch.setattr(console, "width", PIPED_WIDTH)

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["lead-pipeline", "explain", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main()
        said = capsys.readouterr()
        return Ran(int(exited.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def explained(explain: Explain) -> Explained:
    """The lead of `--json`, once the command has succeeded without a word beside it."""

    def run(text: str) -> Any:
        ran = explain(text, "--json")
        assert (ran.status, ran.errors) == (0, "")
        return json.loads(ran.output)["lead"]

    return run
