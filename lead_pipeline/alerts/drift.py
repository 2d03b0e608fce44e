"""Contract drift as a cause: what an account serves that no mapping knows.

Belongs here: reading `normalized.contract_drift`. Does not belong here: finding drift
(`normalized/drift.py`).
"""

from __future__ import annotations

from datetime import datetime

from lead_pipeline.alerts.alert import Alert, Look
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.sql import read_sql
from lead_pipeline.storage.warehouse import read_warehouse, warehouse_at

SHOWN = 5
"""So many fields are named; a field's values are not."""
PATIENCE_SECONDS = 1.0
"""A load may have the warehouse for long. The next look comes soon."""


def look_at_drift(settings: Settings) -> Look:
    """The drift of all accounts. Nothing is said where nothing has been loaded.

    Raises `TimeoutError` while somebody else has the warehouse.
    """
    if not warehouse_at(settings.warehouse_path).exists():
        return Look()
    with (
        held(settings.warehouse_lock, "reading contract drift", patience=PATIENCE_SECONDS),
        read_warehouse(settings.warehouse_path) as connection,
    ):
        rows = connection.execute(read_sql("alerts", "drift"), {"shown": SHOWN}).fetchall()
    return Look(tuple(_alert(*row) for row in rows), frozenset({("drift", None)}))


def _alert(account: str, rows: int, examples: list[str], fields: int, since: datetime) -> Alert:
    more = f" and {fields - len(examples):,} more" if fields > len(examples) else ""
    return Alert(
        "drift",
        account,
        f"{rows:,} fields, types or values are served that no mapping knows: "
        f"{', '.join(examples)}{more}. Nothing is lost, and nothing is made of them.",
        "normalized.contract_drift in the warehouse lists them; map them, or add them to the "
        "provider's contract.csv (docs/operations.md, Checks).",
        since,
    )
