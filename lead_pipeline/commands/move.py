"""`lead-pipeline move`: landing from a folder to a team's store, and back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import last_word, say, working

if TYPE_CHECKING:
    from lead_pipeline.moving.contents import Moved
    from lead_pipeline.settings import Settings

_URL = re.compile(r"[a-z0-9]+://")


def move(
    to: Annotated[
        str,
        typer.Option(
            help="s3://bucket/prefix, gs://… or az://…: into an empty store. A folder: back to one machine.",
            metavar="URL|FOLDER",
            show_default=False,
        ),
    ],
) -> None:
    """Move what has landed from this folder into a team's store, or from the store into a folder.

    Stops all crawls, loads and publications meanwhile; they wait. Each file is copied and compared by its
    digest before anything is switched, and nothing is ever put over another landing. Safe to kill:
    the same command goes on.

    **To a store**: set LEAD_PIPELINE_DATABASE first, and the cloud's own variables (AWS_… for s3://). Then
    set LEAD_PIPELINE_SHARED to the same URL, here and for every worker: this folder is a copy of the store
    from then on. **To a folder**: run it where LEAD_PIPELINE_SHARED is set. Then unset that, and set
    LEAD_PIPELINE_HOME to the folder; the objects stay until you remove them.

    Tables and the published file are made again by the next run, or at once by **rebuild**.
    """
    from lead_pipeline.accounts import load_accounts
    from lead_pipeline.logs import show
    from lead_pipeline.settings import load_settings
    from lead_pipeline.storage.permissions import readers_of, tighten

    settings = load_settings()
    show(settings.log_level, settings.log_format)
    tighten(settings.home, readers_of(settings), say)
    accounts = [account.name for account in load_accounts(settings).declared]
    if _URL.match(to):
        _to_store(settings, to.rstrip("/"), accounts)
    else:
        _to_folder(settings, Path(to).expanduser().resolve(), accounts)


def _to_store(settings: Settings, url: str, accounts: list[str]) -> None:
    from lead_pipeline.errors import ConfigurationError
    from lead_pipeline.moving.to_store import move_to_store
    from lead_pipeline.settings import load_settings

    if settings.shared is not None and settings.shared.rstrip("/") != url:
        raise ConfigurationError(
            f"LEAD_PIPELINE_SHARED={settings.shared} names another store than --to {url}. Unset it, or "
            "name the same."
        )
    # What names a store is checked as the variable is.
    load_settings({"shared": url})
    if settings.database is None:
        raise ConfigurationError(
            "LEAD_PIPELINE_DATABASE is not set: a team's store cannot be used without it. Set it to a "
            "PostgreSQL that all workers reach, then give the command again (docs/team.md)."
        )
    with working(f"Moving landing to {url}") as tell:
        moved = move_to_store(settings, url, accounts, tell)
    _say(moved, url)
    if settings.shared is None:
        say(f"Set this for every worker: LEAD_PIPELINE_SHARED={url}")
    if settings.erasure_key is None and settings.erasure_key_path.exists():
        say(
            f"Set LEAD_PIPELINE_ERASURE_KEY for every worker to what {settings.erasure_key_path} holds: "
            "without it nothing can be pulled, since persons have been erased."
        )
    if (settings.home / "stages.csv").exists() and settings.stages is None:
        say("Give every worker the same stages.csv: LEAD_PIPELINE_STAGES names it.")
    if (settings.home / "dbt").exists() and settings.own_models is None:
        say("Give every worker the same folder dbt: LEAD_PIPELINE_OWN_MODELS names it.")
    last_word(f"Landing is in {url}. Next: lead-pipeline rebuild, with that variable set.")


def _to_folder(settings: Settings, folder: Path, accounts: list[str]) -> None:
    from lead_pipeline.moving.to_folder import move_to_folder

    with working(f"Moving landing to {folder}") as tell:
        moved = move_to_folder(settings, folder, accounts, tell)
    _say(moved, str(folder))
    say(f"Set LEAD_PIPELINE_HOME={folder}, and unset LEAD_PIPELINE_SHARED, for every worker.")
    last_word(f"Landing is in {folder}. Next: lead-pipeline rebuild, with these variables.")


def _say(moved: Moved, where: str) -> None:
    if moved.files:
        say(
            f"{moved.files:,} files of {moved.accounts:,} accounts, {moved.bytes / 1e6:,.1f} MB, are in "
            f"{where}, and equal to what they were."
        )
    else:
        say(f"Everything is in {where} already.")
