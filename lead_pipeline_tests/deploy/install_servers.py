"""Install what tests start and pip does not bring: PostgreSQL, Redis and Chromium, from Debian.

    python3 lead_pipeline_tests/deploy/install_servers.py

Needs nothing but Python's own library. Does nothing where all are there. Where they cannot be
installed, one line says what is skipped, and the exit status is 0 all the same: the rest is tested.
None of them is left running: tests start their own, on loopback, in folders of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALLED = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of PostgreSQL, off the path, by version."""
POLICY = Path("/usr/sbin/policy-rc.d")
"""What Debian's packages ask before they start their services; 101 is no (its policy manual)."""
SECONDS = 300


def is_there(package: str) -> bool:
    """Whether the programs of one of our packages are there."""
    if package == "postgresql":
        return shutil.which("initdb") is not None or any(INSTALLED.glob("*/bin/initdb"))
    return shutil.which(package) is not None


def main() -> None:
    """Install what is missing, or say what is skipped."""
    missing = [
        package for package in ("postgresql", "redis-server", "chromium") if not is_there(package)
    ]
    if not missing:
        return
    reason = _installed(missing)
    if reason is not None:
        sys.stderr.write(
            f"Tests that need {' and '.join(missing)} are skipped: {reason}. Install them: "
            f"apt-get install --no-install-recommends {' '.join(missing)}\n"
        )


def _installed(packages: list[str]) -> str | None:
    """Install the packages; returns why that was not possible, in a few words."""
    apt = shutil.which("apt-get")
    if apt is None:
        return "there is no apt-get"
    if os.geteuid() != 0:
        return "only root may install packages"
    sys.stderr.write(f"Installs {' and '.join(packages)} for the tests.\n")
    options = ["--quiet", "--yes", "-o", f"DPkg::Lock::Timeout={SECONDS}"]
    install = [apt, "install", *options, "--no-install-recommends", *packages]
    with _nothing_started():
        for command in ([apt, "update", *options], install):
            ran = _run(command)
            if isinstance(ran, str):
                return ran
    still = [package for package in packages if not is_there(package)]
    return f"{' and '.join(still)} cannot be found after it" if still else None


def _run(command: list[str]) -> str | None:
    try:
        ran = subprocess.run(  # noqa: S603 - Debian's own
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"apt-get {command[1]} takes too long"
    if ran.returncode == 0:
        return None
    said = (ran.stderr.strip().splitlines() or ["without a word"])[-1]
    return f"apt-get {command[1]} failed ({said.removeprefix('E: ')})"


@contextmanager
def _nothing_started() -> Iterator[None]:
    """Let packages start no service during the block; a policy of the machine's own stays."""
    try:
        POLICY.touch(mode=0o755, exist_ok=False)
    except FileExistsError:
        yield
        return
    try:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        yield
    finally:
        POLICY.unlink()


if __name__ == "__main__":
    main()
