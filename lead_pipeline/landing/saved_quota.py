"""What is left of an account's request quota, kept between processes.

    landing/<account>/_quota.json

Belongs here: reading and writing the file. Does not belong here: what it means (`quota.py`).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lead_pipeline.durable import write_durably
from lead_pipeline.providers.quota import Quota


def load_quota(landing: Path, account: str) -> Quota:
    """What was left after the account's last requests; unknown where that was not written down."""
    try:
        return msgspec.json.decode(_path(landing, account).read_bytes(), type=Quota)
    except (OSError, msgspec.DecodeError):
        return Quota()


def save_quota(landing: Path, account: str, quota: Quota) -> None:
    """Keep what is left for the next process that asks the account's API."""
    write_durably(_path(landing, account), msgspec.json.encode(quota))


def _path(landing: Path, account: str) -> Path:
    return landing / account / "_quota.json"
