"""What the warehouse has made of a lead: its row, its stage intervals, the records it chose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb

from lead_pipeline.explain.mapped import in_utc
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.sql import read_sql
from lead_pipeline.storage.warehouse import read_warehouse, warehouse_at

PATIENCE_SECONDS = 5.0
"""How long to wait for a process that has the warehouse open."""


class ChosenRecord(NamedTuple):
    """The landed record that a version was kept from."""

    stream: str
    crawl_id: str
    page: int
    payload: str


@dataclass(frozen=True)
class LoadedLead:
    """The warehouse's view of one lead; all empty where the warehouse does not know it."""

    paths: frozenset[str] = frozenset()
    """Files of the account that the tables hold, below the landing folder."""
    row: Mapping[str, Any] | None = None
    """The lead's row of `normalized.leads`."""
    intervals: Sequence[Mapping[str, Any]] = ()
    newest: ChosenRecord | None = None
    """What the row's columns come from."""
    details: ChosenRecord | None = None
    """What its details come from."""
    unreadable: str | None = None
    """Why the warehouse could not be asked, and what to do."""


def read_loaded(
    settings: Settings, account: str, lead_key: str, tell: Callable[[str], None]
) -> LoadedLead:
    """Ask the warehouse; a reason in place of an answer where it cannot be read now."""
    if not warehouse_at(settings.warehouse_path).exists():
        return LoadedLead(
            unreadable="There is no warehouse yet; `lead-pipeline rebuild` makes it from landing."
        )
    try:
        with (
            held(settings.warehouse_lock, "explaining a lead", tell, PATIENCE_SECONDS),
            read_warehouse(settings.warehouse_path) as connection,
        ):
            return _read(connection, account, lead_key)
    except TimeoutError as error:
        return LoadedLead(
            unreadable=f"The warehouse was not read, since {error} has it open. Ask again later for "
            "the lead's current values and stage intervals."
        )
    except duckdb.Error as error:
        return LoadedLead(
            unreadable=f"The warehouse cannot be read ({type(error).__name__}). "
            "`lead-pipeline rebuild` rebuilds it from landing."
        )


def _read(connection: duckdb.DuckDBPyConnection, account: str, lead_key: str) -> LoadedLead:
    paths = connection.execute(read_sql("explain", "loaded_paths"), {"account": account}).fetchall()
    rows = _rows(connection, "loaded_lead", lead_key)
    chosen = {
        row.pop("is_for_details"): ChosenRecord(**row)
        for row in _rows(connection, "chosen_records", lead_key)
    }
    return LoadedLead(
        paths=frozenset(path for (path,) in paths),
        row=rows[0] if rows else None,
        intervals=_rows(connection, "loaded_intervals", lead_key),
        newest=chosen.get(False),
        details=chosen.get(True),
    )


def _rows(connection: duckdb.DuckDBPyConnection, name: str, lead_key: str) -> list[dict[str, Any]]:
    cursor = connection.execute(read_sql("explain", name), {"lead_key": lead_key})
    names = [column[0] for column in cursor.description or []]
    return [
        {name: in_utc(value) for name, value in zip(names, row, strict=True)}
        for row in cursor.fetchall()
    ]
