"""The mark of a home that is a copy of a team's store, so that nothing is ever written to it alone.

    <home>/.shared.json     the store's URL, and the id that the store has had since it was made

Belongs here: reading and writing the mark. Does not belong here: the store (`team/`).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.storage.files import write_atomically

MARK = ".shared.json"


class Mark(msgspec.Struct, frozen=True):
    """Of which store a home is a copy."""

    url: str
    id: str


def mark_of(home: Path) -> Mark | None:
    """None where the home is no copy. Raises `ConfigurationError` where the mark cannot be read."""
    path = home / MARK
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mark)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(
            f"{path}, which says of which store this home is a copy, cannot be read "
            f"({type(error).__name__}). A copy holds nothing of its own: remove the home, and run the "
            "same command again."
        ) from None


def mark_home(home: Path, mark: Mark) -> None:
    """Let the home be a copy of that store from now on; it is on disk on return."""
    write_atomically(home / MARK, msgspec.json.encode(mark))


def refuse_copy(home: Path) -> None:
    """Raise `ConfigurationError` where the home is a copy, since its store is not known here."""
    # Asked before each change of landing: without reading anything.
    if not (home / MARK).exists():
        return
    mark = mark_of(home)
    if mark is not None:
        raise ConfigurationError(
            f"{home} is a copy of {mark.url}, and LEAD_PIPELINE_SHARED does not name that. Set it, or "
            "use another LEAD_PIPELINE_HOME. To leave the store: lead-pipeline move --to FOLDER."
        )


def has_own_landing(home: Path) -> bool:
    """Whether anything has landed in a home that is no copy; unfinished files do not count."""
    return any(
        path.is_file() and not path.name.startswith(".") for path in (home / "landing").rglob("*")
    )
