"""The folder of a build's catalog, and which of them readers see.

    files of a build ──▶ bi/.catalogs/<build>/ ◀──link, swapped by a rename── bi/catalog

The files of a catalog belong together, so readers get all of them or none: `bi/catalog` is a link that
names one folder, and that folder is never written to again. Catalogs hold no personal data. Belongs
here: folders and the link. Does not belong here: what stands in the files (`bi/catalog/`).
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from lead_pipeline.storage.files import sync
from lead_pipeline.storage.permissions import CATALOGS, FOLDER_MODE, PAGE_MODE, Readers, shown_to

SHOWN = "catalog"
CATALOG_FILES = ("contract.odcs.yaml", "manifest.json", "catalog.json", "run_results.json")
"""The data contract, and dbt's artifacts by the names that dbt gives them."""


def shown_catalog(published: Path) -> Path:
    """Where readers of `published` find the catalog of what they have."""
    return published.with_name(SHOWN)


def catalog_folder(published: Path, build: str) -> Path:
    """Where the catalog of a build lies on this machine."""
    return published.with_name(CATALOGS) / build


def keep_catalog(
    published: Path, build: str, files: Mapping[str, bytes], readers: Readers | None
) -> None:
    """Write the catalog of a build, whole or not at all; nobody sees it until it is shown.

    The caller holds the lock of whoever replaces what readers have. Raises `OSError`.
    """
    folder = catalog_folder(published, build)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _unfinished(folder)
    unfinished.mkdir()
    for name, content in files.items():
        unfinished.joinpath(name).write_bytes(content)
        shown_to(readers, unfinished / name, PAGE_MODE)
        sync(unfinished / name)
    for shown in (folder.parent, unfinished):
        shown_to(readers, shown, FOLDER_MODE)
    if folder.exists():
        # The same build again: a folder that is not empty cannot be renamed over.
        shutil.rmtree(folder)
    unfinished.rename(folder)
    sync(folder.parent)


def show_catalog(published: Path, build: str) -> None:
    """Let readers see the catalog of that build; none where there is none of it.

    The caller holds the lock of whoever replaces what readers have. Raises `OSError`.
    """
    folder, link = catalog_folder(published, build), shown_catalog(published)
    if not folder.is_dir():
        hide_catalog(published)
        return
    new = _unfinished(link)
    try:
        # Relative, so that a home can be moved.
        new.symlink_to(folder.relative_to(published.parent), target_is_directory=True)
    except OSError:
        # A file system without links: for a moment there is no catalog, and never half of one.
        shutil.copytree(folder, new)
        hide_catalog(published)
    if not link.is_symlink():
        hide_catalog(published)
    new.replace(link)
    sync(link.parent)


def hide_catalog(published: Path) -> None:
    """Let readers see no catalog, rather than that of another build."""
    _remove(shown_catalog(published))


def prune_catalogs(published: Path, builds: Collection[str]) -> None:
    """Remove the catalogs of all builds but these, by the lock under which they are written."""
    with suppress(FileNotFoundError):
        for folder in published.with_name(CATALOGS).iterdir():
            if folder.name not in builds:
                shutil.rmtree(folder)


def _unfinished(path: Path) -> Path:
    """Where what becomes `path` is made, without what a killed process has left there."""
    new = path.with_name(f".{path.name}.new")
    _remove(new)
    return new


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
