"""Who may read what the pipeline has written: its user, and a group that reads `bi/` if one is set.

    home/            0700, with a group of readers 0710: they pass through and see no names
      bi/            0700 ─────────────────────── 0750, that group
        leads.duckdb 0400 ─────────────────────── 0440, that group; pages: 0600, 0640
        explore/     0700 ─────────────────────── 0750, that group
        .catalogs/   0700 ─────────────────────── 0750, that group, and the files in it (0600, 0640)
      all else       folders 0700, files 0600

New files are private by the umask of each process (`be_private`), since DuckDB, Arrow, SQLite and dbt
make files of their own. Belongs here: modes and groups. Does not belong here: when a file is made.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.causes import cause_of
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import Settings

PRIVATE_UMASK = 0o077
OTHERS = 0o077
"""What group and others may do."""
FOLDER_MODE = 0o700
FILE_MODE = 0o400
"""Of a published file, which nobody writes to: whoever tries is told at once, instead of locking
readers out."""
PAGE_MODE = 0o600
CATALOGS = ".catalogs"
"""Below `bi/`: the catalogs of builds, in which is no personal data."""
_PASSED_FOLDER, _READ_FOLDER = 0o710, 0o750
OURS = ("landing", "bi", "dagster", ".locks", ".shared", ".warehouse")
"""Folders of the home that the pipeline alone writes to. Beside them can be what others put there."""
_OUR_FILES = (".shared.json", "warehouse.duckdb*", "alerts.json", "dev.duckdb*", "erasure.key")


@dataclass(frozen=True)
class Readers:
    """The group that may read `bi/`."""

    gid: int
    name: str

    @classmethod
    def named(cls, group: str) -> Readers:
        """The group of that name or number. Raises `ConfigurationError` where there is none."""
        try:
            import grp

            entry = grp.getgrgid(int(group)) if group.isdecimal() else grp.getgrnam(group)
        except ImportError:
            raise ConfigurationError(
                "LEAD_PIPELINE_READERS_GROUP: this system has no groups of files. Unset it."
            ) from None
        except KeyError:
            if group.isdecimal():
                # Of another container or machine, which knows its name.
                return cls(int(group), group)
            raise ConfigurationError(
                f"LEAD_PIPELINE_READERS_GROUP: this machine has no group {group!r}. Make it "
                f"(groupadd {group}), or name another one by its name or number."
            ) from None
        return cls(entry.gr_gid, entry.gr_name)


def readers_of(settings: Settings) -> Readers | None:
    """The group that the settings name, if any. Raises `ConfigurationError` where there is none."""
    return None if settings.readers_group is None else Readers.named(settings.readers_group)


def be_private() -> None:
    """Let whatever this process and its children make be for its user alone."""
    os.umask(PRIVATE_UMASK)


def tighten(home: Path, readers: Readers | None, tell: Callable[[str], None]) -> None:
    """Close a home that others can look into, and let `readers` pass to `bi/`, if it is there.

    `tell` receives a sentence when something was open. A file system that keeps no modes, or a home
    of another user, stays as it is: `said_of_readers` says so. Raises `ConfigurationError` where the
    group cannot be given files.
    """
    if not home.exists():
        return
    passed = FOLDER_MODE if readers is None else _PASSED_FOLDER
    if _mode(home) & OTHERS & ~passed:
        # Before what is in it: from here on nobody else gets there.
        _set_mode(home, _mode(home) & passed)
        if not _mode(home) & OTHERS & ~passed:
            opened = sum(_close(path) for path in _all_of_ours(home))
            tell(
                f"{home} could be looked into by other users of this machine. It is closed now, with "
                f"{opened:,} files and folders in it. A group that shall read bi/ is named by "
                "LEAD_PIPELINE_READERS_GROUP (docs/bi.md)."
            )
    if readers is not None:
        let_in(home, readers)


def let_in(home: Path, readers: Readers) -> None:
    """Let the group pass through the home, and read what is published in `bi/` and nothing else."""
    _give(home, readers, _PASSED_FOLDER)
    folder = home / "bi"
    if not folder.exists():
        return
    _give(folder, readers, _READ_FOLDER)
    pages = folder / "explore"
    if pages.is_dir():
        _give(pages, readers, _READ_FOLDER)
    for path in (*folder.iterdir(), *pages.glob("*")):
        if path.is_file() and not path.name.startswith(".") and path.suffix in (".duckdb", ".html"):
            _give(path, readers, _mode(path) & 0o600 | 0o040)
    for path in (folder / CATALOGS, *(folder / CATALOGS).rglob("*")):
        if path.is_dir():
            _give(path, readers, _READ_FOLDER)
        elif path.is_file():
            _give(path, readers, _mode(path) & 0o600 | 0o040)


def shown_to(readers: Readers | None, path: Path, mode: int) -> None:
    """Give a file that is about to be published, or its folder, its mode: nobody else sees it before.

    `mode` is that of its user; what the user may read, the group may.
    """
    _set_mode(path, mode)
    if readers is not None:
        _give(path, readers, mode | (mode & 0o500) >> 3)


def said_of_readers(home: Path, readers: Readers | None) -> str:
    """Who can read what is below the home, in one sentence."""
    if not home.exists():
        return f"{home} is not there yet; only this user will be able to read it."
    mode = _mode(home)
    if mode & 0o067 or (mode & 0o010 and readers is None):
        return (
            f"{home} can be looked into by other users (mode {mode:04o}): its file system keeps no "
            "permissions, or it belongs to another user. Move it, or mount it so that only this "
            "user can reach it."
        )
    if readers is None:
        return f"{home} can be read by this user alone."
    members = ", ".join(_members(readers)) or "nobody yet"
    return (
        f"{home} can be read by this user alone; of it, bi/leads.duckdb and the pages beside it also "
        f"by the group {readers.name} ({members})."
    )


def _members(readers: Readers) -> list[str]:
    import grp
    import pwd

    with suppress(KeyError):
        entry = grp.getgrgid(readers.gid)
        own = [user.pw_name for user in pwd.getpwall() if user.pw_gid == readers.gid]
        return sorted({*entry.gr_mem, *own})
    return [f"members of number {readers.gid}, which has no name here"]


def _all_of_ours(home: Path) -> Iterator[Path]:
    for pattern in _OUR_FILES:
        yield from home.glob(pattern)
    for name in OURS:
        if (home / name).is_dir() and not (home / name).is_symlink():
            yield home / name
            for folder, folders, files in os.walk(home / name):
                yield from (Path(folder, found) for found in (*folders, *files))


def _close(path: Path) -> bool:
    """Take from group and others what they may; whether they might anything."""
    with suppress(FileNotFoundError):
        if path.is_symlink() or not _mode(path) & OTHERS:
            return False
        _set_mode(path, _mode(path) & ~OTHERS)
        return True
    return False


def _give(path: Path, readers: Readers, mode: int) -> None:
    status = path.stat()
    if (status.st_gid, stat.S_IMODE(status.st_mode)) == (readers.gid, mode):
        return
    try:
        if status.st_gid != readers.gid:
            os.chown(path, -1, readers.gid)
    except OSError as error:
        raise ConfigurationError(
            f"LEAD_PIPELINE_READERS_GROUP: {path} cannot be given to the group {readers.name} "
            f"({cause_of(error)}). Make the user of the pipeline a member of it (usermod -aG "
            f"{readers.name} …, and log in again), or name another group."
        ) from None
    _set_mode(path, mode)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _set_mode(path: Path, mode: int) -> None:
    # Some file systems keep no modes, and a home can belong to somebody else.
    with suppress(OSError):
        path.chmod(mode)
