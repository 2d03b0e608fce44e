"""An erasure that is killed before any of its file operations is completed, by hashes alone."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from lead_pipeline.erasure.erase import resumed
from lead_pipeline.erasure.persons import Persons
from lead_pipeline.errors import LoadError
from lead_pipeline.landing.erasures import pending_erasures
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import lead_id
from lead_pipeline.settings import Settings
from lead_pipeline_tests.erasure.homes import (
    PERSON,
    ErasureHome,
    holding,
    rows_of,
    tables_without,
)
from lead_pipeline_tests.erasure.killing import run_killed_at
from lead_pipeline_tests.erasure.test_forget import TELLING

NOBODY = Persons((), frozenset(), frozenset(), (), ())
"""It is not said again who is meant."""
pytestmark = pytest.mark.timeout(3600)


def at_home(home: ErasureHome, path: Path) -> ErasureHome:
    """A copy of a home."""
    shutil.copytree(home.settings.home, path, symlinks=True)
    return replace(home, settings=home.settings.model_copy(update={"home": path}))


def complete_with(home: ErasureHome, who: str) -> None:
    """As `forget --resume` does it, or the same command again where nothing was noted yet."""
    interrupted = pending_erasures(home.settings)
    if interrupted:
        home.complete(resumed(home.settings, interrupted[0]), NOBODY)
    else:
        home.forget(who)


def is_refused_or_right(settings: Settings) -> None:
    """A load after a kill never sees half of an erasure."""
    try:
        load_landing(settings)
    except LoadError as error:
        assert "forget --resume" in str(error)  # noqa: PT017 - either is right


def check_kills(home: ErasureHome, tmp_path: Path, steps: Iterable[int] | None = None) -> int:
    done = at_home(home, tmp_path / "done")
    done.forget(lead_id(PERSON))
    expected, tables = rows_of(done.settings), tables_without(done.settings)
    for step in steps or count(1):
        killed = at_home(home, tmp_path / "killed")
        work = partial(killed.forget, lead_id(PERSON))
        status = run_killed_at(step, killed.settings.home, work)
        assert status in (0, -signal.SIGKILL)
        is_refused_or_right(killed.settings)
        if status:
            complete_with(killed, lead_id(PERSON))
        assert rows_of(killed.settings) == expected
        assert tables_without(killed.settings) == tables
        assert holding(killed.settings.home, *TELLING) == []
        assert pending_erasures(killed.settings) == []
        assert not list(killed.landing.rglob(".*.tmp"))
        shutil.rmtree(killed.settings.home)
        if status == 0:
            break
    return step


@pytest.mark.long
def test_a_kill_before_any_file_operation_is_made_good(lived: ErasureHome, tmp_path: Path) -> None:
    assert check_kills(lived, tmp_path) > 60


@pytest.mark.long
def test_a_kill_before_some_of_them_is_made_good(lived: ErasureHome, tmp_path: Path) -> None:
    """Two of them, far apart; `make test-long` has them all."""
    check_kills(lived, tmp_path, (5, 26))
