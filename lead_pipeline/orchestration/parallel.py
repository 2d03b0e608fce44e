"""Landing runs of several accounts at once, each in a process of its own.

    accounts ──▶ one child process each ──▶ progress and outcomes, through one queue

A provider that waits an hour for its quota does not hold the others up.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

import dagster as dg

from lead_pipeline.accounts import load_accounts
from lead_pipeline.causes import cause_of, stack_of
from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.landing.progress import Progress, subscribed
from lead_pipeline.logs import show
from lead_pipeline.orchestration.fork_server import children_context
from lead_pipeline.orchestration.instance import open_log_of_runs
from lead_pipeline.orchestration.runner import (
    LANDING,
    PipelineRunner,
    RunOutcome,
    RunRequest,
    landing_request,
)
from lead_pipeline.providers.base import Account
from lead_pipeline.storage.seams import open_settings

POLL_SECONDS = 0.2
PROCESSES = 16
"""Accounts that are landed at once. They wait for answers most of the time, but each takes memory."""
GOODBYE_SECONDS = 3.0
"""How long interrupted children may take, all together, to note in their runs that they were
interrupted. Whoever pressed Ctrl-C waits for it; a child that takes longer is killed, which costs
nothing but that note."""


@dataclass(frozen=True)
class LandingJob:
    """What an account is asked for. Secrets are read by each process itself."""

    first: date
    last: date
    full: bool = False
    accept_doubtful: bool = False
    poll_since: datetime | None = None
    """Only what has changed since this moment (UTC); None: all of the days."""

    def land(self, runner: PipelineRunner, account: Account) -> RunOutcome:
        """Land the account in this process."""
        return runner.execute(self.request(account))

    def request(self, account: Account) -> RunRequest:
        """The run that lands the account."""
        return landing_request(
            account,
            self.first,
            self.last,
            full=self.full,
            accept_doubtful=self.accept_doubtful,
            poll_since=self.poll_since,
        )


@dataclass(frozen=True)
class Deadline:
    """When those accounts that have landed no longer wait for the others."""

    seconds: float
    """Since landing began."""
    publish: Callable[[], None]
    """What is done then, once, in this process; the others go on meanwhile."""


def land_in_parallel(
    jobs: Mapping[str, LandingJob],
    listener: Callable[[Progress], None],
    load_definitions: Callable[[], dg.Definitions],
    deadline: Deadline | None = None,
) -> list[RunOutcome]:
    """Land every account, by name; returns their outcomes in the order given.

    `load_definitions` is a function of a module, which each child calls for itself. At most
    `PROCESSES` accounts are landed at once.

    A process that dies counts as a failure of its account. The children end when this process
    does, however it ends.
    """
    context = children_context()
    messages: Any = context.Queue()
    processes = {
        name: context.Process(
            target=_land,
            args=(name, job, messages, load_definitions),
            name=f"landing-{name}",
        )
        for name, job in jobs.items()
    }
    outcomes: dict[str, RunOutcome] = {}
    started: dict[str, BaseProcess] = {}
    began = time.monotonic()
    try:
        while len(outcomes) < len(processes):
            _start_some(processes, started, outcomes)
            _take_messages(messages, outcomes, listener)
            for name, process in started.items():
                if name not in outcomes and not process.is_alive():
                    _take_messages(messages, outcomes, listener)
                    outcomes.setdefault(name, _died(name, process.exitcode))
            is_late = deadline is not None and time.monotonic() - began >= deadline.seconds
            if deadline is not None and is_late and _waits(outcomes, processes):
                deadline.publish()
                deadline = None
        for process in started.values():
            process.join()
    finally:
        _end(started.values())
        messages.close()
    return [outcomes[name] for name in jobs]


def _start_some(
    processes: Mapping[str, BaseProcess],
    started: dict[str, BaseProcess],
    outcomes: Mapping[str, RunOutcome],
) -> None:
    """Start the next accounts, as many as may land at once."""
    for name, process in processes.items():
        if len(started) - len(outcomes) >= PROCESSES:
            return
        if name not in started:
            process.start()
            started[name] = process


def _waits(outcomes: Mapping[str, RunOutcome], processes: Mapping[str, BaseProcess]) -> bool:
    """Whether accounts that have landed wait for others."""
    has_landed = any(outcome.failure is None for outcome in outcomes.values())
    return has_landed and len(outcomes) < len(processes)


def _end(processes: Collection[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GOODBYE_SECONDS
    for process in processes:
        process.join(timeout=max(0.0, deadline - time.monotonic()))
        process.kill()


def _take_messages(
    messages: Any, outcomes: dict[str, RunOutcome], listener: Callable[[Progress], None]
) -> None:
    with suppress(queue.Empty):
        while True:
            name, message = messages.get(timeout=POLL_SECONDS)
            if isinstance(message, RunOutcome):
                outcomes[name] = message
            else:
                listener(message)


def _died(name: str, exit_code: int | None) -> RunOutcome:
    return RunOutcome(
        f"{LANDING}{name}",
        "",
        f"The process that pulled {name} ended unexpectedly (exit code {exit_code}). What it "
        "landed is kept; run again to resume from there.",
    )


def _unforeseen(name: str, error: Exception) -> str:
    return (
        f"The process that pulled {name} ended with unexpected {cause_of(error)}. What it landed is "
        "kept. Run again with LEAD_PIPELINE_DEBUG=1 for the stack trace, and report it."
    )


def _land(
    name: str, job: LandingJob, messages: Any, load_definitions: Callable[[], dg.Definitions]
) -> None:
    """The child: land one account, report through the queue."""
    _end_with_parent()
    try:
        outcome = _landed(name, job, messages, load_definitions)
    except LeadPipelineError as error:
        outcome = RunOutcome(f"{LANDING}{name}", "", str(error), type(error).__name__)
    except Exception as error:
        # Python would print its message, which can quote what it has met.
        if os.environ.get("LEAD_PIPELINE_DEBUG"):
            sys.stderr.write(stack_of(error))
        outcome = RunOutcome(f"{LANDING}{name}", "", _unforeseen(name, error))
    except KeyboardInterrupt:
        # The parent was interrupted as well, and says so.
        os._exit(1)
    messages.put((name, outcome))


def _landed(
    name: str, job: LandingJob, messages: Any, load_definitions: Callable[[], dg.Definitions]
) -> RunOutcome:
    settings = open_settings()
    show(settings.log_level, settings.log_format)
    account = load_accounts(settings).named(name)
    with (
        open_log_of_runs(settings, _unsaid) as instance,
        subscribed(lambda progress: messages.put((name, progress))),
    ):
        return job.land(PipelineRunner(load_definitions(), instance), account)


def _unsaid(sentence: str) -> None:
    """The parent has opened the same storage and said what is wrong with it."""


def _end_with_parent() -> None:
    """End this process as soon as its parent is gone, also when that was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watching the parent").start()
