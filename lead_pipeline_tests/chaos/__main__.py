"""Run the laboratory, or a part of it, and print a table of verdicts.

    python -m lead_pipeline_tests.chaos [--stage NAME] [--experiment NAME] [--every N] [--cycles N]

Belongs here: what is run, in how many processes, and how it is told. Does not belong here: experiments.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import msgspec

from lead_pipeline_tests.chaos.cycles import cycles
from lead_pipeline_tests.chaos.disks import DISKS, refusals
from lead_pipeline_tests.chaos.kills import Verdict, kills, torn_writes
from lead_pipeline_tests.chaos.laboratory import Laboratory, open_laboratory
from lead_pipeline_tests.chaos.races import races
from lead_pipeline_tests.chaos.stages import STAGES, Stage


@dataclass(frozen=True)
class Experiment:
    """Something that is done at each place of a stage, or at one in `thinned` of them."""

    run: Callable[[Laboratory, Stage, int, int], Iterator[Verdict]]
    """From a stage, the first place and the distance to the next one, to verdicts."""
    thinned: int = 1


EXPERIMENTS = {
    "kill": Experiment(kills),
    "torn write": Experiment(torn_writes, 8),
    **{disk.name: Experiment(refusals(disk), disk.thinned) for disk in DISKS},
    "race": Experiment(races, 40),
}
MEMORY = Path("/dev/shm")  # noqa: S108 - folders of the run's own are made in it


def main() -> int:
    """The exit status: 0 only where all verdicts are good."""
    asked = _arguments(sys.argv[1:])
    if asked.part is not None:
        _run_part(asked)
        return 0
    began = time.monotonic()
    verdicts = _run_in_processes(asked)
    for verdict in verdicts:
        if verdict.wrong:
            what = f"{verdict.stage}, {verdict.experiment} at {verdict.place}"
            _say(f"{what}: {'; '.join(verdict.wrong)}")
    _print_table(verdicts, time.monotonic() - began)
    return int(not verdicts or any(verdict.wrong for verdict in verdicts))


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lead_pipeline_tests.chaos",
        description="Run the laboratory, or a part of it.",
    )
    names = [stage.name for stage in STAGES]
    parser.add_argument("--stage", choices=names, action="append", help="Only this one. [all]")
    parser.add_argument(
        "--experiment",
        choices=[*EXPERIMENTS, "none"],
        action="append",
        help="Only this one; none: only the nights of --cycles. [all]",
    )
    parser.add_argument("--every", type=int, default=1, help="Only each N-th of the places. [1]")
    parser.add_argument(
        "--cycles", type=int, default=0, metavar="N", help="Also kill whole nights N times. [0]"
    )
    parser.add_argument("--seed", type=int, default=1, help="Decides when nights are killed. [1]")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--out", type=Path, default=Path("chaos.jsonl"), help="Verdicts, a line each."
    )
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args(given)
    asked.stage = asked.stage or names
    asked.experiment = asked.experiment or list(EXPERIMENTS)
    return asked


def _run_part(asked: argparse.Namespace) -> None:
    """One of several processes: the places whose number fits, verdicts on standard output."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        with open_laboratory(folder) as laboratory:
            for verdict in _verdicts(laboratory, asked):
                os.write(1, msgspec.json.encode(verdict) + b"\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _verdicts(laboratory: Laboratory, asked: argparse.Namespace) -> Iterator[Verdict]:
    for name, stage in product(asked.experiment, STAGES):
        if stage.name in asked.stage and name in EXPERIMENTS:
            every = asked.every * EXPERIMENTS[name].thinned
            first = 1 + asked.part * every
            yield from EXPERIMENTS[name].run(laboratory, stage, first, every * asked.processes)
    if asked.cycles:
        yield from cycles(laboratory, -(-asked.cycles // asked.processes), asked.seed + asked.part)


def _run_in_processes(asked: argparse.Namespace) -> list[Verdict]:
    """Share the places among processes, which write their verdicts to one file, a line at a time."""
    arguments = [f"--every={asked.every}", f"--processes={asked.processes}"]
    arguments += [f"--cycles={asked.cycles}", f"--seed={asked.seed}"]
    arguments += [f"--stage={name}" for name in asked.stage]
    arguments += [f"--experiment={name}" for name in asked.experiment]
    command = [sys.executable, "-m", "lead_pipeline_tests.chaos", *arguments]
    asked.out.unlink(missing_ok=True)
    with asked.out.open("ab") as out:
        parts = [
            subprocess.Popen([*command, f"--part={part}"], stdout=out)  # noqa: S603
            for part in range(asked.processes)
        ]
        if max([part.wait() for part in parts]):
            raise SystemExit("A part of the laboratory failed: see above.")
    lines = asked.out.read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Verdict) for line in lines]


def _print_table(verdicts: Sequence[Verdict], seconds: float) -> None:
    total = Counter((v.experiment, v.stage) for v in verdicts)
    wrong = Counter((v.experiment, v.stage) for v in verdicts if v.wrong)
    _say(f"{'experiment':<14}{'stage':<12}{'times':>8}{'wrong':>8}")
    for (experiment, stage), times in total.items():
        _say(f"{experiment:<14}{stage:<12}{times:>8,}{wrong[experiment, stage]:>8,}")
    _say(f"{len(verdicts):,} in all, {sum(wrong.values()):,} wrong, {seconds / 60:,.0f} min.")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
