"""Disks that refuse: an error of the kernel at every system call of a stage, one experiment each.

    template ──copy──▶ home ──stage, refused at call n──▶ named? readers? ──with room──▶ as undisturbed?

The libraries meet real errors, wherever they write. Belongs here: how disks refuse, and what must be
said of it. Does not belong here: stages, and what is compared afterwards.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.storage.disks import disk_error, unwritable
from lead_pipeline_tests.chaos.homes import Home
from lead_pipeline_tests.chaos.kills import Verdict, expected_of, wrongs
from lead_pipeline_tests.chaos.laboratory import Laboratory
from lead_pipeline_tests.chaos.stages import Stage
from lead_pipeline_tests.chaos.system_calls import (
    SYNCING,
    TAKING_ROOM,
    Call,
    Decision,
    DoesNotEnd,
    Fail,
)


@dataclass(frozen=True)
class Disk:
    """How a disk refuses."""

    name: str
    error: int
    refused: frozenset[str] | None
    """The calls that it refuses; None: all."""
    said: str
    """What must be said of it."""
    thinned: int
    """At one in so many places."""
    recovers: bool = False
    """Whether it refuses once only."""


DISKS = (
    Disk(
        "full disk",
        errno.ENOSPC,
        # What gives a name to a file that is there needs no room.
        TAKING_ROOM - {"rename", "renameat", "renameat2"},
        "no space left on device",
        thinned=3,
    ),
    Disk("read-only", errno.EROFS, None, "read-only file system", thinned=10),
    Disk("failing disk", errno.EIO, TAKING_ROOM | SYNCING, "input/output error", 3, recovers=True),
)
FORBIDDEN = ("rollback", "no transaction", "defect", "traceback", "invalidated")


@dataclass
class _Refusing:
    """Refuse from the call `number` on."""

    disk: Disk
    number: int
    met: list[Call] = field(default_factory=list)

    def __call__(self, call: Call) -> Decision:
        fits = self.disk.refused is None or call.name in self.disk.refused
        if call.number < self.number or not fits or (self.met and self.disk.recovers):
            return "go on"
        self.met.append(call)
        return Fail(self.disk.error)


def refusals(disk: Disk) -> Callable[[Laboratory, Stage, int, int], Iterator[Verdict]]:
    """The experiment with this disk."""

    def experiment(
        laboratory: Laboratory, stage: Stage, first: int, every: int
    ) -> Iterator[Verdict]:
        expected = expected_of(laboratory, stage)
        places: set[str] = set()
        for number in count(first, every):
            decide = _Refusing(disk, number)
            home = laboratory.fresh_home()
            said_by_command = as_command(stage)
            try:
                ended = laboratory.do_watched(said_by_command, home, decide)
            except DoesNotEnd as error:
                yield Verdict(disk.name, stage.name, f"call {number}", [str(error)])
                continue
            if not decide.met:
                return
            place = decide.met[0]
            if place.number != number and str(place) in places:
                # The next number meets the same call.
                continue
            places.add(str(place))
            wrong = list(_unnamed(disk, ended.status, ended.said))
            wrong += wrongs(laboratory, said_by_command, home, expected, load=False)
            yield Verdict(disk.name, stage.name, str(place), wrong)

    return experiment


def as_command(stage: Stage) -> Stage:
    """The stage, whose failure ends as that of a command does: with one line."""

    def do(home: Home) -> None:
        try:
            stage.do(home)
        except LeadPipelineError as error:
            raise SystemExit(str(error)) from error
        except Exception as error:
            cause = disk_error(error)
            if cause is None:
                raise
            raise SystemExit(unwritable("A file", cause)) from error

    return replace(stage, do=do, whole=stage.command, at_night=stage.command)


def _unnamed(disk: Disk, status: int, said: str) -> Iterator[str]:
    """What is wrong with what was said of a refusal."""
    if status == 0:
        # What it refused was not needed: the digests show whether that is so.
        return
    if status != 1 or not said.startswith("SystemExit: "):
        yield f"it ended with {status}: {said}"
        return
    if disk.said not in said.lower():
        yield f"the disk is not named: {said}"
    if found := [word for word in FORBIDDEN if word in said.lower()]:
        yield f"it tells of {', '.join(found)}: {said}"
    if "\n" in said:
        yield f"more than one line: {said}"
