"""Results as JSON lines: a file a scenario, what it was measured on and then one line a run.

    benchmarks/results/<scenario>.jsonl

A scenario that is measured again takes the place of its file when it has ended, and not before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.comparison import Run
from benchmarks.machine import Machine

RESULTS = Path(__file__).with_name("results")


class Head(msgspec.Struct, frozen=True):
    """What all runs of a file have in common."""

    scenario: str
    rounds: int
    leads: int
    machine: Machine
    quick: bool = False


class Results(msgspec.Struct, frozen=True):
    """One file."""

    head: Head
    runs: list[Run]


class Writer:
    """Takes runs as they end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, run: Run) -> None:
        """Append it."""
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(run) + b"\n")


@contextmanager
def writing(folder: Path, head: Head) -> Iterator[Writer]:
    """A file that takes the place of the scenario's last one at the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{head.scenario}.jsonl"
    unfinished = path.with_suffix(".jsonl.unfinished")
    unfinished.write_bytes(msgspec.json.encode(head) + b"\n")
    yield Writer(unfinished)
    unfinished.replace(path)


def read(folder: Path, scenario: str) -> Results | None:
    """The scenario's last results, None where it has never been measured."""
    path = folder / f"{scenario}.jsonl"
    if not path.exists():
        return None
    head, *lines = path.read_bytes().splitlines()
    return Results(
        msgspec.json.decode(head, type=Head),
        [msgspec.json.decode(line, type=Run) for line in lines],
    )
