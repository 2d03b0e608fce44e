"""Kills before every system call of a stage, one experiment each, and what came of them.

    template ──copy──▶ home ──stage, killed at call n──▶ readers? ──the stage again──▶ as undisturbed?

Belongs here: the course of one experiment, its verdict. Does not belong here: stages, homes.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count

import msgspec

from lead_pipeline_tests.chaos.homes import (
    LANDING,
    PARTS,
    PUBLISHED,
    Home,
    leftovers,
    loaded_digest,
)
from lead_pipeline_tests.chaos.laboratory import CannotBeRead, Laboratory
from lead_pipeline_tests.chaos.stages import Stage
from lead_pipeline_tests.chaos.system_calls import WRITING, Call, Decision, DoesNotEnd


class Verdict(msgspec.Struct, frozen=True):
    """What came of one experiment."""

    experiment: str
    """`kill`, `torn write`, …"""
    stage: str
    place: str
    """The call at which it happened."""
    wrong: list[str]
    """What is not as promised; empty: all is well."""


LOADED = 10
"""After every so many changes of landing, the tables are compared, too: loading is a pure function of
what has landed, which tests of its own hold."""


@dataclass(frozen=True)
class Expected:
    """What an undisturbed stage leaves, by part."""

    digests: dict[str, str]
    tables_once_loaded: str = ""
    """Of stages that change landing."""


def expected_of(laboratory: Laboratory, stage: Stage) -> Expected:
    """Do the stage undisturbed. Raises `SystemExit` where that fails: there is nothing to compare."""
    home = laboratory.fresh_home()
    ended = laboratory.do(stage.do, home)
    left = laboratory.found(leftovers, home)
    if ended.status or left:
        raise SystemExit(f"{stage.name}, undisturbed: {ended.said or left}")
    digests = laboratory.digests(home, PARTS)
    if changed := {part for part in PARTS if digests[part] != "as before"} - stage.changes:
        raise SystemExit(f"{stage.name} changes {changed}, which it does not declare")
    if LANDING not in stage.changes:
        return Expected(digests)
    return Expected(digests, laboratory.found(loaded_digest, home))


def kills(laboratory: Laboratory, stage: Stage, first: int, every: int) -> Iterator[Verdict]:
    """Kill before the calls `first`, `first + every`, … until the stage ends before its kill."""
    return _at_places(laboratory, stage, "kill", killing_at, count(first, every))


def torn_writes(laboratory: Laboratory, stage: Stage, first: int, every: int) -> Iterator[Verdict]:
    """Kill after the first half of a write has been done."""
    return _at_places(laboratory, stage, "torn write", tearing_from, count(first, every))


def _at_places(
    laboratory: Laboratory,
    stage: Stage,
    experiment: str,
    decision_at: Callable[[int], Callable[[Call], Decision]],
    places: Iterable[int],
) -> Iterator[Verdict]:
    expected = expected_of(laboratory, stage)
    for number in places:
        verdict = _experiment(laboratory, stage, expected, experiment, decision_at(number))
        if verdict is None:
            return
        yield verdict


def killing_at(number: int) -> Callable[[Call], Decision]:
    """Kill before the call of this number."""
    return lambda call: "kill" if call.number >= number else "go on"


def tearing_from(number: int) -> Callable[[Call], Decision]:
    """Tear the first write from the call `number` on, and kill before the next call."""
    torn = 0

    def decide(call: Call) -> Decision:
        nonlocal torn
        if torn:
            return "kill"
        if call.number >= number and call.name in WRITING:
            torn = call.number
            return "tear"
        return "go on"

    return decide


def _experiment(
    laboratory: Laboratory,
    stage: Stage,
    expected: Expected,
    experiment: str,
    decide: Callable[[Call], Decision],
) -> Verdict | None:
    """One kill and what followed; None where the stage has ended before it."""
    home = laboratory.fresh_home()
    met: list[Call] = []

    def noted(call: Call) -> Decision:
        decision = decide(call)
        if decision != "go on":
            met.append(call)
        return decision

    try:
        ended = laboratory.do_watched(stage, home, noted)
    except DoesNotEnd as error:
        return Verdict(experiment, stage.name, str(met[:1]), [str(error)])
    if ended.status == 0:
        return None
    place = str(met[0]) if met else "before any call"
    if ended.status != -signal.SIGKILL:
        return Verdict(experiment, stage.name, place, [f"it was not killed: {ended.said}"])
    load = LANDING in stage.changes and met[0].number % LOADED == 1
    wrong = list(wrongs(laboratory, stage, home, expected, load=load))
    return Verdict(experiment, stage.name, place, wrong)


def wrongs(
    laboratory: Laboratory, stage: Stage, home: Home, expected: Expected, *, load: bool
) -> Iterator[str]:
    """What is not as promised after a disturbance, and after the next run."""
    try:
        readers = laboratory.digests(home, [PUBLISHED])[PUBLISHED]
        if readers not in ("as before", expected.digests[PUBLISHED]):
            yield "readers have neither the old build nor the new one"
        again = laboratory.do(stage.next_run, home)
        if again.status:
            yield f"the next run fails: {again.said}"
            return
        for part, digest in laboratory.digests(home, PARTS).items():
            if digest != expected.digests[part]:
                yield f"another digest of {part}"
        if left := laboratory.found(leftovers, home):
            yield f"left over: {', '.join(left)}"
        if load and laboratory.found(loaded_digest, home) != expected.tables_once_loaded:
            yield "other tables once it is loaded"
    except (CannotBeRead, DoesNotEnd) as error:
        yield str(error)
