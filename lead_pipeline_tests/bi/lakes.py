"""Lakes of tests: real PostgreSQL for the catalog, a folder or a real S3 server for the files.

Here: settings of one, reading it as its readers do. Not here: what is promised of it (`test_lake.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from pydantic import SecretStr

from lead_pipeline.bi.lake import SCHEMA, attach_lake, lake_of
from lead_pipeline.bi.lake_upkeep import publish_to_lake
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.deploy.database import Database
from lead_pipeline_tests.sample_builds import Bi

_attached: dict[tuple[str, str], duckdb.DuckDBPyConnection] = {}
"""Loading the extensions takes most of a second."""


@dataclass(frozen=True)
class SampleLake:
    """A home that publishes into a lake of its own."""

    bi: Bi
    catalog: Database
    data: str
    lake_builds: int = 30

    @property
    def url(self) -> str:
        """What `LEAD_PIPELINE_LAKE` takes."""
        return f"{self.catalog.url}?data={self.data}"

    @property
    def settings(self) -> Settings:
        """Those of the home."""
        return Settings(
            home=self.bi.home,
            lake=SecretStr(self.url),
            lake_builds=self.lake_builds,
            _env_file=None,  # type: ignore[call-arg]
        )

    def write(self) -> None:
        """What follows a publication."""
        publish_to_lake(self.settings, lambda sentence: None)

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that reads the lake, as `lake`."""
        with closing(self._attach()) as connection:
            yield connection

    def _attach(self) -> duckdb.DuckDBPyConnection:
        lake = lake_of(self.settings)
        assert lake is not None
        connection = connect_utc(":memory:")
        attach_lake(connection, lake, read_only=True)
        return connection

    def read(self, query: str) -> list[Any]:
        """What readers of the lake get, one who stays attached."""
        key = (self.catalog.name, self.data)
        if key not in _attached:
            _attached[key] = self._attach()
        return _attached[key].execute(query).fetchall()

    def builds(self) -> list[str | None]:
        """The messages of the snapshots, oldest first."""
        query = "select commit_message from ducklake_snapshots('lake') order by snapshot_id"
        return [message for (message,) in self.read(query) if message is not None]

    def files(self) -> list[Path]:
        """The files below a folder."""
        return sorted(path for path in Path(self.data).rglob("*") if path.is_file())

    def catalog_text(self) -> str:
        """All that the catalog holds, in the free room of its tables too."""
        tables = self.catalog.rows(
            f"select tablename from pg_tables where schemaname = '{SCHEMA}'"  # noqa: S608
        )
        rows = [
            self.catalog.rows(f"select t::text from {SCHEMA}.{table} t")  # noqa: S608 - its own names
            for (table,) in tables
        ]
        return str(rows)
