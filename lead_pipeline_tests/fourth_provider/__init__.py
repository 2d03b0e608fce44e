"""Proof that a provider is one folder: a deals API in a package of its own.

`package/` is what somebody outside of this repository would write, and `imitation` is the API
that it asks. Nothing in `lead_pipeline` or `dbt_project` knows of either.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).parent / "package"


def install_deals(folder: Path) -> None:
    """Install the package into `folder`, as `pip install` does it."""
    with tempfile.TemporaryDirectory() as copy:
        # Building writes beside the sources.
        source = shutil.copytree(PACKAGE, Path(copy) / "package")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        options = ["--disable-pip-version-check", "--target", str(folder)]
        subprocess.run([*command, *options, str(source)], check=True)  # noqa: S603
