"""A copy of what a build read, for people who try dbt models.

    bi/.candidate/leads.duckdb (before dbt) ──copy──rename──▶ bi/.sources/leads.duckdb

It is replaced when a build begins, so it also shows what a build that failed its tests had read.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lead_pipeline.storage.files import remove_temporaries_of, replace_atomically, temporary_of


def keep_snapshot(candidate: Path, snapshot: Path) -> None:
    """Copy the closed file at `candidate` to `snapshot`; whoever has the old one open keeps it.

    The caller holds the publish lock.
    """
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    remove_temporaries_of(snapshot)
    unfinished = temporary_of(snapshot)
    shutil.copyfile(candidate, unfinished)
    replace_atomically(unfinished, snapshot)
