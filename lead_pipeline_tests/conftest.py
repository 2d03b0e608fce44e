"""Fixtures for everything above the sandbox: an environment of its own, and loopback accounts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.settings import Settings
from lead_pipeline.storage.permissions import be_private
from lead_pipeline_tests.commands import Demo, live_through_demo
from lead_pipeline_tests.deploy.database import Database, running_database
from lead_pipeline_tests.fourth_provider import install_deals
from lead_pipeline_tests.marts.building import BuiltWorld, build_world, invent_world
from lead_pipeline_tests.pulling import SLUGS, account_of, settings_in
from lead_pipeline_tests.sharing import made_once
from lead_pipeline_tests.team.homes import Team

if TYPE_CHECKING:
    from lead_pipeline_tests.team.object_store import S3Server

_PREFIXES = ("LEAD_PIPELINE_", *(f"{slug.upper()}_" for slug in (*SLUGS, "deals")))
MEMORY = Path("/dev/shm")  # noqa: S108 - folders of the run's own are made in it
NEEDED_BYTES = 4 * 1024**3


def pytest_configure(config: pytest.Config) -> None:
    """Put the tests' files into memory where there is room: each commit waits for a real disk."""
    # As every way into the pipeline does: what is tested in this process writes as commands do.
    be_private()
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return
    if shutil.disk_usage(MEMORY).free > NEEDED_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
        # For all else, also of killed processes, which remove nothing.
        folder = tempfile.TemporaryDirectory(dir=MEMORY, ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        os.environ["TMPDIR"] = folder.name
        # Asked again from here on.
        tempfile.tempdir = None


LONGEST = (
    "orchestration/test_stack.py",
    "test_demo.py",
    "test_cli.py",
    "orchestration/test_instance.py",
    "test_publishing_commands.py",
    "chaos/test_chaos.py",
    "test_wheel.py",
    "test_waits.py",
    "orchestration/test_dbt_assets.py",
    "truth/test_matrix.py",
    "marts/test_dev_target.py",
    "bi/test_reidentification.py",
)
"""Files that take longest, the longest first: what begins late is waited for by all processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that no process is left alone with them at the end."""
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable and no `.env` of the machine reaches a test."""
    for variable in list(os.environ):
        if variable.startswith(_PREFIXES):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def built_world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    """One build of all marts for the whole run. Copy the file before changing it."""
    folder = made_once(tmp_path_factory, "world", build_world)
    return BuiltWorld(invent_world(), folder / "leads.duckdb")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One `lead-pipeline demo` for the whole run. Copy its home before changing it."""
    return Demo.of(made_once(tmp_path_factory, "demo", live_through_demo))


@pytest.fixture(scope="session")
def deals_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package of the fourth provider."""
    return made_once(tmp_path_factory, "deals", install_deals)


@pytest.fixture
def deals_installed(deals_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fourth provider is installed, for this process and for those that it starts."""
    monkeypatch.syspath_prepend(deals_folder)
    monkeypatch.setenv("PYTHONPATH", str(deals_folder))
    monkeypatch.setattr(PROVIDERS, "_found", None)
    return deals_folder


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    """A PostgreSQL server for the tests of this process. Who needs tables takes `database.another()`."""
    with running_database() as database:
        yield database


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One S3 server for all tests of this process, which are skipped where it is not installed."""
    # Its client is not needed by the tests of the folder on one machine.
    from lead_pipeline_tests.team.object_store import running_object_store

    with running_object_store() as server:
        yield server


@pytest.fixture
def shared(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a prefix of the test's own, which this process and those it starts can reach."""
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    return s3_server.new_prefix()


@pytest.fixture
def team(shared: str, database: Database, tmp_path: Path) -> Team:
    """A store, a database, and room for homes."""
    return Team(tmp_path / "homes", shared, database.another().url)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The three APIs without any lead and without limits."""
    with Sandbox(World.empty(), limits=False) as running:
        # Leads of any time are put there: the APIs serve them now.
        for server in (running.mega, running.expert_ai_labs, running.vorel):
            server.clock = lambda: datetime.now(UTC)
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """`LEAD_PIPELINE_HOME`, not there yet."""
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path) -> Settings:
    """The defaults, below `home`."""
    return settings_in(home)


@pytest.fixture
def accounts(sandbox: Sandbox) -> Mapping[str, Account]:
    """One account per provider, by slug, with the sandbox's credentials."""
    return {slug: account_of(sandbox, slug) for slug in SLUGS}
