"""One published file for all tests of the pages. Copy it before changing it (`pages.changed`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline.report.pages import write_pages
from lead_pipeline_tests.marts.building import BuiltWorld
from lead_pipeline_tests.report.pages import publish_world
from lead_pipeline_tests.sharing import made_once


@pytest.fixture(scope="session")
def published(built_world: BuiltWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file of the invented world, with its pages beside it."""

    def make(folder: Path) -> None:
        write_pages(publish_world(built_world, folder))

    return made_once(tmp_path_factory, "pages", make) / "leads.duckdb"
