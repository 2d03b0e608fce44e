"""How a home becomes a copy of a store, and how it is known that it is still the same store.

    store.json      in the store: its id, and whether a landing is being moved into it, or was moved away
    .shared.json    in the home: the same id

So neither an emptied bucket nor a wrong prefix is ever taken for the landing. Belongs here: making and
comparing both. Does not belong here: what is moved (`lead_pipeline/moving/`).
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Literal

import msgspec

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.storage.shared_home import Mark, has_own_landing, mark_home, mark_of
from lead_pipeline.storage.team.objects import NameTaken, ObjectMissing, ObjectStore

IDENTITY = "store.json"


class Identity(msgspec.Struct, frozen=True):
    """What a store says of itself."""

    id: str
    state: Literal["ready", "moving", "moved"] = "ready"
    """`moving`: a landing is being moved into it. `moved`: it was moved away, to a folder. Nobody works
    with either."""


def join(home: Path, store: ObjectStore) -> Mark:
    """Let an empty home be a copy of the store, or see that it is one; the first one makes the store.

    Safe to be called by many at once. Raises `ConfigurationError` where the home is anything else.
    """
    mark = mark_of(home)
    if mark is not None and mark.url != store.url:
        raise ConfigurationError(
            f"{home} is a copy of {mark.url}, and LEAD_PIPELINE_SHARED={store.url} names another "
            "store. Set LEAD_PIPELINE_HOME to another folder, which may be empty."
        )
    if mark is None and has_own_landing(home):
        raise ConfigurationError(
            f"{home} has a landing of its own, and LEAD_PIPELINE_SHARED is set for the first time. To "
            f"move it there: lead-pipeline move --to {store.url}. To work with what is there already: "
            "set LEAD_PIPELINE_HOME to an empty folder."
        )
    found = identity_of(store)
    if found is None and mark is None:
        found = _made(store)
    joined = Mark(store.url, check_identity(store, mark, found).id)
    if mark is None:
        mark_home(home, joined)
    return joined


def identity_of(store: ObjectStore) -> Identity | None:
    """What the store says of itself; None where nobody has made it yet."""
    try:
        content = store.get(IDENTITY).content
    except ObjectMissing:
        return None
    try:
        return msgspec.json.decode(content, type=Identity)
    except msgspec.DecodeError as error:
        raise ConfigurationError(
            f"{store.url}/{IDENTITY} cannot be read ({type(error).__name__}). Restore an earlier "
            "version of it."
        ) from None


def check_identity(store: ObjectStore, mark: Mark | None, found: Identity | None) -> Identity:
    """What was found, where it is what the home is a copy of.

    Raises `ConfigurationError` where the store is another one, or not yet complete.
    """
    if found is None or (mark is not None and found.id != mark.id):
        said = "is empty" if found is None else "is another one than it was"
        raise ConfigurationError(
            f"The store {store.url} {said}, so nothing is taken from it. If its objects were removed, "
            "restore them from their versions; if another store is meant, set LEAD_PIPELINE_HOME to an "
            "empty folder."
        )
    if found.state == "moved":
        raise ConfigurationError(
            f"The landing of {store.url} was moved away, to a folder. Set LEAD_PIPELINE_HOME to that, and "
            "unset LEAD_PIPELINE_SHARED; or name another prefix."
        )
    if found.state == "moving":
        raise ConfigurationError(
            f"A landing is being moved to {store.url}. Wait for it; if it was interrupted, give the "
            "same lead-pipeline move again."
        )
    return found


def _made(store: ObjectStore) -> Identity:
    made = Identity(secrets.token_hex(16))
    try:
        store.create(IDENTITY, msgspec.json.encode(made))
    except NameTaken:
        # By the process that came first.
        return identity_of(store) or made
    return made
