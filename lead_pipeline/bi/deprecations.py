"""What readers are told in the file that a later version will no longer have.

    deprecations.csv ──▶ meta.deprecations

Belongs here: tables and columns of the published file that go, each with what to read instead. Does not
belong here: settings and commands by earlier names.
"""

from __future__ import annotations

import csv
from importlib.resources import files

import duckdb

from lead_pipeline.storage.sql import read_sql


def announce(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `meta.deprecations` of the current database with what it has and later versions have not."""
    text = files("lead_pipeline").joinpath("bi", "deprecations.csv").read_text("utf-8")
    statement = read_sql("bi", "insert_deprecation")
    for row in csv.DictReader(text.splitlines()):
        connection.execute(statement, {name: value or None for name, value in row.items()})
