"""From a folder to a team's store.

    store.json: moving ──▶ objects ──read back, compared──▶ store.json: ready ──▶ .shared.json of the home

Until `ready` nobody works with the store, and the folder is what it was; a kill at any step is made good
by the same command. Belongs here: the order. Does not belong here: what is copied (`contents.py`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec

from lead_pipeline.errors import ConfigurationError, LoadError
from lead_pipeline.moving.contents import Moved, Piece, count, nobody_else, pieces_of
from lead_pipeline.settings import Settings
from lead_pipeline.storage.files import write_atomically
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.shared_home import Mark, mark_home, mark_of
from lead_pipeline.storage.team.joining import IDENTITY, Identity, identity_of
from lead_pipeline.storage.team.names import ERASURES, LANDING, part_of
from lead_pipeline.storage.team.noted_copies import Copies
from lead_pipeline.storage.team.objects import NameTaken, ObjectStore, Outdated, open_store

TRANSFERS = 16
"""At a time."""
_NOTE = ".moving.json"

Tell = Callable[[str], None]


def move_to_store(settings: Settings, url: str, accounts: Iterable[str], tell: Tell) -> Moved:
    """Move the landing of the settings' home, a folder, into the empty store at `url`.

    `accounts` are the declared ones: none of them lands meanwhile. Goes on where an earlier call was
    interrupted. Raises `ConfigurationError` where the home is a copy already, or the store holds another
    landing; `LoadError` where landing is damaged, or did not come back as it was.
    """
    store = open_store(url)
    if (done := _already_moved(settings, store)) is not None:
        return done
    alone = settings.model_copy(update={"shared": None})
    seams_of(alone)
    with nobody_else(alone, set(accounts)):
        identity = _claimed(alone, store)
        pieces = pieces_of(alone)
        if identity.state == "moving":
            tell(f"{len(pieces):,} files are copied to {store.url}.")
            _copy(alone, store, pieces)
            tell("Every object is read back and compared.")
            _compare(store, pieces)
            _set(store, Identity(identity.id))
        _become_copy(alone, store, identity)
    return count(alone, pieces)


def _already_moved(settings: Settings, store: ObjectStore) -> Moved | None:
    mark = mark_of(settings.home)
    if mark is None:
        return None
    if mark.url != store.url:
        raise ConfigurationError(
            f"{settings.home} is a copy of {mark.url}, so there is nothing of its own to move. From one "
            "store to another: lead-pipeline move --to FOLDER, then from that folder."
        )
    (settings.home / _NOTE).unlink(missing_ok=True)
    return Moved(0, 0, 0)


def _claimed(settings: Settings, store: ObjectStore) -> Identity:
    """The store, to be moved into by this home: made for it, now or by an earlier call."""
    note = settings.home / _NOTE
    try:
        own = msgspec.json.decode(note.read_bytes(), type=Mark)
    except FileNotFoundError:
        own = Mark(store.url, secrets.token_hex(16))
    except msgspec.DecodeError:
        raise ConfigurationError(
            f"{note}, the note of a move that was interrupted, cannot be read. Remove it, and move to "
            "an empty prefix."
        ) from None
    found = identity_of(store)
    if found is None:
        if next(store.list(LANDING), None) is not None:
            raise _refused(store)
        # First here: what is made in the store is known to be ours, whenever this ends.
        own = Mark(store.url, own.id)
        write_atomically(note, msgspec.json.encode(own))
        found = Identity(own.id, "moving")
        try:
            store.create(IDENTITY, msgspec.json.encode(found))
        except NameTaken:
            raise _refused(store) from None
    elif (own.url, own.id) != (store.url, found.id):
        raise _refused(store)
    return found


def _refused(store: ObjectStore) -> ConfigurationError:
    return ConfigurationError(
        f"{store.url} holds a landing already, or one is being moved there from another home. Name an "
        "empty prefix: nothing is ever put over another landing."
    )


def _copy(settings: Settings, store: ObjectStore, pieces: dict[str, Piece]) -> None:
    """Let the store have exactly these files. Repeating it puts only what is missing."""
    there = {found.name: found for folder in (LANDING, ERASURES) for found in store.list(folder)}
    store.delete(*sorted(there.keys() - pieces.keys()))

    def put(piece: Piece) -> None:
        content = (settings.home / piece.name).read_bytes()
        found = there.get(piece.name)
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        # Most stores tell so that it is there already; all objects are read back in the end.
        if found is None or found.version.etag != etag:
            store.put(piece.name, content)

    # Rows first, commit records last, as a crawl writes them.
    ordered = sorted(pieces.values(), key=lambda piece: ("/_crawls/" in piece.name, piece.name))
    with ThreadPoolExecutor(TRANSFERS) as threads:
        list(threads.map(put, ordered))


def _compare(store: ObjectStore, pieces: dict[str, Piece]) -> None:
    listed = [found.name for folder in (LANDING, ERASURES) for found in store.list(folder)]
    with ThreadPoolExecutor(TRANSFERS) as threads:
        digests = dict(zip(listed, threads.map(partial(_digest, store), listed), strict=True))
    expected = {name: piece.sha256 for name, piece in pieces.items()}
    if differing := sorted(
        name for name in digests.keys() | expected.keys() if digests.get(name) != expected.get(name)
    ):
        raise LoadError(
            f"{len(differing):,} objects below {store.url} are not what was put there, the first one "
            f"{differing[0]}. Nothing was switched: the folder is what it was. Give the command again."
        )


def _digest(store: ObjectStore, name: str) -> str:
    return hashlib.sha256(store.get(name).content).hexdigest()


def _set(store: ObjectStore, identity: Identity) -> None:
    try:
        store.replace(IDENTITY, msgspec.json.encode(identity), store.get(IDENTITY).version)
    except Outdated:
        raise _refused(store) from None


def _become_copy(settings: Settings, store: ObjectStore, identity: Identity) -> None:
    """Let the home be a copy; what it holds is noted, so that it is not fetched."""
    for folder in (LANDING, ERASURES):
        for found in store.list(folder):
            copies = Copies(settings.home, part_of(found.name))
            with copies.changing():
                copies.note(found.name, found.version)
    mark_home(settings.home, Mark(store.url, identity.id))
    (settings.home / _NOTE).unlink(missing_ok=True)
