"""A home with persons of three accounts in every kind of landed file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lead_pipeline_tests.erasure.homes import ErasureHome, live
from lead_pipeline_tests.pulling import settings_in
from lead_pipeline_tests.sharing import made_once


@pytest.fixture(scope="session")
def lived_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some nights of three accounts, loaded, once for the whole run: nobody may change it."""
    return made_once(tmp_path_factory, "lived", lambda folder: live(folder / "home"))


@pytest.fixture
def lived(lived_folder: Path, tmp_path: Path) -> ErasureHome:
    """A copy of it: most files were put together, and a crawl was killed."""
    shutil.copytree(lived_folder / "home", tmp_path / "home")
    return ErasureHome(settings_in(tmp_path / "home"))
