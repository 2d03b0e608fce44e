"""How long a rebuild takes, and whether loading grows with the change and not with the history.

A million landed versions of 200,000 leads are built from scratch; then the same number of new
versions is loaded on top of a small and of a large history (five versions a lead in both).
Each measurement is a process of its own, so that its peak of memory is its own too.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.landings import land_versions
from lead_pipeline.commands.console import say, show_table
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.settings import Settings

VERSIONS_PER_LEAD = 5
REBUILT_LEADS = 200_000
SMALL_LEADS, LARGE_LEADS = 100_000, 1_009_312
"""Both histories fill DuckDB's last row group (122,880 rows) alike, since each load rewrites it."""
CHANGED = 10_000
REPEATS = 3
"""Changes are loaded so often, one after the other; the median is told."""


@dataclass(frozen=True)
class Measured:
    """One load: its seconds, and the peak of the process's memory in GB."""

    seconds: float
    memory: float


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        _rebuild(Path(folder) / "rebuilt")
        small = _changes(Path(folder) / "small", SMALL_LEADS)
        large = _changes(Path(folder) / "large", LARGE_LEADS)
    show_table(
        f"Load of {CHANGED:,} new versions, median of {REPEATS}",
        ["history", "seconds", "GB"],
        [
            [f"{SMALL_LEADS * VERSIONS_PER_LEAD:,} versions", _round(small.seconds), small.memory],
            [f"{LARGE_LEADS * VERSIONS_PER_LEAD:,} versions", _round(large.seconds), large.memory],
            ["ratio", _round(large.seconds / small.seconds), None],
        ],
    )


def _rebuild(home: Path) -> None:
    rows = land_versions(home / "landing", range(REBUILT_LEADS), range(VERSIONS_PER_LEAD))
    measured = _measure(home)
    show_table(
        "Rebuild from landing",
        ["versions", "leads", "seconds", "versions a second", "GB"],
        [
            [
                rows,
                REBUILT_LEADS,
                _round(measured.seconds),
                round(rows / measured.seconds),
                measured.memory,
            ]
        ],
    )


def _changes(home: Path, leads: int) -> Measured:
    """Loads of `CHANGED` leads, spread over all, on top of a history of `leads`."""
    say(f"Building a history of {leads * VERSIONS_PER_LEAD:,} versions …")
    land_versions(home / "landing", range(leads), range(VERSIONS_PER_LEAD))
    _measure(home)
    loads = []
    for repeat in range(REPEATS):
        changed = range(repeat, leads, leads // CHANGED)
        rounds = range(VERSIONS_PER_LEAD + repeat, VERSIONS_PER_LEAD + repeat + 1)
        land_versions(home / "landing", changed, rounds, crawl=2 + repeat)
        loads.append(_measure(home))
    return sorted(loads, key=lambda load: load.seconds)[REPEATS // 2]


def _measure(home: Path) -> Measured:
    """Load what has landed below `home`, in a new process."""
    command = [sys.executable, "-m", "benchmarks.loading", str(home)]
    output = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603
    return msgspec.json.decode(output.splitlines()[-1], type=Measured)


def _load_and_tell(home: Path) -> None:
    started = time.perf_counter()
    load_landing(Settings(home=home), tell=lambda message: None)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(msgspec.json.encode(Measured(seconds, round(peak / 1e6, 2))).decode())


def _round(number: float) -> float:
    return round(number, 2)


if __name__ == "__main__":
    _load_and_tell(Path(sys.argv[1]))
