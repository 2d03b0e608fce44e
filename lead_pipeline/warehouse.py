"""Opening `warehouse.duckdb`: one process at a time, always closed again.

Belongs here: the connection. Does not belong here: what is written through it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import duckdb
from dagster_duckdb import DuckDBResource

from lead_pipeline.locks import held
from lead_pipeline.settings import Settings

_logger = logging.getLogger(__name__)


@contextmanager
def open_warehouse(
    settings: Settings, purpose: str, tell: Callable[[str], None] = _logger.info
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, opened for the block under its lock; times of the session are UTC.

    Waits for another holder, and says for whom through `tell`.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    resource = DuckDBResource(database=str(settings.warehouse_path))
    # The resource leaves its connection open when the block raises, so it is closed here.
    with (
        held(settings.warehouse_lock, purpose, tell),
        resource.get_connection() as connection,
        closing(connection),
    ):
        connection.execute("set TimeZone = 'UTC'")
        yield connection
