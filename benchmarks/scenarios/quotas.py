"""How much of a quota is used, against limiters of every kind in real time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import msgspec

from benchmarks.comparison import Run, Spread
from benchmarks.limiters import KINDS, most_requests
from benchmarks.machine import ROOT
from benchmarks.scenario import PYTHON, Bench, Scenario, Target

SHORT_SCALE = 6.0
"""Ten windows of ten seconds."""
WINDOWS = 10
REAL_WINDOWS = 2
MINUTE = 60.0
USE, REFUSED = "use in percent", "answers 429"


def _quota(bench: Bench) -> None:
    """Both lengths at the same time: clients wait for most of it."""
    windows = 2 if bench.is_quick else WINDOWS
    lengths = [(SHORT_SCALE, windows * MINUTE / SHORT_SCALE)]
    if not bench.is_quick:
        lengths.append((1.0, REAL_WINDOWS * MINUTE))
    with ExitStack() as stack:
        under_way = [
            (scale, seconds, stack.enter_context(_asked(scale, seconds)))
            for scale, seconds in lengths
        ]
        for scale, seconds, results in under_way:
            _keep(bench, scale, seconds, results())


@contextmanager
def _asked(scale: float, seconds: float) -> Iterator[Callable[[], list[tuple[list[float], int]]]]:
    """Servers and clients at work; the result waits for their end: what was admitted, and refused."""
    server = subprocess.Popen(  # noqa: S603
        [PYTHON, "-m", "benchmarks.programs.quota_server", str(scale)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    questions, answers = server.stdin, server.stdout
    assert questions is not None  # noqa: S101 - for the type checker
    assert answers is not None  # noqa: S101 - for the type checker
    origins = msgspec.json.decode(answers.readline(), type=list[str])
    clients = subprocess.Popen(  # noqa: S603
        [PYTHON, "-m", "benchmarks.programs.quota_clients", str(scale), str(seconds), *origins],
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
    )

    def results() -> list[tuple[list[float], int]]:
        clients.wait()
        questions.write("\n")
        questions.flush()
        return msgspec.json.decode(answers.readline(), type=list[tuple[list[float], int]])

    try:
        yield results
    finally:
        for process in (clients, server):
            process.kill()
            process.wait()
        questions.close()
        answers.close()


def _keep(
    bench: Bench, scale: float, seconds: float, results: Sequence[tuple[list[float], int]]
) -> None:
    variant = f"{round(seconds * scale / MINUTE)} windows of {MINUTE / scale:g} seconds"
    for place, (kind, (admitted, refused)) in enumerate(zip(KINDS, results, strict=True), 1):
        got = [moment for moment in admitted if moment < admitted[0] + seconds]
        allowed = most_requests(kind, scale, seconds, _round_trip(got), got[0])
        told = {
            "requests": len(got),
            "allowed": allowed,
            USE: round(min(100.0, 100 * len(got) / allowed), 2),
            REFUSED: refused,
        }
        name = f"{kind.provider}: {kind.name}"
        bench.keep(
            Run(bench.scenario, variant, 1, place, name, round(got[-1] - got[0], 3), 0.0, 0.0, told)
        )


def _round_trip(admitted: Sequence[float]) -> float:
    """Of those requests that nobody waited with, which can be few: the quick ones."""
    between = sorted(later - before for before, later in pairwise(admitted))
    return between[len(between) // 20]


def _told(
    quantity: str, choose: Callable[[Sequence[float]], float]
) -> Callable[[Sequence[Run]], Spread | None]:
    """The worst of all kinds."""

    def figure(runs: Sequence[Run]) -> Spread | None:
        found = [float(run.told[quantity]) for run in runs if quantity in run.told]
        return Spread(choose(found), min(found), max(found)) if found else None

    return figure


QUOTA = Scenario(
    "quota",
    "Use of quotas",
    f"Our client asks for pages as fast as they are answered, against {len(KINDS)} kinds of limits in real time: "
    "windows that begin with a request or with the clock, sliding windows, two limits at once, buckets; resets in "
    "seconds or in Unix seconds, rounded in each way, or none; each with a server of its own, all at once. "
    "Allowed is what somebody who knows what the server knows would have got in the same time. Ten windows "
    "of ten seconds, where a lost second counts as six do of a minute; and two of a minute, as documented. Of the limits of an hour, real time shows the minute only: "
    "`lead_pipeline_tests/providers/test_quota_use.py` runs ten hours with an exact clock.",
    _quota,
    targets=[
        Target("use, the worst of all", _told(USE, min), at_least=98, unit=" %"),
        Target("answers 429, the most", _told(REFUSED, max), at_most=0),
    ],
    told=("requests", "allowed", USE, REFUSED),
    tells_all=True,
    rounds=1,
    minutes=2.5,
)
