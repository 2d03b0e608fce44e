"""The lake: each publication as one snapshot of whole tables, in a DuckLake that many may read at once.

    bi/leads.duckdb ──one transaction──▶ data/*.parquet, catalog in PostgreSQL ──▶ readers, time travel

The tables are those of the published file, masked as it is; each is replaced as a whole, whatever has
become of its columns. The name of the build is the message of its snapshot. Files that a killed process
has written belong to no snapshot. Belongs here: where the lake is, opening it, writing a snapshot. Does
not belong here: which snapshots are kept (`lake_upkeep.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import duckdb

from lead_pipeline.bi.builds import Build, read_build
from lead_pipeline.bi.masking import rules_id
from lead_pipeline.bi.retained_builds import name_of
from lead_pipeline.causes import cause_of
from lead_pipeline.errors import ConfigurationError, LakeError
from lead_pipeline.logs import log_of
from lead_pipeline.settings import Settings, environment_variables
from lead_pipeline.storage.disks import reason_of
from lead_pipeline.storage.duckdb_files import (
    attach,
    connect_utc,
    literal,
    remove_spill,
    spill_beside,
)
from lead_pipeline.storage.extensions import load_extensions, use_s3_secret
from lead_pipeline.storage.sql import read_sql
from lead_pipeline.storage.team.extra import require_team

if TYPE_CHECKING:
    from lead_pipeline.storage.team.postgres import Database

VARIABLE = "LEAD_PIPELINE_LAKE"
SCHEMA = "lead_pipeline_lake"
"""Where the catalog is, in its PostgreSQL."""
FOLDER = "ducklake"
"""Below the place that the setting names, for nothing but files of the lake: others are removed."""
AUTHOR = "lead_pipeline"
PATIENCE_SECONDS = 1_800.0
"""How long another process may take that writes to the lake."""

_log = log_of(__name__)
_SECRET_OPTIONS = ("host", "port", "dbname", "user", "password")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Lake:
    """Where the lake is."""

    catalog: Database
    data: str
    """A folder on this machine, or s3://bucket/prefix, with a slash at its end."""


@dataclass(frozen=True)
class Snapshot:
    """A state of the lake that can be asked for."""

    number: int
    at: datetime
    build: str | None
    """The name of the build that it holds; None: somebody else has written it."""
    masked: str | None
    """How personal data in it is masked, as `masked_as` says it; None as with `build`."""


def lake_of(settings: Settings) -> Lake | None:
    """The lake that the settings name; None where there is none.

    Raises `ConfigurationError` where the setting is no lake, or packages are missing.
    """
    if settings.lake is None:
        return None
    require_team(
        VARIABLE, "psycopg2", "duckdb_extension_ducklake", "duckdb_extension_postgres_scanner"
    )
    from lead_pipeline.storage.team.postgres import Database

    parts = urlsplit(settings.lake.get_secret_value())
    options = parse_qsl(parts.query)
    data = [value for name, value in options if name == "data"]
    rest = [(name, value) for name, value in options if name != "data"]
    catalog = urlunsplit(parts._replace(query=urlencode(rest)))
    if len(data) != 1 or not data[0].startswith(("s3://", "/")):
        raise ConfigurationError(
            f"{VARIABLE} does not say where the files of the lake are. It ends with ?data=s3://bucket/"
            "prefix, or ?data= and the absolute path of a folder that all readers can open."
        )
    return Lake(Database.of(catalog, VARIABLE), f"{data[0].rstrip('/')}/{FOLDER}/")


def write_build(connection: duckdb.DuckDBPyConnection, published: Path) -> Snapshot:
    """Let the lake that is `opened` have what readers of the published file have, as its newest snapshot.

    Nothing is written where that is the case already. Raises `LakeError` where there is no such file.
    """
    build = read_build(published)
    if build is None:
        raise LakeError(f"There is no published file at {published} for the lake.")
    before = snapshots(connection)
    if before[-1].build == name_of(build):
        return before[-1]
    if not any(snapshot.build for snapshot in before):
        connection.execute(read_sql("bi", "lake_options"))
    _copy(connection, published, build)
    written = snapshots(connection)[-1]
    _log.info("written to the lake", build=written.build, snapshot=written.number)
    return written


@contextmanager
def opened(
    settings: Settings, lake: Lake, purpose: str, tell: Tell
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake as the database `lake` of a connection, for one process at a time that writes.

    What DuckDB says leaves the block as a `LakeError` without values.
    """
    from lead_pipeline.storage.team.turns import turn

    spill = settings.home / ".lake"
    try:
        _make_folder(lake)
        with (
            turn(lake.catalog, SCHEMA, purpose, PATIENCE_SECONDS, tell),
            closing(connect_utc(":memory:")) as connection,
        ):
            connection.execute("set memory_limit = $limit", {"limit": settings.memory_limit})
            spill_beside(connection, spill)
            attach_lake(connection, lake)
            yield connection
    except TimeoutError as holder:
        raise LakeError(
            f"The lake was not written: {holder} has been at it for more than "
            f"{PATIENCE_SECONDS / 60:,.0f} min. Readers of the published file are not concerned. End "
            "that process, then: lead-pipeline publish."
        ) from None
    except duckdb.Error as error:
        raise LakeError(
            f"The lake was not written ({cause_of(error)}). Its readers keep what they have, and those "
            f"of the published file have the new build. Look at what {VARIABLE} names, its rights and "
            "its room, then: lead-pipeline publish."
        ) from None
    finally:
        remove_spill(spill)


def _make_folder(lake: Lake) -> None:
    if lake.data.startswith("s3://"):
        return
    try:
        Path(lake.data).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LakeError(
            f"The lake was not written: {reason_of(error, Path(lake.data))}. Readers of the published file "
            f"have the new build. Look at the folder that {VARIABLE} names, then: lead-pipeline publish."
        ) from None


def attach_lake(
    connection: duckdb.DuckDBPyConnection, lake: Lake, *, read_only: bool = False
) -> None:
    """Attach the lake as `lake`; it is made where there is none, unless `read_only`.

    Raises `ConfigurationError` where extensions do not fit or keys are missing, `duckdb.Error` else.
    """
    from psycopg2.extensions import parse_dsn

    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set autoload_known_extensions = false")
    load_extensions(connection, VARIABLE, "postgres_scanner", "ducklake")
    if lake.data.startswith("s3://"):
        load_extensions(connection, VARIABLE, "httpfs")
        use_s3_secret(connection, VARIABLE, environment_variables())
    given = parse_dsn(lake.catalog.url)
    # In a secret: what is attached by its whole URL shows it to everybody who lists databases.
    names = {"dbname": "database"}
    secret = ", ".join(
        f"{names.get(name, name)} {literal(given[name])}"
        for name in _SECRET_OPTIONS
        if name in given
    )
    connection.execute(f"create or replace secret catalog_of_lake (type postgres, {secret})")
    rest = " ".join(
        f"{name}={_quoted_for_libpq(value)}"
        for name, value in given.items()
        if name not in _SECRET_OPTIONS
    )
    options = [
        f"data_path {literal(lake.data)}",
        f"metadata_schema {literal(SCHEMA)}",
        "meta_secret 'catalog_of_lake'",
        # Rows of a table that are kept in the catalog are no rows of its files.
        "data_inlining_row_limit 0",
        *(["read_only"] if read_only else []),
    ]
    connection.execute(
        f"attach {literal(f'ducklake:postgres:{rest}')} as lake ({', '.join(options)})"
    )


def _quoted_for_libpq(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def snapshots(connection: duckdb.DuckDBPyConnection) -> list[Snapshot]:
    """All snapshots of the lake that is attached, oldest first."""
    rows = connection.execute(read_sql("bi", "lake_snapshots"), {"author": AUTHOR}).fetchall()
    return [
        Snapshot(number, at, build, json.loads(more).get("masked") if build and more else None)
        for number, at, build, more in rows
    ]


def masked_as(build: Build) -> str:
    """How personal data of a build is masked: by which key and rules, or not at all."""
    if build.masking_key_id is None:
        return "as served"
    rules = rules_id() if build.follows_present_rules else "rules of an earlier version"
    return f"{build.masking_key_id}, {rules}"


def _copy(connection: duckdb.DuckDBPyConnection, published: Path, build: Build) -> None:
    """Replace all tables by those of the published file, as one snapshot."""
    attach(connection, published, "published", options="read_only")
    told = {
        "run_id": build.run_id,
        "published_at": build.published_at.isoformat(),
        "masked": masked_as(build),
    }
    statements = connection.execute(read_sql("bi", "lake_statements")).fetchall()
    connection.execute("begin")
    try:
        for (statement,) in statements:
            connection.execute(statement)
        connection.execute(
            f"call lake.set_commit_message({literal(AUTHOR)}, {literal(name_of(build))}, "
            f"extra_info => {literal(json.dumps(told))})"
        )
        connection.execute("commit")
    except BaseException:
        connection.rollback()
        raise
    connection.execute("detach published")
