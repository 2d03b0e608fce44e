"""Locks: one at a time, the others know for whom they wait, and the dead hold nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lead_pipeline.storage.locks import held, holder_of

_HOLD = """
import sys, time
from pathlib import Path
from lead_pipeline.storage.locks import held
with held(Path(sys.argv[1]), "holding it"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A lock below a folder that does not exist yet."""
    return tmp_path / ".locks" / "account-mega"


def test_free_lock_is_held_at_once_without_a_word(path: Path) -> None:
    told: list[str] = []
    with held(path, "pulling", told.append):
        pass

    assert told == []


def test_holder_is_told_by_process_and_purpose(path: Path) -> None:
    with held(path, "pulling mega/leads"):
        assert holder_of(path).startswith(f"process {os.getpid()} (pulling mega/leads, since 20")


def test_nobody_known_is_another_process(path: Path) -> None:
    assert holder_of(path) == "another process"


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "null"])
def test_damaged_note_of_the_holder_is_another_process(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.with_suffix(".holder").write_text(content)

    assert holder_of(path) == "another process"


def test_patience_ends_with_the_name_of_the_holder(path: Path) -> None:
    with (
        held(path, "loading landed files"),
        pytest.raises(TimeoutError, match=r"process \d+ \(loading landed files, since "),
        held(path, "explaining a lead", patience=0.01),
    ):
        raise AssertionError("two are inside")


def test_who_lost_patience_holds_nothing(path: Path) -> None:
    with held(path, "loading"), suppress(TimeoutError), held(path, "explaining", patience=0.01):
        raise AssertionError("two are inside")
    with held(path, "loading again", patience=0.01):
        assert "loading again" in holder_of(path)


def test_two_threads_are_never_inside_together(path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with held(path, "working"):
            inside += 1
            most = max(most, inside)
            # Long enough for the others to come in, where nothing keeps them out.
            time.sleep(0.05)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1


def test_who_waits_is_told_for_whom(path: Path) -> None:
    told: list[str] = []
    release = threading.Event()

    def tell(message: str) -> None:
        told.append(message)
        release.set()

    def hold() -> None:
        with held(path, "pulling"):
            taken.set()
            release.wait(10)

    taken = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    with held(path, "checking", tell):
        pass
    holder.join()

    assert len(told) == 1
    assert told[0].startswith(f"Waiting for process {os.getpid()} (pulling, since ")
    assert told[0].endswith("before checking.")


def test_lock_is_free_after_an_error_inside(path: Path) -> None:
    with pytest.raises(RuntimeError), held(path, "failing"):
        raise RuntimeError

    with held(path, "going on"):
        pass


def test_process_that_was_killed_holds_nothing(path: Path) -> None:
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", _HOLD, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()

    with held(path, "going on"):
        assert f"process {os.getpid()} (going on" in holder_of(path)
