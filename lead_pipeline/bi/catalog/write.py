"""Writing the catalog of what readers have, after they have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import msgspec

from lead_pipeline.bi.catalog.artifacts import (
    cleaned_manifest,
    cleaned_results,
    dbt_catalog,
    encoded,
)
from lead_pipeline.bi.catalog.contract import Promises, as_yaml, contract_of
from lead_pipeline.bi.catalog.described import DescribedFile, describe
from lead_pipeline.bi.dbt_project import MANIFEST, RESULTS
from lead_pipeline.bi.retained_builds import name_of, retained_builds
from lead_pipeline.causes import cause_of
from lead_pipeline.errors import PublishError
from lead_pipeline.settings import Settings
from lead_pipeline.storage.catalogs import hide_catalog, keep_catalog, prune_catalogs
from lead_pipeline.storage.permissions import readers_of
from lead_pipeline.storage.publication import publication_at


def write_catalog(settings: Settings, target_path: Path) -> None:
    """Let readers have the catalog of the build that they have; dbt's artifacts lie in `target_path`.

    The caller holds the publish lock, and has published the build that dbt made there last. Raises
    `PublishError`, and readers then have the file without a catalog, rather than with another's.
    """
    published = settings.published_path
    try:
        described = describe(published)
        files = catalog_files(described, target_path, _promises(settings), settings.bi_url)
        keep_catalog(published, described.build, files, readers_of(settings))
        publication_at(published).show_catalog(described.build)
        kept = {name_of(build) for build in retained_builds(published)}
        prune_catalogs(published, kept | {described.build})
    except (duckdb.Error, OSError, msgspec.DecodeError) as error:
        hide_catalog(published)
        raise PublishError(
            f"Readers have {published}, but its catalog could not be made: {cause_of(error)}. Make room "
            "or fix the folder, then publish again: lead-pipeline publish."
        ) from None


def catalog_files(
    described: DescribedFile, target_path: Path, promises: Promises, bi_url: str | None
) -> dict[str, bytes]:
    """The files by name. Raises `OSError` where dbt has left no artifacts."""
    manifest = cleaned_manifest(_read(target_path / MANIFEST), described.build, bi_url)
    results = cleaned_results(_read(target_path / RESULTS), described.build)
    return {
        "contract.odcs.yaml": as_yaml(contract_of(described, manifest, promises)),
        MANIFEST: encoded(manifest),
        "catalog.json": dbt_catalog(manifest, described),
        RESULTS: encoded(results),
    }


def _promises(settings: Settings) -> Promises:
    return Promises(settings.owner, settings.retained_builds, settings.missing_days)


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    return document
