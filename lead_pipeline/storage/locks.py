"""One writer at a time, and the others know for whom they wait.

    held(path, purpose) ──the locks of the home that the path lies in──▶ file locks
                                                                    └──▶ those of a team, between machines

Dagster's pools keep queued runs from starting at all; these locks also cover runs that no daemon
has queued. Belongs here: waiting, and what is said of it. Does not belong here: how a lock is taken
(`file_locks.py`, `team/locks.py`).
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from lead_pipeline.storage.file_locks import FileLocks
from lead_pipeline.storage.shared_home import refuse_copy

_logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.5
"""Waits shorter than this are not worth a message."""

FOLDER = ".locks"
"""The folder below a home in which its locks lie."""


class Lock(Protocol):
    """One lock, as somebody sees it who wants it or asks about it."""

    def acquire(self, purpose: str, seconds: float) -> bool:
        """Try for so many seconds; whether it was got. Others are told the purpose as long as it is held."""

    def release(self) -> None:
        """Give back what `acquire` has got, also where it got a part only."""

    def is_held(self) -> bool:
        """Whether a living process has it at this moment. Makes no file."""

    def holder(self) -> str:
        """Who has it, in words; "another process" when that is not (yet) known."""


class Locks(Protocol):
    """A kind of locks: of one machine, or of a team."""

    def at(self, path: Path) -> Lock:
        """The lock of that path."""


_of_homes: dict[Path, Locks] = {}
"""The locks of homes that are not alone in the world."""


def use_locks(home: Path, locks: Locks) -> None:
    """Take these locks for what lies in `<home>/.locks`, in this process, from now on."""
    _of_homes[home] = locks


def locks_at(path: Path) -> Locks:
    """The locks that the lock at `path` is one of.

    Raises `ConfigurationError` where its home is a copy of a store that this process has not opened.
    """
    if path.parent.name == FOLDER:
        home = path.parent.parent
        team = _of_homes.get(home)
        if team is not None:
            return team
        refuse_copy(home)
    return FileLocks()


def holder_of(path: Path) -> str:
    """Who holds the lock, in words; "another process" when that is not (yet) written down."""
    return locks_at(path).at(path).holder()


def is_held(path: Path) -> bool:
    """Whether a living process has the lock at `path` at this moment. Makes no file."""
    return locks_at(path).at(path).is_held()


_held_here: set[tuple[Path, int, int]] = set()
"""The locks that threads of this process hold, with the ids of process and thread."""


@contextmanager
def held(
    path: Path,
    purpose: str,
    tell: Callable[[str], None] = _logger.warning,
    patience: float | None = None,
    quiet_seconds: float = FIRST_WAIT_SECONDS,
) -> Iterator[None]:
    """Hold the lock at `path` for the block; wait for it as long as it takes.

    `purpose` is what others are told while they wait; `tell` receives one sentence when this
    call itself has to wait, longer than `quiet_seconds`. The lock of a process that dies is free
    at once. Raises `ConfigurationError` where locks do not hold (`lock_probe.py`), and
    `StoreUnavailable` where a team's database does not answer. With `patience`, in seconds, raises
    `TimeoutError` that names the holder once they have passed; without, raises `RuntimeError` in a
    thread that holds the lock already.
    """
    here = (path, os.getpid(), threading.get_ident())
    if patience is None and here in _held_here:
        raise RuntimeError(
            f"{purpose} would wait for ever: this thread has the lock {path.name} already. Use what "
            "the block around this one has opened."
        )
    lock = locks_at(path).at(path)
    try:
        _acquire(lock, purpose, tell, patience, quiet_seconds)
        _held_here.add(here)
        try:
            yield
        finally:
            _held_here.discard(here)
    finally:
        lock.release()


_listeners: list[Callable[[str], None]] = []


@contextmanager
def waits_heard(listener: Callable[[str], None]) -> Iterator[None]:
    """Let `listener` hear, too, what this process waits for during the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _acquire(
    lock: Lock,
    purpose: str,
    tell: Callable[[str], None],
    patience: float | None,
    quiet_seconds: float,
) -> None:
    """Wait for the lock; say for whom, and again when somebody else has got it first."""
    began = time.monotonic()
    deadline = math.inf if patience is None else began + FIRST_WAIT_SECONDS + patience
    told = None
    while not lock.acquire(purpose, FIRST_WAIT_SECONDS):
        holder = lock.holder()
        if time.monotonic() > deadline:
            raise TimeoutError(holder)
        if holder != told and time.monotonic() - began >= quiet_seconds:
            for listener in (tell, *_listeners):
                listener(f"Waiting for {holder} before {purpose}.")
            told = holder
