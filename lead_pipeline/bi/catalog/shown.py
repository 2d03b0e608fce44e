"""Which catalog readers see, without making one: that of the build that they have."""

from __future__ import annotations

from lead_pipeline.bi.builds import read_build
from lead_pipeline.bi.retained_builds import name_of
from lead_pipeline.settings import Settings
from lead_pipeline.storage.publication import publication_at


def show_catalog_again(settings: Settings) -> None:
    """Let readers see the catalog of the build that they have now, or none where there is none of it."""
    build = read_build(settings.published_path)
    if build is not None:
        publication_at(settings.published_path).show_catalog(name_of(build))
