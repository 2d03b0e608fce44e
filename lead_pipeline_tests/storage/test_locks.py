"""Locks: one at a time, the others know for whom they wait, and the dead hold nothing.

The contract of every kind: of files in one home, and of a team's homes with PostgreSQL between them.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from lead_pipeline.storage.locks import held, holder_of, is_held, waits_heard
from lead_pipeline_tests.deploy.database import Database
from lead_pipeline_tests.storage.lock_kinds import Contest, take_locks_of

HOLDER = r"process \d+ (on \S+ )?"
"""A process; of a team's also the machine."""
AT_ONCE = 5.0
"""Seconds within which a lock is free for the next one, on a machine that is busy."""


@pytest.fixture(params=["folder", "team"])
def contest(request: pytest.FixtureRequest, tmp_path: Path) -> Contest:
    """A lock below folders that do not exist yet."""
    here = tmp_path / "home" / ".locks" / "account-mega"
    if request.param == "folder":
        return Contest(here, here)
    database: Database = request.getfixturevalue("database")
    there = tmp_path / "another" / ".locks" / "account-mega"
    for path in (here, there):
        take_locks_of(path.parent.parent, database.url)
    return Contest(here, there, database.url)


def test_free_lock_is_held_at_once_without_a_word(contest: Contest) -> None:
    told: list[str] = []
    with held(contest.here, "pulling", told.append):
        pass

    assert told == []


def test_holder_is_told_by_process_and_purpose(contest: Contest) -> None:
    with held(contest.here, "pulling mega/leads"):
        told = holder_of(contest.there)

    assert told.startswith(f"process {os.getpid()} ")
    assert "(pulling mega/leads, since 20" in told


def test_nobody_known_is_another_process(contest: Contest) -> None:
    assert holder_of(contest.here) == "another process"


def test_a_lock_is_seen_to_be_held_from_everywhere_while_it_is(contest: Contest) -> None:
    assert not is_held(contest.there)
    with held(contest.here, "pulling"):
        assert is_held(contest.here)
        assert is_held(contest.there)
    assert not is_held(contest.here)
    assert not is_held(contest.there)


def test_asking_makes_no_file(contest: Contest) -> None:
    is_held(contest.here)
    holder_of(contest.here)

    assert not contest.here.parent.exists()


def test_patience_ends_with_the_name_of_the_holder(contest: Contest) -> None:
    with (
        held(contest.there, "loading landed files"),
        pytest.raises(TimeoutError, match=rf"{HOLDER}\(loading landed files, since "),
        held(contest.here, "explaining a lead", patience=0.01),
    ):
        raise AssertionError("two are inside")


def test_who_lost_patience_holds_nothing(contest: Contest) -> None:
    with (
        held(contest.there, "loading"),
        suppress(TimeoutError),
        held(contest.here, "explaining", patience=0.01),
    ):
        raise AssertionError("two are inside")
    with held(contest.there, "loading again", patience=0.01):
        assert "loading again" in holder_of(contest.here)


def test_a_thread_that_would_wait_for_itself_is_told_so(contest: Contest) -> None:
    with (
        held(contest.here, "loading"),
        pytest.raises(
            RuntimeError, match="verifying would wait for ever: this thread has the lock"
        ),
        held(contest.here, "verifying"),
    ):
        raise AssertionError("two are inside")


def test_two_threads_are_never_inside_together(contest: Contest) -> None:
    inside, most = 0, 0

    def work(path: Path) -> None:
        nonlocal inside, most
        with held(path, "working"):
            inside += 1
            most = max(most, inside)
            # Long enough for the others to come in, where nothing keeps them out.
            time.sleep(0.05)
            inside -= 1

    paths = [contest.here, contest.there] * 4
    threads = [threading.Thread(target=work, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1


def test_processes_are_never_inside_together(contest: Contest, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    with ExitStack() as stack:
        processes = [stack.enter_context(contest.counting_there(counter)) for _ in range(3)]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("begin\n")
            process.stdin.flush()
        for _ in range(20):
            with held(contest.here, "counting"):
                counter.write_text(str(int(counter.read_text()) + 1))
        assert [process.wait(60) for process in processes] == [0, 0, 0]

    assert counter.read_text() == "80"


def test_who_waits_is_told_for_whom(contest: Contest) -> None:
    told: list[str] = []
    heard: list[str] = []
    release = threading.Event()

    def tell(message: str) -> None:
        told.append(message)
        release.set()

    def hold() -> None:
        with held(contest.there, "pulling"):
            taken.set()
            release.wait(10)

    taken = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    with waits_heard(heard.append), held(contest.here, "checking", tell):
        pass
    holder.join()

    assert len(told) == 1
    assert told[0].startswith(f"Waiting for process {os.getpid()} ")
    assert "(pulling, since " in told[0]
    assert told[0].endswith("before checking.")
    assert heard == told


def test_lock_is_free_after_an_error_inside(contest: Contest) -> None:
    with pytest.raises(RuntimeError), held(contest.here, "failing"):
        raise RuntimeError

    with held(contest.there, "going on", patience=0):
        pass


def test_process_that_was_killed_holds_nothing(contest: Contest) -> None:
    with contest.held_there() as process:
        assert is_held(contest.here)
        process.send_signal(signal.SIGKILL)
        process.wait()

        with held(contest.here, "going on", patience=AT_ONCE):
            assert f"process {os.getpid()} " in holder_of(contest.here)


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "null"])
def test_damaged_note_of_the_holder_is_another_process(tmp_path: Path, content: str) -> None:
    path = tmp_path / ".locks" / "account-mega"
    path.parent.mkdir()
    path.with_suffix(".holder").write_text(content)

    assert holder_of(path) == "another process"


@pytest.fixture(autouse=True)
def no_homes_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test says of its homes counts for that test alone."""
    monkeypatch.setattr("lead_pipeline.storage.locks._of_homes", {})
