"""What is left of an account's request quota, kept between processes.

    landing/<account>/_quota.json

Belongs here: reading and writing the file. Does not belong here: what it means (`quota.py`).
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from lead_pipeline.providers.quota import Quota
from lead_pipeline.storage.seams import landing_at


def load_quota(landing: Path, account: str) -> Quota:
    """What was left after the account's last requests; unknown where no file says so credibly.

    A file that is damaged, of an earlier version with longer waits, or from before the clock was
    set back counts as none: it must not keep us from asking, and the next answer says what holds.
    """
    try:
        quota = msgspec.json.decode(_path(landing, account).read_bytes(), type=Quota)
    except (OSError, ValueError, RecursionError, msgspec.DecodeError):
        return Quota()
    return quota if quota.is_plausible(time.time()) else Quota()


def save_quota(landing: Path, account: str, quota: Quota) -> None:
    """Keep what is left for the next process that asks the account's API."""
    landing_at(landing).write(_path(landing, account), msgspec.json.encode(quota))


def _path(landing: Path, account: str) -> Path:
    return landing / account / "_quota.json"
