"""`lead-pipeline new-provider`: a package whose tests pass, before and after it is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import lead_pipeline
from lead_pipeline.commands.new_provider import write_package
from lead_pipeline.errors import ConfigurationError
from lead_pipeline_tests.commands import COMMAND, environment


def run(folder: Path, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as users do."""
    return subprocess.run(  # noqa: S603
        command,
        cwd=folder,
        env=environment(folder / "home", variables),
        capture_output=True,
        text=True,
        check=False,
    )


def new_provider(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, COMMAND, "new-provider", *arguments)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    ran = new_provider(folder, "acme_crm")
    assert (ran.returncode, ran.stderr) == (0, "")
    return folder / "lead-pipeline-acme_crm"


@pytest.mark.long
def test_its_tests_pass_as_they_were_written(written: Path) -> None:
    ran = run(written, sys.executable, "-m", "pytest", "-q", "-W", "error", written)
    assert (ran.returncode, ran.stdout.splitlines()[-1][:9]) == (0, "6 passed ")


@pytest.mark.long
def test_code_and_types_are_clean(written: Path) -> None:
    checks: tuple[tuple[str | Path, ...], ...] = (
        ("ruff", "check", "--no-cache", written),
        ("ruff", "format", "--no-cache", "--check", written),
        ("mypy", "--strict", "--cache-dir", written / ".cache", "-p", "lead_pipeline_acme_crm"),
    )
    for check in checks:
        # mypy does not follow the editable installation that the tests run from.
        sources = str(Path(lead_pipeline.__file__).parents[1])
        ran = run(written, sys.executable, "-m", *check, MYPYPATH=sources)
        assert ran.returncode == 0, ran.stdout


def test_installed_it_is_a_provider_like_the_others(written: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    made = run(tmp_path, *pip, "--no-deps", "--target", installed, written)
    assert made.returncode == 0, made.stderr
    checked = run(tmp_path, COMMAND, "check", PYTHONPATH=str(installed))
    assert "acme_crm: left out; set ACME_CRM_API_KEY in the environment" in checked.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Acme", "'Acme' is no slug. Use lower-case letters"),
        ("../acme", "is no slug"),
        ("vorel", "There is a provider 'vorel' already. Choose another name."),
    ],
)
def test_name_that_cannot_be_used_is_refused(tmp_path: Path, name: str, message: str) -> None:
    ran = new_provider(tmp_path, name)
    assert ran.returncode == 1
    assert message in ran.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "lead-pipeline-acme" / "provider.py"
    mine.parent.mkdir()
    mine.write_text("# weeks of work")
    with pytest.raises(ConfigurationError, match="lead-pipeline-acme cannot be made"):
        write_package("acme", mine.parent)
    assert mine.read_text() == "# weeks of work"
    assert [path.name for path in tmp_path.iterdir()] == ["lead-pipeline-acme"]
