"""`lead-pipeline demo`: continues, changes nothing that is there, and keeps to itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from lead_pipeline.commands.demo_home import marker_path
from lead_pipeline.commands.nights import prepare_demo
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import Settings
from lead_pipeline_tests.commands import Demo, Ran, environment, lead_pipeline, lead_pipeline_here

# The shared demo may be under way in another process of the tests.
pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class TwoDemos:
    """Two nights, then one more in a copy of the folder."""

    home: Path
    landed_by_first: dict[str, str]
    versions_by_first: list[tuple[str, ...]]
    second: Ran


@pytest.fixture(scope="module")
def two_demos(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> TwoDemos:
    folder = tmp_path_factory.mktemp("demo")
    home = demo.copy_to(folder)
    landed, versions = landed_files(home), versions_of(home)
    second = lead_pipeline(folder, environment(home), "demo", "--nights", "1")
    return TwoDemos(home, landed, versions, second)


def landed_files(home: Path) -> dict[str, str]:
    """Every landed file and finished commit record, by path, with a digest of its bytes."""
    files = [*(home / "landing").rglob("*.parquet"), *(home / "landing").rglob("_crawls/*.json")]
    return {
        path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def versions_of(home: Path) -> list[tuple[str, ...]]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(
            "select version_id, first_seen_at::varchar from normalized.lead_versions order by all"
        ).fetchall()


def test_demo_succeeds_without_credentials(demo: Demo) -> None:
    assert (demo.ran.status, demo.ran.errors) == (0, "")


def test_demo_shows_where_the_file_is_and_what_next(demo: Demo) -> None:
    published = demo.home / "bi" / "leads.duckdb"
    assert f"Published {published}" in demo.ran.output
    assert f"duckdb -readonly {published}" in demo.ran.output


@pytest.mark.long
def test_demo_goes_on_with_the_night_after(two_demos: TwoDemos) -> None:
    assert two_demos.second.status == 0, two_demos.second.errors
    assert "2026-01-03" in two_demos.second.output
    assert "2026-01-02" not in two_demos.second.output


@pytest.mark.long
def test_demo_changes_nothing_that_has_landed(two_demos: TwoDemos) -> None:
    after = landed_files(two_demos.home)
    assert len(after) > len(two_demos.landed_by_first)
    assert {path: after.get(path) for path in two_demos.landed_by_first} == (
        two_demos.landed_by_first
    )


@pytest.mark.long
def test_demo_keeps_every_version_it_had(two_demos: TwoDemos) -> None:
    assert set(two_demos.versions_by_first) - set(versions_of(two_demos.home)) == set()


def test_run_refuses_the_folder_of_a_demo(demo: Demo, tmp_path: Path) -> None:
    credentials = {"VOREL_BASE_URL": "http://127.0.0.1:9", "VOREL_API_KEY": "a-key"}
    ran = lead_pipeline_here(tmp_path, environment(demo.copy_to(tmp_path), credentials), "run")
    assert ran.status == 1
    assert "belongs to the demo" in ran.last_line


def test_demo_refuses_a_folder_with_real_leads(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "landing").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="not the demo's"):
        prepare(home, monkeypatch)


def test_demo_without_a_home_takes_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prepare(None, monkeypatch).home == tmp_path / "data" / "demo"


def test_demo_refuses_accounts_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_ACCOUNTS", "accounts.toml")
    with pytest.raises(ConfigurationError, match="Unset LEAD_PIPELINE_ACCOUNTS"):
        prepare(None, monkeypatch)


def test_demo_does_not_live_into_the_future(home: Path) -> None:
    marker_path(home).parent.mkdir(parents=True)
    marker_path(home).write_text('{"last_day":"2999-01-01"}')
    ran = lead_pipeline_here(home.parent, environment(home), "demo", "--nights", "1")
    assert ran.status == 1
    assert "--nights" in ran.last_line


def prepare(home: Path | None, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """`prepare_demo`, whose changes to the environment end with the test."""
    for name in ("LEAD_PIPELINE_HOME", "LEAD_PIPELINE_START_DATE", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")
    if home is not None:
        monkeypatch.setenv("LEAD_PIPELINE_HOME", str(home))
    return prepare_demo()
