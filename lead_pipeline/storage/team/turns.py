"""Taking turns at something in a PostgreSQL that no lock of a home is about: its tables, a lake.

Belongs here: waiting for one advisory lock. Does not belong here: the locks of homes (`locks.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lead_pipeline.storage.team.advisory import AdvisoryLock, key_of
from lead_pipeline.storage.team.postgres import Database

_LOOK_SECONDS = 1.0


@contextmanager
def turn(
    database: Database,
    name: str,
    purpose: str,
    patience: float,
    tell: Callable[[str], None] = lambda sentence: None,
) -> Iterator[None]:
    """Be the only process, on any machine, that is at `name` in that database, for the block.

    `tell` hears once for whom it waits. Raises `TimeoutError` that names the holder when `patience`, in
    seconds, is over.
    """
    lock = AdvisoryLock(database, key_of("turn", name), name)
    deadline, is_told = time.monotonic() + patience, False
    try:
        while not lock.acquire(purpose, _LOOK_SECONDS):
            holder = lock.holder() or "another process"
            if time.monotonic() > deadline:
                raise TimeoutError(holder)
            if not is_told:
                tell(f"Waiting for {holder} before {purpose}.")
                is_told = True
        yield
    finally:
        lock.release()
