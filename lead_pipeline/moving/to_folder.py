"""From a team's store back to a folder.

    objects ──▶ FOLDER/.moving/ ──compared with this home's copy──▶ store.json: moved ──▶ FOLDER/landing

The folder has a landing only when it is whole, and from then on nobody works with the store: its objects
stay, until somebody removes them. A kill at any step is made good by the same command. Belongs here: the
order. Does not belong here: what is copied (`contents.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from lead_pipeline.errors import ConfigurationError, LoadError
from lead_pipeline.landing.commits import accounts_with_landing
from lead_pipeline.moving.contents import Moved, Piece, count, nobody_else, pieces_of
from lead_pipeline.moving.to_store import TRANSFERS
from lead_pipeline.settings import Settings
from lead_pipeline.storage.files import digest_of, sync, write_atomically
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.shared_home import Mark, has_own_landing, mark_of
from lead_pipeline.storage.team.joining import IDENTITY, Identity, identity_of
from lead_pipeline.storage.team.names import ERASURES, LANDING
from lead_pipeline.storage.team.objects import ObjectStore, Outdated, open_store

STAGING = ".moving"
_NOTE = "store.json"

Tell = Callable[[str], None]


def move_to_folder(settings: Settings, target: Path, accounts: Iterable[str], tell: Tell) -> Moved:
    """Move the landing of the settings' store into `target`, a folder without one: a home from then on.

    `accounts` are the declared ones: none of them lands meanwhile. Goes on where an earlier call was
    interrupted. Raises `ConfigurationError` where the folder holds anything else, `LoadError` where
    landing is damaged, or did not come as it is.
    """
    if settings.shared is None:
        raise ConfigurationError(
            f"LEAD_PIPELINE_SHARED is not set, so there is no store to move from. A folder is moved by "
            f"copying it: stop all runs, copy {settings.home}, set LEAD_PIPELINE_HOME."
        )
    store = open_store(settings.shared)
    identity = identity_of(store)
    if identity is not None and identity.state == "moved":
        return _ended_before(target, store, identity)
    landing = seams_of(settings).landing
    with nobody_else(settings, set(accounts)):
        landing.refresh()
        names = accounts_with_landing(settings.landing_path)
        for name in names:
            # With journals, which only whoever has the account's turn fetches.
            landing.begin_turn(name)
        identity = identity_of(store) or Identity("")
        _claim(target, store, identity)
        pieces = pieces_of(settings)
        tell(f"{len(pieces):,} files are copied to {target}.")
        _copy(store, pieces, target / STAGING)
        try:
            store.replace(
                IDENTITY,
                msgspec.json.encode(Identity(identity.id, "moved")),
                store.get(IDENTITY).version,
            )
        except Outdated:
            raise ConfigurationError(
                f"{store.url} is being moved elsewhere at the same time. Look who does that."
            ) from None
        _switch(target)
    return count(settings, pieces)


def _ended_before(target: Path, store: ObjectStore, identity: Identity) -> Moved:
    """Complete what was killed between closing the store and the landing's being there."""
    if _noted(target) == Mark(store.url, identity.id):
        _switch(target)
        return Moved(0, 0, 0)
    raise ConfigurationError(
        f"The landing of {store.url} was moved away before. Set LEAD_PIPELINE_HOME to the folder that it "
        "was moved to, and unset LEAD_PIPELINE_SHARED."
    )


def _noted(target: Path) -> Mark | None:
    try:
        return msgspec.json.decode((target / STAGING / _NOTE).read_bytes(), type=Mark)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _claim(target: Path, store: ObjectStore, identity: Identity) -> None:
    """Note which landing is being moved to the folder. Raises `ConfigurationError` where that has one."""
    own = Mark(store.url, identity.id)
    if mark_of(target) is not None or has_own_landing(target) or (target / ERASURES).exists():
        raise ConfigurationError(
            f"{target} holds a landing already, or is a copy of one. Name a folder without: nothing is "
            "ever put over another landing."
        )
    if (target / STAGING).exists() and _noted(target) not in (own, None):
        raise ConfigurationError(
            f"Another landing is being moved to {target}. Complete that, or remove {target / STAGING}."
        )
    write_atomically(target / STAGING / _NOTE, msgspec.json.encode(own))


def _copy(store: ObjectStore, pieces: dict[str, Piece], staging: Path) -> None:
    """Let the staging folder have exactly these files, each as it came and as this home has it."""
    for path in staging.rglob("*"):
        name = path.relative_to(staging).as_posix()
        if path.is_file() and name not in pieces and name != _NOTE:
            path.unlink()

    def fetch(piece: Piece) -> str | None:
        path = staging / piece.name
        if path.exists() and digest_of(path) == piece.sha256:
            return None
        digest, _ = store.download(piece.name, path)
        return None if digest == piece.sha256 else piece.name

    with ThreadPoolExecutor(TRANSFERS) as threads:
        differing = [name for name in threads.map(fetch, pieces.values()) if name is not None]
    if differing:
        raise LoadError(
            f"{len(differing):,} objects of {store.url} are not what this home's copy of them is, the "
            f"first one {differing[0]}. Nothing was switched. Give the command again; if it says so "
            "again, lead-pipeline scrub tells which one is damaged."
        )


def _switch(target: Path) -> None:
    """Let the folder have the landing: erasures first, so that it never lacks who was erased."""
    for folder in (ERASURES, LANDING):
        staged = target / STAGING / folder
        if staged.exists():
            # Of a landing only unfinished files can be there.
            shutil.rmtree(target / folder, ignore_errors=True)
            staged.rename(target / folder)
    sync(target)
    shutil.rmtree(target / STAGING)
