"""The watcher itself: each call that changes files is met before it is made, and can be refused."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lead_pipeline.storage.files import write_atomically
from lead_pipeline_tests.chaos.system_calls import (
    IS_POSSIBLE,
    Call,
    Decision,
    Ended,
    Fail,
    watched,
)

pytestmark = pytest.mark.skipif(
    not IS_POSSIBLE, reason="a child can be watched on Linux on x86-64 only"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def written(home: Path, decide: Callable[[Call], Decision]) -> Ended:
    """What becomes of a file that is written whole or not at all."""
    path = home / "file"
    return watched(lambda: write_atomically(path, b"content"), home, decide, home.parent / "said")


def test_each_change_is_met_before_it_is_made(home: Path) -> None:
    met: list[tuple[str, bool]] = []

    def decide(call: Call) -> Decision:
        met.append((call.name, (home / "file").exists()))
        return "go on"

    ended = written(home, decide)
    names = ["mkdir", "openat", "write", "fsync", "rename", "fsync"]
    assert [name for name, _ in met] in (names, names[1:])
    assert [is_there for _, is_there in met][-2:] == [False, True]
    assert (ended.status, ended.calls, (home / "file").read_bytes()) == (0, len(met), b"content")


def test_a_kill_leaves_what_was_done_before(home: Path) -> None:
    ended = written(home, lambda call: "kill" if call.name == "rename" else "go on")
    assert ended.status == -signal.SIGKILL
    [left] = home.iterdir()
    assert (left.suffix, left.read_bytes()) == (".tmp", b"content")


def test_a_torn_write_leaves_half_of_it(home: Path) -> None:
    torn: list[Call] = []

    def decide(call: Call) -> Decision:
        if torn:
            return "kill"
        if call.name == "write":
            torn.append(call)
            return "tear"
        return "go on"

    written(home, decide)
    [left] = home.iterdir()
    assert left.read_bytes() == b"con"


def test_a_refused_call_raises_what_the_kernel_says(home: Path) -> None:
    ended = written(home, lambda call: Fail(errno.ENOSPC) if call.name == "write" else "go on")
    assert ended.status == 1
    assert "No space left on device" in ended.said
    assert list(home.iterdir()) == []


def test_what_is_written_elsewhere_or_only_read_is_not_met(home: Path) -> None:
    (home / "read").write_text("x")

    def work() -> None:
        (home / "read").read_text()
        (home.parent / "homely").write_text("y")
        with suppress(FileNotFoundError):
            (home / "gone").stat()

    met: list[Call] = []

    def decide(call: Call) -> Decision:
        met.append(call)
        return "go on"

    assert watched(work, home, decide, home.parent / "said").status == 0
    assert met == []
