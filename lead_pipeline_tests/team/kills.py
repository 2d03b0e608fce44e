"""A load and a publication of a team, killed before every system call that changes the home.

    python -m lead_pipeline_tests.team.kills load|publish FOLDER URL ──▶ a JSON document: what was wrong

In a process of its own, since children are forked from it: it opens no store and starts no thread.
Kills between requests to the store are elsewhere (`test_generations.py`, `test_builds.py`).
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import msgspec

from lead_pipeline.storage.publication import refreshed
from lead_pipeline_tests.chaos.kills import killing_at
from lead_pipeline_tests.chaos.system_calls import Call, Decision, unwatched, watched
from lead_pipeline_tests.team import loading, publishing

Do = Callable[[Path, str, int, int], None]
"""Bring the store from one state to another one, from a home."""


def load(home: Path, url: str, before: int, after: int) -> None:
    """The tables hold as many rows as the state's number says."""
    loading.load(home, url, after)


def look_at_tables(home: Path, url: str) -> int:
    """The state that whoever reads the tables finds."""
    return loading.rows(home, url)


def publish(home: Path, url: str, before: int, after: int) -> None:
    """Readers have the build of that number."""
    publishing.publish(home, url, f"build_{after}", f"build_{before}" if before else None)


def look_at_build(home: Path, url: str) -> int:
    """The state that whoever opens the published file finds."""
    published = refreshed(publishing.published_of(home, url))
    return int(publishing.stamp_in(published).removeprefix("build_"))


STAGES: dict[str, tuple[Do, Callable[[Path, str], int]]] = {
    "load": (load, look_at_tables),
    "publish": (publish, look_at_build),
}


def experiments(stage: str, folder: Path, url: str, every: int) -> dict[str, list[str]]:
    """What was wrong after a kill at each place, by place; empty lists: all was well."""
    do, look = STAGES[stage]
    home, reader, said = folder / "home", folder / "reader", folder / "said"

    def looked(where: Path) -> str:
        note = folder / "found"
        ended = unwatched(lambda: note.write_text(str(look(where, url))), said)
        return ended.said if ended.status else note.read_text()

    for state in (1, 2):
        assert unwatched(lambda s=state: do(home, url, s - 1, s), said).status == 0  # type: ignore[misc]
    found: dict[str, list[str]] = {}
    state = 2
    for number in count(1, every):
        met: list[Call] = []

        def noted(call: Call, number: int = number, met: list[Call] = met) -> Decision:
            decision = killing_at(number)(call)
            met += [call] if decision != "go on" else []
            return decision

        ended = watched(lambda s=state: do(home, url, s, s + 1), home, noted, said)  # type: ignore[misc]
        if ended.status != -signal.SIGKILL:
            found["the last one, undisturbed"] = [ended.said] if ended.status else []
            return found
        wrong = found.setdefault(f"{number}: {met[0]}", [])
        seen = looked(reader)
        if seen not in (str(state), str(state + 1)):
            wrong.append(f"readers find {seen}")
            return found
        # Where the kill came behind the swap, the next one goes on from there.
        state, before = state + 2, int(seen)
        again = unwatched(lambda s=state, b=before: do(home, url, b, s), said)  # type: ignore[misc]
        if again.status:
            wrong.append(f"the next one fails: {again.said}")
            return found
        for where in (home, reader):
            if looked(where) != str(state):
                wrong.append(f"{where.name} has {looked(where)} after the next one")
        wrong += [f"left over: {path}" for path in leftovers(home)]
    return found


def leftovers(home: Path) -> list[str]:
    """Files that are not whole."""
    return sorted(
        path.relative_to(home).as_posix()
        for path in home.rglob("*")
        if path.name.endswith((".tmp", ".wal", ".new"))
    )


if __name__ == "__main__":
    stage, folder, url, every = sys.argv[1:]
    sys.stdout.buffer.write(msgspec.json.encode(experiments(stage, Path(folder), url, int(every))))
