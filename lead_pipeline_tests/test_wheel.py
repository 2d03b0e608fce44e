"""The wheel carries all that the pipeline needs: no checkout, no folder beside it."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import duckdb
import pytest

from lead_pipeline_tests.commands import environment

REPOSITORY = Path(__file__).parents[1]
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "target", "logs")


@pytest.mark.long
def test_demo_runs_from_an_unpacked_wheel_in_an_empty_folder(tmp_path: Path) -> None:
    built, package, empty = tmp_path / "built", tmp_path / "package", tmp_path / "empty"
    # Building writes beside the sources, so it gets its own.
    source = tmp_path / "source"
    source.mkdir()
    files = ("pyproject.toml", "README.md", "LICENSE")
    shutil.copytree(REPOSITORY / "supply_chain", source / "supply_chain", ignore=NOT_SHIPPED)
    for name in files:
        shutil.copy(REPOSITORY / name, source)
    shutil.copytree(REPOSITORY / "lead_pipeline", source / "lead_pipeline", ignore=NOT_SHIPPED)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    subprocess.run([*build, str(built), str(source)], check=True)  # noqa: S603
    (wheel,) = built.glob("lead_pipeline-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(package)
    [carried] = Path(package).glob("lead_pipeline-*.dist-info/sboms/*")
    assert carried.read_bytes() == (REPOSITORY / "supply_chain" / carried.name).read_bytes()
    assert wrongly_listed(package) == []
    empty.mkdir()
    # The folder comes before the checkout that the tests run from.
    variables = environment(tmp_path / "home", {"PYTHONPATH": str(package)})
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "lead_pipeline.cli", "demo", "--nights", "1"],
        cwd=empty,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert os.listdir(package / "lead_pipeline" / "dbt_project" / "target") == ["pipeline"]  # noqa: PTH208
    with duckdb.connect(str(tmp_path / "home" / "bi" / "leads.duckdb"), read_only=True) as file:
        assert file.execute("select count(*) > 0 from marts.lead_facts").fetchone() == (True,)


def wrongly_listed(package: Path) -> list[str]:
    """Files of which the wheel's RECORD states another size or digest, or none."""
    [metadata] = package.glob("lead_pipeline-*.dist-info")
    stated = {str(file): file for file in PathDistribution(metadata).files or ()}
    wrong = []
    for path in (path for path in package.rglob("*") if path.is_file()):
        file = stated.get(path.relative_to(package).as_posix())
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest())
        expected = (path.stat().st_size, digest.rstrip(b"=").decode())
        if path.name != "RECORD" and (
            file is None or (file.size, file.hash and file.hash.value) != expected
        ):
            wrong.append(path.name)
    return wrong
