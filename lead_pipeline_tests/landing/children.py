"""Real processes that pull and are killed.

One process imports the pipeline once and forks a child per order, so that a child starts in
milliseconds. Here: starting, killing, awaiting children. Not here: what tests expect of them.

    test ──order (JSON line)──▶ nursery ──fork──▶ child: pull_stream ──▶ exit status ──▶ test
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import pyarrow as pa

from lead_pipeline.landing import journal
from lead_pipeline.landing.crawl import FlushPolicy
from lead_pipeline.landing.pull import PullOptions
from lead_pipeline.providers.base import Account
from lead_pipeline.windows import UpdatedWindow
from lead_pipeline_tests.pulling import QUICK_RETRY, pull, settings_in


class Order(msgspec.Struct, frozen=True):
    """What a child pulls. `dies_before`: the number of the durable step (a rename, a removal, a page
    added to a journal, or a change of an object, counted from 1) before which it kills itself; None: it lives.
    """

    home: str
    account: dict[str, Any]
    window: UpdatedWindow
    stream: str = "leads"
    flush_pages: int = 100
    dies_before: int | None = None
    team: dict[str, str] = {}
    """The store and the database of a team, as settings."""
    moves_to: str | None = None
    """Move what has landed, in place of pulling: a store, or a folder."""
    calls: str | None = None
    """`module:function` to call with the settings, in place of pulling."""
    variables: dict[str, str] = {}
    """How the store is reached."""


def order_of(home: Path, account: Account, window: UpdatedWindow, **fields: Any) -> Order:
    """An order to pull `account`, with its credentials written out."""
    names = ("name", "provider", "base_url", "credentials")
    return Order(str(home), {name: getattr(account, name) for name in names}, window, **fields)


class Child:
    """A process that pulls."""

    def __init__(self, pid: int, read_status: Callable[[], bytes]) -> None:
        self._pid = pid
        self._read_status = read_status

    def kill_after(self, seconds: float) -> None:
        """SIGKILL it after a while, unless it has ended by itself before."""
        time.sleep(seconds)
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit status, negative for a signal."""
        return int(self._read_status())


class Nursery:
    """Starts children; a context manager. One child at a time."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def start(self, order: Order) -> Child:
        """A child at work on the order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        # The child is reaped only once its status is asked for, so its id stays its own.
        return Child(int(self._process.stdout.readline()), self._ask_status)

    def run(self, order: Order) -> int:
        """The exit status of a child that is left alone."""
        return self.start(order).wait()

    def _ask_status(self) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def main() -> None:
    """The nursery's own process: an order, then a blank line that asks for the status."""
    # pyarrow imports pandas at its first array: better here than in every child.
    pa.array([0])
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        pid = os.fork()
        if pid == 0:
            # Anything but a return would run the nursery's loop a second time.
            try:
                work(order)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        reply(pid)
        sys.stdin.buffer.readline()
        reply(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def reply(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def work(order: Order) -> None:
    """Pull as ordered."""
    if order.dies_before is not None:
        die_before(order.dies_before, with_objects=bool(order.team))
    os.environ.update(order.variables)
    if order.moves_to is not None:
        move(order, order.moves_to)
        return
    if order.calls is not None:
        module, _, function = order.calls.partition(":")
        getattr(import_module(module), function)(settings_in(Path(order.home), **order.team))
        return
    flush = FlushPolicy(pages=order.flush_pages)
    options = PullOptions(retry=QUICK_RETRY, flush=flush)
    account = Account(**order.account)
    pull(
        settings_in(Path(order.home), **order.team),
        account,
        order.window,
        order.stream,
        options=options,
    )


def move(order: Order, target: str) -> None:
    """Move landing there."""
    # Needs what only the tests of a team have.
    from lead_pipeline.moving.to_folder import move_to_folder
    from lead_pipeline.moving.to_store import move_to_store

    settings = settings_in(Path(order.home), **order.team)
    if target.startswith("s3://"):
        move_to_store(settings, target, [order.account["name"]], _unsaid)
    else:
        move_to_folder(settings, Path(target), [order.account["name"]], _unsaid)


def _unsaid(message: str) -> None:
    """Standard output is the nursery's."""


def die_before(number: int, *, with_objects: bool) -> None:
    """Kill this process just before its durable step of this number."""
    steps = iter(range(1, number + 1))

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            if next(steps) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return step

    owned: list[tuple[Any, str]] = [
        *((Path, "replace"), (Path, "unlink"), (shutil, "rmtree")),
        (journal, "append_to"),
    ]
    if with_objects:
        from lead_pipeline.storage.team.objects import ObjectStore

        owned += [(ObjectStore, "_put"), (ObjectStore, "delete")]
    for owner, name in owned:
        setattr(owner, name, dying(getattr(owner, name)))


if __name__ == "__main__":
    main()
