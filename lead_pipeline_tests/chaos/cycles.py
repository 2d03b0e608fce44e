"""Whole nights of the real command, with dbt, killed again and again at random moments.

    home ──`lead-pipeline run`, killed──▶ readers? ──… killed again …──▶ left alone ──▶ as undisturbed?

Killed is the command, one of its children, or all of them at once. Belongs here: nights and their
kills. Does not belong here: single stages, which are killed at every call (`kills.py`).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.chaos.homes import OWN_COLUMNS, Home, digest_of, rows_of
from lead_pipeline_tests.chaos.kills import Verdict
from lead_pipeline_tests.chaos.laboratory import CannotBeRead, Laboratory
from lead_pipeline_tests.commands import COMMAND, environment
from lead_pipeline_tests.normalized.landings import files_below

FIRST_NIGHT = ("--from", "2026-01-01", "--to", "2026-01-05")
NIGHT = ("--from", "2026-01-06", "--to", "2026-01-12")
KILLS_OF_A_HOME = 5
NIGHT_SECONDS = 1_800.0
UNFINISHED = (".tmp", ".wal", ".holder", ".page", ".pages")


@dataclass(frozen=True)
class Night:
    """The night as it is when nobody disturbs it."""

    template: Path
    before: str
    after: str
    seconds: float


def cycles(laboratory: Laboratory, kills: int, seed: int) -> Iterator[Verdict]:
    """At least `kills` kills, a verdict each; the choices follow from `seed`."""
    moments = random.Random(seed)  # noqa: S311
    night = _undisturbed(laboratory)
    done = 0
    while done < kills:
        home = _copy(laboratory, night.template)
        for _ in range(min(KILLS_OF_A_HOME, kills - done)):
            killed = _killed(laboratory, home, moments, night)
            if killed is None:
                continue
            done += 1
            yield killed
        yield _left_alone(laboratory, home, night)


def _undisturbed(laboratory: Laboratory) -> Night:
    template = laboratory.folder / "night"
    _must(laboratory, template, FIRST_NIGHT)
    before = _readers_have(laboratory, template)
    home = _copy(laboratory, template)
    began = time.monotonic()
    _must(laboratory, home, NIGHT)
    seconds = time.monotonic() - began
    return Night(template, before, _readers_have(laboratory, home), seconds)


def _copy(laboratory: Laboratory, template: Path) -> Path:
    home = laboratory.folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(template, home, symlinks=True)
    return home


def _start(laboratory: Laboratory, home: Path, days: tuple[str, ...]) -> subprocess.Popen[bytes]:
    (laboratory.folder / "empty").mkdir(exist_ok=True)
    with (laboratory.folder / "errors").open("wb") as errors:
        return subprocess.Popen(  # noqa: S603 - our own command
            [str(COMMAND), "run", "--account", laboratory.account.name, *days],
            cwd=laboratory.folder / "empty",
            env=environment(home, laboratory.variables),
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )


def _must(laboratory: Laboratory, home: Path, days: tuple[str, ...]) -> None:
    if _start(laboratory, home, days).wait(NIGHT_SECONDS):
        raise SystemExit(f"The night, undisturbed: {_last_line(laboratory)}")


def _last_line(laboratory: Laboratory) -> str:
    lines = (laboratory.folder / "errors").read_text().strip().splitlines()
    return lines[-1] if lines else ""


def _killed(
    laboratory: Laboratory, home: Path, moments: random.Random, night: Night
) -> Verdict | None:
    """One kill; None where the night had ended before it."""
    whom = moments.choice(sorted(WHOM))
    after = moments.uniform(0.02, 1) * night.seconds
    process = _start(laboratory, home, NIGHT)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        WHOM[whom](process.pid, moments)
    else:
        return None
    try:
        # Whose child was killed ends by itself; what has lost its parent does so, too.
        process.wait(NIGHT_SECONDS)
        wrong = []
    except subprocess.TimeoutExpired:
        wrong = ["it does not end after its child was killed"]
        _end_group(process.pid)
    # Children that outlive their parent go on, beside the next night.
    try:
        if _readers_have(laboratory, home) not in (night.before, night.after):
            wrong.append("readers have neither the old build nor the new one")
    except CannotBeRead as error:
        wrong.append(f"readers cannot read their file: {error}")
    return Verdict(f"kill of the {whom}", "night", f"after {after / night.seconds:.0%}", wrong)


def _left_alone(laboratory: Laboratory, home: Path, night: Night) -> Verdict:
    """The next night, which nobody disturbs."""
    process = _start(laboratory, home, NIGHT)
    wrong = []
    try:
        if process.wait(NIGHT_SECONDS):
            wrong.append(f"the next run fails: {_last_line(laboratory)}")
        elif _readers_have(laboratory, home) != night.after:
            wrong.append("readers have other rows than undisturbed")
    except subprocess.TimeoutExpired:
        wrong.append("the next run does not end")
        _end_group(process.pid)
    except CannotBeRead as error:
        wrong.append(str(error))
    left = [path for path in files_below(home) if path.endswith(UNFINISHED) or "finished." in path]
    if left:
        wrong.append(f"left over: {', '.join(left)}")
    return Verdict("left alone", "night", "to its end", wrong)


def _readers_have(laboratory: Laboratory, home: Path) -> str:
    found = laboratory.found(_published, Home(home, laboratory.account))
    return str(found)


def _published(home: Home) -> str:
    """What readers have, as far as the moments of crawls do not decide it: rows, and how many of each."""
    with closing(connect_utc(home.settings.published_path, read_only=True)) as connection:
        tables = ("normalized.leads", "normalized.lead_stage_history")
        rows = [rows_of(connection, name, OWN_COLUMNS) for name in tables]
        counts = connection.execute("select * exclude (description) from meta.tables").fetchall()
        return digest_of([rows, sorted(map(str, counts))])


# Whom to kill --------------------------------------------------------------------------------


def _kill_parent(pid: int, moments: random.Random) -> None:
    os.kill(pid, signal.SIGKILL)


def _kill_child(pid: int, moments: random.Random) -> None:
    """One of those that it has started, however deep; itself where there is none."""
    os.kill(moments.choice(_descendants(pid) or [pid]), signal.SIGKILL)


def _kill_group(pid: int, moments: random.Random) -> None:
    os.killpg(pid, signal.SIGKILL)


WHOM: dict[str, Callable[[int, random.Random], None]] = {
    "command": _kill_parent,
    "child": _kill_child,
    "group": _kill_group,
}


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    ahead = [pid]
    while ahead:
        with suppress(OSError):
            children = Path(f"/proc/{ahead.pop()}").glob("task/*/children")
            new = [int(child) for path in children for child in path.read_text().split()]
            found += new
            ahead += new
    return found


def _end_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
