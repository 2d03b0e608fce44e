"""What the next load would do, told without loading.

    commit records less ledger ──▶ files to load          fingerprints ──▶ whether a rebuild is due, and why

The warehouse is opened read-only, in turn with others. Belongs here: looking ahead. Does not
belong here: loading (`load.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from lead_pipeline.landing.places import places_of
from lead_pipeline.normalized.fingerprint import fingerprint_of, reason_of
from lead_pipeline.normalized.inputs import LoadInputs
from lead_pipeline.normalized.ledger import all_records, new_files, new_records
from lead_pipeline.normalized.schema import noted_fingerprint
from lead_pipeline.normalized.session import Session
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.warehouse import read_warehouse, warehouse_at

PATIENCE_SECONDS = 5.0
"""How long another holder of the warehouse is waited for."""


@dataclass(frozen=True)
class PendingLoad:
    """What the next load would do."""

    files: int | None
    """Landed files that it would read; None where that could not be told."""
    rows: int | None
    rebuild_because: str | None
    """Why all tables would be rebuilt; None: they would not."""
    unknown_because: str | None = None
    """Why nothing could be told."""


def pending_load(settings: Settings, tell: Callable[[str], None]) -> PendingLoad:
    """Look at landing and the warehouse. Raises `LoadError` when a commit record cannot be read."""
    if not warehouse_at(settings.warehouse_path).exists():
        return _everything(settings, "there are no tables yet")
    try:
        with (
            held(settings.warehouse_lock, "looking ahead", tell, PATIENCE_SECONDS),
            read_warehouse(settings.warehouse_path) as connection,
        ):
            return _look(settings, Session(connection))
    except TimeoutError as error:
        return PendingLoad(None, None, None, f"{error} has the warehouse open")
    except duckdb.Error as error:
        return PendingLoad(
            None,
            None,
            None,
            f"the warehouse cannot be read ({type(error).__name__}); lead-pipeline rebuild makes "
            "a new one",
        )


def _look(settings: Settings, session: Session) -> PendingLoad:
    noted = noted_fingerprint(session)
    now = fingerprint_of(LoadInputs.of(settings))
    if noted is None:
        return _everything(settings, "there are no tables yet")
    if noted != now:
        return _everything(settings, reason_of(noted, now))
    landing = settings.landing_path
    files = new_files(session, new_records(session, landing), places_of(landing))
    return PendingLoad(len(files), sum(file.rows for file in files), None)


def _everything(settings: Settings, because: str) -> PendingLoad:
    files = [
        file
        for record in all_records(settings.landing_path)
        for file in (*record.files, *record.seen_files)
    ]
    return PendingLoad(len(files), sum(file.rows for file in files), because)
