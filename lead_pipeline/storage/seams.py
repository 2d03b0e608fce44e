"""Which implementation of each seam a home has: the folder's, or the team's.

    settings ──home, LEAD_PIPELINE_SHARED, LEAD_PIPELINE_DATABASE──▶ Seams ──registered by home──▶
        landing_at(path), held(path), warehouse_at(path), publication_at(path)

Each process asks `seams_of` once it has its settings; what knows only a path finds the seam by it.
Belongs here: the choice. Does not belong here: what a seam does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import Settings, load_settings
from lead_pipeline.storage.file_locks import FileLocks
from lead_pipeline.storage.landing_store import FolderLanding, LandingStore
from lead_pipeline.storage.locks import Locks, use_locks
from lead_pipeline.storage.permissions import readers_of
from lead_pipeline.storage.publication import FilePublication, Publication, use_publication
from lead_pipeline.storage.shared_home import refuse_copy
from lead_pipeline.storage.warehouse import FileWarehouse, Warehouse, use_warehouse


@dataclass(frozen=True)
class Seams:
    """What a home is made of."""

    landing: LandingStore
    locks: Locks
    warehouse: Warehouse
    publication: Publication


_FOLDER = FolderLanding()

_known: dict[tuple[int, Path, str, str], Seams] = {}
"""By process, home, store and database: connections do not survive a fork."""
_landings: dict[tuple[int, Path], LandingStore] = {}
"""By process and home: those of a team."""


def seams_of(settings: Settings) -> Seams:
    """The seams of the settings' home; from here on in this process, paths below it lead to them.

    Raises `ConfigurationError` where the settings do not fit together, or do not fit the home;
    `StoreUnavailable` where a team's store or database does not answer.
    """
    shared = settings.shared or ""
    database = "" if settings.database is None else settings.database.get_secret_value()
    if not shared:
        refuse_copy(settings.home)
        if not database:
            return _with_files(settings, FileLocks())
    elif not database:
        raise ConfigurationError(
            "LEAD_PIPELINE_SHARED is set without LEAD_PIPELINE_DATABASE: nothing would keep two "
            "machines from writing at once. Set it to a PostgreSQL that all of them reach "
            "(docs/team.md)."
        )
    key = (os.getpid(), settings.home, shared, database)
    if key not in _known:
        _known[key] = _team_seams(settings, shared, database)
    seams = _known[key]
    if seams.landing.is_shared:
        _landings[os.getpid(), settings.home] = seams.landing
        use_warehouse(settings.warehouse_path, seams.warehouse)
        use_publication(settings.published_path, seams.publication)
    use_locks(settings.home, seams.locks)
    return seams


def open_settings() -> Settings:
    """The settings of now, with the seams of their home. Raises what `load_settings` and `seams_of` do."""
    settings = load_settings()
    seams_of(settings)
    return settings


def landing_at(landing: Path) -> LandingStore:
    """Where what lies in the folder `landing` of a home is durable.

    Raises `ConfigurationError` where the home is a copy of a store that this process has not opened.
    """
    home = landing.parent
    team = _landings.get((os.getpid(), home))
    if team is not None:
        return team
    refuse_copy(home)
    return _FOLDER


def _team_seams(settings: Settings, shared: str, database: str) -> Seams:
    """The seams of a team. Their packages are imported here, and nowhere else."""
    from lead_pipeline.storage.team.extra import require_team

    require_team("LEAD_PIPELINE_DATABASE", "psycopg2")
    from lead_pipeline.storage.team.locks import TeamLocks, identity_of_folder
    from lead_pipeline.storage.team.postgres import Database

    home = settings.home
    if not shared:
        return _with_files(settings, TeamLocks(Database.of(database), identity_of_folder(home)))
    from lead_pipeline.storage.team.joining import join
    from lead_pipeline.storage.team.landing import TeamLanding
    from lead_pipeline.storage.team.objects import open_store
    from lead_pipeline.storage.team.publication import TeamPublication
    from lead_pipeline.storage.team.warehouse import TeamWarehouse

    store = open_store(shared)
    mark = join(home, store)
    return Seams(
        TeamLanding(home, store, mark),
        TeamLocks(Database.of(database), mark.id),
        TeamWarehouse(settings.warehouse_path, store),
        TeamPublication(settings.published_path, store, partial(readers_of, settings)),
    )


def _with_files(settings: Settings, locks: Locks) -> Seams:
    """The files of a folder, behind these locks."""
    return Seams(
        _FOLDER,
        locks,
        FileWarehouse(settings.warehouse_path),
        FilePublication(settings.published_path),
    )
