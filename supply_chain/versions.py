"""What `make test-versions` says: whether the bounds of `pyproject.toml` hold, a line per pair.

    each Python, lowest and newest versions ──uv──▶ an environment ──pytest──▶ passed, FAILED

Belongs here: making the environments, and telling a pair that was not tried from one that passed.
Does not belong here: the versions that everything else is tested with (`constraints.txt`).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
PYTHONS = ("python3.11", "python3.12", "python3.13")
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
TOOLS = ("aiosmtpd", "hypothesis>=6.150", "jsonschema", "pytest>=9", "pytest-timeout>=2.4")
TESTS = (
    "storage",
    "providers/test_http.py",
    "providers/test_quota.py",
    "landing/test_files.py",
    "landing/test_resume.py",
    "normalized/test_load.py",
    "normalized/test_mapping.py",
    "bi/test_publish.py",
    "test_settings.py",
    "test_definitions.py",
    "orchestration/test_dbt_assets.py::test_build_publishes_and_reports_rows_and_coverage",
)
"""From each layer what its dependencies can break, down to one build by dbt and Dagster."""


def verdict(python: str, resolution: str, folder: Path) -> str:
    """`passed`, `FAILED: …`, or `not evaluated: …` where nothing could be tried."""
    executable = shutil.which(python)
    if executable is None:
        return f"not evaluated: {python} is not installed"
    ours = folder / "bin" / "python"
    made = _run([str(UV), "venv", "--quiet", "--python", executable, str(folder)])
    if made.returncode != 0:
        return f"not evaluated: {_last_line(made)}"
    install = [str(UV), "pip", "install", "--quiet", "--python", str(ours)]
    wanted = [f"--resolution={RESOLUTIONS[resolution]}", "--editable", ".[postgres]"]
    for arguments in (wanted, TOOLS):
        installed = _run([*install, *arguments])
        if installed.returncode != 0:
            return f"FAILED: cannot be installed: {_last_line(installed)}"
    # Deprecations of versions that we do not develop with are no errors.
    pytest = [str(ours), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore"]
    ran = _run([*pytest, "--timeout=600", *(f"lead_pipeline_tests/{test}" for test in TESTS)])
    last = (ran.stdout.strip().splitlines() or [_last_line(ran)])[-1]
    if ran.returncode == 0:
        return f"passed: {last}"
    failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return f"FAILED: {(failed or [last])[0]} ({last})"


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603


def _last_line(ran: subprocess.CompletedProcess[str]) -> str:
    return (ran.stderr.strip().splitlines() or [f"exit status {ran.returncode}"])[-1]


def main() -> int:
    """Try every pair, print a line each; 1 where one failed, 3 where one was not tried, else 0."""
    parser = argparse.ArgumentParser(prog="versions", description=__doc__.partition("\n")[0])
    parser.add_argument("pythons", nargs="*", default=PYTHONS, help="names or paths of Pythons")
    parser.add_argument("--only", choices=RESOLUTIONS, help="one of the two resolutions")
    wanted = parser.parse_args()
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="versions-") as folder:
        for number, python in enumerate(wanted.pythons):
            for resolution in [wanted.only] if wanted.only else RESOLUTIONS:
                said = verdict(python, resolution, Path(folder, f"{number}-{resolution}"))
                verdicts.append(said)
                sys.stdout.write(f"{python}, {resolution} versions: {said}\n")
                sys.stdout.flush()
    if any(said.startswith("FAILED") for said in verdicts):
        return 1
    return 3 if any(said.startswith("not evaluated") for said in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
