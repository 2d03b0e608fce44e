"""What figures were measured on: the machine, versions, the commit, the moment."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
PACKAGES = ("duckdb", "pyarrow", "httpx", "msgspec", "dagster", "dagster-dbt", "dbt-core")
BESIDE = ("dlt", "duckdb", "pyarrow")
"""Packages of the environment of dlt."""
WRITTEN = (":!benchmarks/results", ":!benchmarks/README.md", ":!benchmarks/*.svg")
DLT_PYTHON = ROOT / ".venv-dlt" / "bin" / "python"


class Machine(msgspec.Struct, frozen=True):
    """Where and when."""

    date: str
    commit: str
    cpu: str
    cores: int
    memory_gb: float
    system: str
    load: float
    """Processes that wanted a core in the minute before: more than a little makes wall times useless."""
    versions: dict[str, str]


def this_machine() -> Machine:
    """What there is to say about here and now."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return Machine(
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        commit=commit(),
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        load=round(os.getloadavg()[0], 2),
        versions={**versions, **_versions_beside()},
    )


def commit() -> str:
    """The commit that is checked out, with a + where files differ from it; empty outside of a clone.

    What a measurement itself writes does not count.
    """
    try:
        head = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", ".", *WRITTEN)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{head}+" if changed else head


def _git(*arguments: str) -> str:
    told = subprocess.run(  # noqa: S603
        ["git", *arguments],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return told.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions_beside() -> dict[str, str]:
    program = (
        "import importlib.metadata as m, json, sys;"
        "print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    )
    if not DLT_PYTHON.exists():
        return {}
    told = subprocess.run(  # noqa: S603
        [DLT_PYTHON, "-c", program, *BESIDE], check=False, capture_output=True, text=True
    )
    if told.returncode:
        return {}
    found = msgspec.json.decode(told.stdout, type=dict[str, str])
    return {name if name == "dlt" else f"{name} beside dlt": found[name] for name in found}
