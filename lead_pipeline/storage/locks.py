"""One writer at a time, and the others know for whom they wait.

Dagster's pools keep queued runs from starting at all; these locks also cover runs that no daemon
has queued.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.storage.lock_probe import NO_LOCKS, refusal, refuse_where_locks_do_not_hold

_logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.5
"""Waits shorter than this are not worth a message."""


def holder_of(path: Path) -> str:
    """Who holds the lock, in words; "another process" when that is not (yet) written down."""
    try:
        holder = json.loads(path.with_suffix(".holder").read_text())
        return f"process {holder['pid']} ({holder['purpose']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def is_held(path: Path) -> bool:
    """Whether a living process has the lock at `path` at this moment. Makes no file."""
    lock_file = path.with_suffix(".lock")
    if not lock_file.exists():
        return False
    lock = FileLock(lock_file, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


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
    call itself has to wait, longer than `quiet_seconds`. The operating system frees the lock of a
    process that dies. Raises `ConfigurationError` where locks do not hold (`lock_probe.py`). With `patience`, in seconds, raises `TimeoutError` that names the holder once
    they have passed; without, raises `RuntimeError` in a thread that holds the lock already.
    """
    here = (path, os.getpid(), threading.get_ident())
    if patience is None and here in _held_here:
        raise RuntimeError(
            f"{purpose} would wait for ever: this thread has the lock {path.name} already. Use what "
            "the block around this one has opened."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not a singleton and not thread-local: two threads of a process exclude each other too.
    lock = FileLock(path.with_suffix(".lock"), thread_local=False)
    _acquire(lock, path, purpose, tell, patience, quiet_seconds)
    _held_here.add(here)
    try:
        _prove(path)
        holder = {
            "pid": os.getpid(),
            "thread": threading.current_thread().name,
            "purpose": purpose,
            "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}",
        }
        path.with_suffix(".holder").write_text(json.dumps(holder))
        yield
    finally:
        path.with_suffix(".holder").unlink(missing_ok=True)
        _held_here.discard(here)
        lock.release()


_proven: set[Path] = set()
"""Folders in which this process has seen that locks hold."""


def _prove(path: Path) -> None:
    """See once in each folder, by the lock at `path`, which is held, that it excludes others."""
    if path.parent not in _proven:
        refuse_where_locks_do_not_hold(path.with_suffix(".lock"))
        _proven.add(path.parent)


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
    lock: FileLock,
    path: Path,
    purpose: str,
    tell: Callable[[str], None],
    patience: float | None,
    quiet_seconds: float,
) -> None:
    """Wait for the lock; say for whom, and again when somebody else has got it first."""
    began = time.monotonic()
    deadline = math.inf if patience is None else began + FIRST_WAIT_SECONDS + patience
    told = None
    while True:
        try:
            lock.acquire(timeout=FIRST_WAIT_SECONDS)
        except Timeout:
            holder = holder_of(path)
            if time.monotonic() > deadline:
                raise TimeoutError(holder) from None
            if holder != told and time.monotonic() - began >= quiet_seconds:
                for listener in (tell, *_listeners):
                    listener(f"Waiting for {holder} before {purpose}.")
                told = holder
        except OSError as error:
            if error.errno in NO_LOCKS:
                why = refusal(path.with_suffix(".lock"), f"{error.strerror}")
                raise ConfigurationError(why) from error
            raise
        else:
            return
