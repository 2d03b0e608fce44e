"""The locks of a team: first among the processes of this home, then among all machines.

    <home>/.locks/account-NAME ──file lock──▶ this home's files are ours
                               ──advisory lock──▶ the shared account is ours

The file lock keeps a second process off the home's own copy even if the connection to PostgreSQL is
lost, and lets one process of a home wait at the server for all of them. Locks about this machine
alone (Dagster's files, the demo, checks) stay files.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

from lead_pipeline.storage.file_locks import NOBODY_KNOWN, FileLocks, LockFile
from lead_pipeline.storage.files import temporary_of
from lead_pipeline.storage.locks import FOLDER
from lead_pipeline.storage.team.advisory import AdvisoryLock, key_of
from lead_pipeline.storage.team.postgres import Database

_SHARED = frozenset({"warehouse", "publish", "alerts", "erasure-key"})
_SHARED_PREFIX = "account-"

_HOME_ID = "home.id"


def identity_of_folder(home: Path) -> str:
    """What tells a home with files of its own from all others in a database; made once, in the home.

    Homes of two machines have one identity only if they are the same folder.
    """
    path = home / FOLDER / _HOME_ID
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_of(path)
        temporary.write_text(secrets.token_hex(16))
        try:
            # Unlike a rename, it leaves what another process has made first.
            os.link(temporary, path)
        except FileExistsError:
            return path.read_text()
        finally:
            temporary.unlink()
    return path.read_text()


class TeamLocks:
    """The locks of the store `identity` in that database."""

    def __init__(self, database: Database, identity: str) -> None:
        self._database = database
        self._identity = identity

    def at(self, path: Path) -> LockFile | TeamLock:
        """The lock of that path, by its name: of the team, or of this machine alone."""
        here = FileLocks().at(path)
        if path.name not in _SHARED and not path.name.startswith(_SHARED_PREFIX):
            return here
        key = key_of(self._identity, path.name)
        return TeamLock(here, AdvisoryLock(self._database, key, path.name))


class TeamLock:
    """A lock of this home and one of the team; it is held when both are."""

    def __init__(self, here: LockFile, everywhere: AdvisoryLock) -> None:
        self._here = here
        self._everywhere = everywhere
        self._has_here = False

    def acquire(self, purpose: str, seconds: float) -> bool:
        """Try for so many seconds; whether both were got. The first is kept until `release`."""
        began = time.monotonic()
        if not self._has_here:
            self._has_here = self._here.acquire(purpose, seconds)
        left = seconds - (time.monotonic() - began)
        return self._has_here and self._everywhere.acquire(purpose, max(left, 0))

    def release(self) -> None:
        """Give back what was got."""
        # Whoever waits in this home finds the lock of the team free.
        self._everywhere.release()
        self._here.release()
        self._has_here = False

    def is_held(self) -> bool:
        """Whether a living process of any machine has it at this moment. Makes no file."""
        return self._here.is_held() or self._everywhere.is_held()

    def holder(self) -> str:
        """Who has it, on which machine; "another process" when that is not (yet) known."""
        return self._everywhere.holder() or (
            NOBODY_KNOWN if self._has_here else self._here.holder()
        )
