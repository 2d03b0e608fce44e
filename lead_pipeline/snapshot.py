"""A copy of what a build read, for people who try dbt models.

    bi/.candidate/leads.duckdb (before dbt) ──copy──rename──▶ bi/.sources/leads.duckdb

It is replaced when a build begins, so it also shows what a build that failed its tests had
read. Belongs here: making the copy. Does not belong here: reading it (`lead_pipeline.dbt_dev`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lead_pipeline.durable import replace_durably, temporary_of


def snapshot_path(home: Path) -> Path:
    """Where the copy lies below `LEAD_PIPELINE_HOME`."""
    return home / "bi" / ".sources" / "leads.duckdb"


def keep_snapshot(candidate: Path, snapshot: Path) -> None:
    """Copy the closed file at `candidate` to `snapshot`; whoever has the old one open keeps it."""
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    unfinished = temporary_of(snapshot)
    shutil.copyfile(candidate, unfinished)
    replace_durably(unfinished, snapshot)
