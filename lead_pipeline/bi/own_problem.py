"""What is wrong with the users' models as they are now, kept for who only looks.

    dbt parse, dbt build ──▶ <home>/.dbt/problem.json ──▶ status

Parsing takes seconds, so nobody who only looks does it. Belongs here: the note. Does not belong here:
what is done about it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lead_pipeline.bi.dbt_project import ours
from lead_pipeline.bi.own_models import read_own_models, state_of
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import Settings
from lead_pipeline.storage.files import write_atomically


class Problem(msgspec.Struct, frozen=True):
    """Why nothing can be published with the users' models."""

    state: str
    """Of which state of their files this is known."""
    since: datetime | None
    what: str


def note_problem(settings: Settings, state: str, what: str | None) -> None:
    """Keep what is wrong with that state of the users' models; None: nothing is, any more."""
    path = _path(settings)
    if what is None:
        path.unlink(missing_ok=True)
        return
    write_atomically(path, msgspec.json.encode(Problem(state, datetime.now(UTC), what)))


def own_problem(settings: Settings) -> Problem | None:
    """What is wrong with the users' models; None: nothing that is known of their files as they are now."""
    try:
        own = read_own_models(settings)
    except ConfigurationError as error:
        return Problem("", None, str(error))
    if own is None:
        return None
    try:
        noted = msgspec.json.decode(_path(settings).read_bytes(), type=Problem)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return noted if noted.state == state_of(own, ours()) else None


def _path(settings: Settings) -> Path:
    return settings.merged_dbt_path / "problem.json"
