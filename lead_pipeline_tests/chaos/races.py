"""Two commands at once: one is held at each of its system calls while the other runs.

    A ──held before call n────────────────released──▶ end
    B          └──▶ its end, or it waits for A ──────▶ end    ──▶ readers? both done? as one by one?

Belongs here: pairs, how they are held and released. Does not belong here: stages.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from lead_pipeline.storage.locks import waits_heard
from lead_pipeline_tests.chaos.homes import LANDING, PARTS, TABLES, Home, leftovers, loaded_digest
from lead_pipeline_tests.chaos.kills import Verdict
from lead_pipeline_tests.chaos.laboratory import CannotBeRead, Laboratory
from lead_pipeline_tests.chaos.stages import STAGES, Stage
from lead_pipeline_tests.chaos.system_calls import Call, Decision, DoesNotEnd, in_child

PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Other:
    """The command B, in a child of its own, which nobody watches."""

    pid: int
    told: int
    """A pipe: `w` when it waits for somebody, `.` when it is done; its end when it has ended."""

    @classmethod
    def start(cls, laboratory: Laboratory, stage: Stage, home: Home) -> Other:
        """Begin to do the stage."""
        reading, writing = os.pipe()

        def do() -> None:
            os.close(reading)
            with waits_heard(lambda message: _tell(writing, b"w")):
                stage.do(home)
            _tell(writing, b".")

        pid = os.fork()
        if pid == 0:
            in_child(do, _said_by_other(laboratory))
        os.close(writing)
        return cls(pid, reading)

    def wait_until_it_waits_or_ends(self) -> None:
        """Raises `DoesNotEnd` when it does neither."""
        # What is there to be read is left to `is_done`.
        if not select.select([self.told], [], [], PATIENCE_SECONDS)[0]:
            raise DoesNotEnd("the other neither ends nor says for whom it waits")

    def is_done(self) -> bool:
        """Whether it has done its work, once it has ended. Raises `DoesNotEnd`."""
        told = b""
        while select.select([self.told], [], [], PATIENCE_SECONDS)[0]:
            some = os.read(self.told, 100)
            if not some:
                return told.endswith(b".")
            told += some
        raise DoesNotEnd("the other waits for ever")

    def clear(self) -> None:
        """Leave no process behind."""
        os.close(self.told)
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            # Who watches the held one may have met its end.
            os.waitpid(self.pid, 0)


@dataclass(frozen=True)
class Order:
    """What comes of two stages one after the other."""

    digests: dict[str, str]
    refusals: list[str]
    """The error by which the second is refused, as a build is used up by publishing it, if any."""


def _said_by_other(laboratory: Laboratory) -> Path:
    return laboratory.folder / "said by the other"


def _tell(writing: int, what: bytes) -> None:
    with suppress(BrokenPipeError):
        os.write(writing, what)


def races(laboratory: Laboratory, stage: Stage, first: int, every: int) -> Iterator[Verdict]:
    """The stage held at its calls `first`, `first + every`, …, beside each of all stages."""
    for other in STAGES:
        orders = [
            _one_by_one(laboratory, stage, other),
            _one_by_one(laboratory, other, stage),
        ]
        for number in count(first, every):
            verdict = _race(laboratory, stage, other, number, orders)
            if verdict is None:
                break
            yield verdict


def _one_by_one(laboratory: Laboratory, first: Stage, second: Stage) -> Order:
    """Both, without a race; `SystemExit` where they do not go together so."""
    home = laboratory.fresh_home()
    ended = [laboratory.do(stage.do, home) for stage in (first, second)]
    refusals = [_class_of(ended[1].said)] if ended[1].status else []
    if ended[0].status or refusals not in ([], ["PublishError"]):
        raise SystemExit(
            f"{first.name} and {second.name}, one after the other: "
            f"{ended[0].said if ended[0].status else ended[1].said}"
        )
    return Order(_digests(laboratory, home, first, second), refusals)


def _class_of(said: str) -> str:
    return said.partition(":")[0]


def _digests(laboratory: Laboratory, home: Home, *stages: Stage) -> dict[str, str]:
    """The digests of all parts; where files land meanwhile, of the tables after another load."""
    if LANDING not in stages[0].changes | stages[1].changes:
        return laboratory.digests(home, PARTS)
    others = [part for part in PARTS if part != TABLES]
    return {**laboratory.digests(home, others), TABLES: laboratory.found(loaded_digest, home)}


def _race(
    laboratory: Laboratory, stage: Stage, other: Stage, number: int, orders: list[Order]
) -> Verdict | None:
    """One pair; None where the first ends before its call of that number."""
    home = laboratory.fresh_home()
    _said_by_other(laboratory).unlink(missing_ok=True)
    started: list[Other] = []
    held_at: list[Call] = []

    def hold(call: Call) -> Decision:
        if call.number == number:
            held_at.append(call)
            started.append(Other.start(laboratory, other, home))
            started[0].wait_until_it_waits_or_ends()
        return "go on"

    wrong: list[str] = []
    try:
        ended = laboratory.do_watched(stage, home, hold)
        if not started:
            return None
        failures = [f"the held one fails: {ended.said}"] if ended.status else []
        refusals = [_class_of(ended.said)] if ended.status else []
        if not started[0].is_done():
            said = _said_by_other(laboratory).read_text()
            failures.append(f"the other fails: {said}")
            refusals.append(_class_of(said))
        as_one_by_one = [order for order in orders if order.refusals == refusals]
        if not as_one_by_one:
            wrong += failures or ["nobody is refused"]
        elif _digests(laboratory, home, stage, other) not in [o.digests for o in as_one_by_one]:
            wrong.append("not as after one and then the other")
        if left := laboratory.found(leftovers, home):
            wrong.append(f"left over: {', '.join(left)}")
    except (CannotBeRead, DoesNotEnd) as error:
        wrong.append(str(error))
    finally:
        for child in started:
            child.clear()
    return Verdict("race", f"{stage.name} and {other.name}", str(held_at[0]), wrong)
