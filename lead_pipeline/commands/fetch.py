"""`lead-pipeline fetch`: a copy of what a team's readers have, for tools that want a path."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import answer_in_json, last_word, print_json, say
from lead_pipeline.commands.edge import settings_of_reader

if TYPE_CHECKING:
    from lead_pipeline.storage.permissions import Readers
    from lead_pipeline.storage.team.fetching import FetchedBuild
    from lead_pipeline.storage.team.objects import ObjectStore


def fetch(
    to: Annotated[
        Path | None,
        typer.Option(
            help="The file to keep current. By default bi/leads.duckdb below LEAD_PIPELINE_HOME.",
            metavar="FILE",
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            help="Look again after so many seconds, until interrupted. While the store does not "
            "answer, the file stays as it is.",
            metavar="SECONDS",
            min=1,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print what the file is now as one JSON document a look."),
    ] = False,
) -> None:
    """Keep a local copy of the build that a team has published in LEAD_PIPELINE_SHARED.

    The copy is compared with its SHA-256 and put into place in one step; a file that is current is not
    downloaded again. Tools that have the old file open keep it until they open again. Credentials that
    may read are enough, and no PostgreSQL is needed.

    Example: lead-pipeline fetch --to dashboards/leads.duckdb --every 300
    """
    from lead_pipeline.storage.permissions import readers_of

    settings = settings_of_reader()
    if as_json:
        answer_in_json()
    path = (settings.published_path if to is None else to.expanduser()).absolute()
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder. Name the file: {path / 'leads.duckdb'}.")
    store, readers = _store(settings.shared), readers_of(settings)
    if every is None:
        last_word(_told(path, _fetched(store, path, readers, as_json=as_json)))
        return
    while True:
        _look(store, path, readers, as_json=as_json)
        time.sleep(every)


def _store(shared: str | None) -> ObjectStore:
    from lead_pipeline.errors import ConfigurationError

    if shared is None:
        raise ConfigurationError(
            "LEAD_PIPELINE_SHARED is not set, so there is nothing to fetch from: s3://bucket/prefix, gs://… "
            "or az://…, as the team that publishes has it. Where the pipeline runs on this machine alone, "
            "tools open bi/leads.duckdb below LEAD_PIPELINE_HOME."
        )
    from lead_pipeline.storage.team.objects import open_store

    return open_store(shared)


def _look(store: ObjectStore, path: Path, readers: Readers | None, *, as_json: bool) -> None:
    """One of many looks: what passes by itself is told, and ends nothing."""
    from lead_pipeline.errors import StoreUnavailable

    try:
        found = _fetched(store, path, readers, as_json=as_json)
    except StoreUnavailable as error:
        say(f"{error} {path} stays as it is.")
        return
    if found.is_new:
        say(_told(path, found))


def _fetched(
    store: ObjectStore, path: Path, readers: Readers | None, *, as_json: bool
) -> FetchedBuild:
    from lead_pipeline.storage.team.fetching import fetch_build

    found = fetch_build(store, path, readers)
    if as_json:
        print_json(
            {
                "path": str(path),
                "build": found.current.build,
                "since": found.current.since,
                "sha256": found.current.sha256,
                "bytes": found.current.bytes,
                "is_new": found.is_new,
            }
        )
    return found


def _told(path: Path, found: FetchedBuild) -> str:
    current = found.current
    what = f"the build {current.build}, which readers have since {current.since:%Y-%m-%d %H:%M}Z"
    if not found.is_new:
        return f"{path} is {what}: nothing to fetch."
    return f"{path} is now {what} ({current.bytes:,} bytes)."
