"""Locks as files: one holder on the machines that share a file system.

    <path>.lock    the operating system frees it when its holder dies
    <path>.holder  who that is, for the message of those who wait

Belongs here: taking, giving back and asking about one lock. Does not belong here: waiting for it
(`locks.py`); whether locks hold in a folder (`lock_probe.py`).
"""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.storage.lock_probe import NO_LOCKS, refusal, refuse_where_locks_do_not_hold

NOBODY_KNOWN = "another process"


class FileLocks:
    """The locks of one file system."""

    def at(self, path: Path) -> LockFile:
        """The lock of that path."""
        return LockFile(path)


class LockFile:
    """The lock at `path`, with what is written beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.with_suffix(".lock")
        self._note = path.with_suffix(".holder")
        # Not a singleton and not thread-local: two threads of a process exclude each other too.
        self._lock = FileLock(self._file, thread_local=False)

    def acquire(self, purpose: str, seconds: float) -> bool:
        """Try for so many seconds; whether it was got. Raises `ConfigurationError` where locks do not hold."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=seconds)
        except Timeout:
            return False
        except OSError as error:
            if error.errno in NO_LOCKS:
                raise ConfigurationError(refusal(self._file, f"{error.strerror}")) from error
            raise
        _prove(self._file)
        holder = {
            "pid": os.getpid(),
            "thread": threading.current_thread().name,
            "purpose": purpose,
            "since": now(),
        }
        self._note.write_text(json.dumps(holder))
        return True

    def release(self) -> None:
        """Give the lock back, if it was got."""
        if self._lock.is_locked:
            self._note.unlink(missing_ok=True)
            self._lock.release()

    def is_held(self) -> bool:
        """Whether a living process has the lock at this moment. Makes no file."""
        if not self._file.exists():
            return False
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return True
        self._lock.release()
        return False

    def holder(self) -> str:
        """Who holds the lock, in words; "another process" when that is not (yet) written down."""
        try:
            holder = json.loads(self._note.read_text())
            return f"process {holder['pid']} ({holder['purpose']}, since {holder['since']})"
        except (OSError, ValueError, KeyError, TypeError):
            return NOBODY_KNOWN


def now() -> str:
    """The time as notes of holders have it."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"


_proven: set[Path] = set()
"""Folders in which this process has seen that locks hold."""


def _prove(lock_file: Path) -> None:
    """See once in each folder, by a lock file that is held, that it excludes others."""
    if lock_file.parent not in _proven:
        refuse_where_locks_do_not_hold(lock_file)
        _proven.add(lock_file.parent)
