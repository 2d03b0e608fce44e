"""What `run` and `poll` share: landing accounts in parallel, and showing what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lead_pipeline.commands.console import note, say, show_table, shown_progress
from lead_pipeline.commands.outcome import commits_of

if TYPE_CHECKING:
    from lead_pipeline.accounts import UnusableAccount
    from lead_pipeline.landing.commits import CommitRecord
    from lead_pipeline.orchestration.parallel import Deadline, LandingJob
    from lead_pipeline.orchestration.queued_runs import QueuedRunner
    from lead_pipeline.orchestration.runner import PipelineRunner, RunOutcome
    from lead_pipeline.providers.base import Account
    from lead_pipeline.settings import Settings

    Publisher = PipelineRunner | QueuedRunner
    Land = Callable[
        [Sequence[Account], Mapping[str, LandingJob], Deadline | None], list[RunOutcome]
    ]
    """From accounts and what each is asked for to how each ended."""


def start_children_early(settings: Settings, accounts: Sequence[Account]) -> None:
    """Let the children's imports begin beside our own, where accounts are landed by children."""
    if len(accounts) > 1 and settings.database is None:
        from lead_pipeline.orchestration.fork_server import start_fork_server

        start_fork_server()


@contextmanager
def landing_under_way(
    settings: Settings, *, publishes: bool
) -> Iterator[tuple[Land, Callable[[], Publisher]]]:
    """How to land accounts while progress is shown, and a runner for what follows.

    With `publishes`, all that publishing needs is imported meanwhile. In this process and its children;
    of a team, by its workers where a daemon of Dagster is alive.
    """
    from lead_pipeline.landing.progress import subscribed
    from lead_pipeline.orchestration.instance import open_log_of_runs
    from lead_pipeline.orchestration.landing_definitions import load_landing_definitions
    from lead_pipeline.orchestration.parallel import land_in_parallel
    from lead_pipeline.orchestration.processes import end_dead_runs
    from lead_pipeline.orchestration.runner import PipelineRunner, runs_under_way

    with open_log_of_runs(settings, note) as instance:
        end_dead_runs(instance)
        for other in runs_under_way(instance):
            say(f"Under way elsewhere: {other}. What both runs need, they do one after the other.")
        if settings.database is not None:
            from lead_pipeline.orchestration.queued_runs import queued_runner

            queued = queued_runner(instance, note)
            if queued is not None:
                from lead_pipeline.definitions import load_definitions

                with landed_by_workers(settings, queued(load_definitions())) as landing:
                    yield landing
                return

        def land(
            accounts: Sequence[Account],
            jobs: Mapping[str, LandingJob],
            deadline: Deadline | None,
        ) -> list[RunOutcome]:
            with shown_progress() as listener:
                if len(accounts) > 1:
                    return land_in_parallel(jobs, listener, load_landing_definitions, deadline)
                lander = PipelineRunner(load_landing_definitions(), instance)
                with subscribed(listener):
                    return [jobs[account.name].land(lander, account) for account in accounts]

        def publisher() -> PipelineRunner:
            from lead_pipeline.definitions import load_definitions
            from lead_pipeline.orchestration.preparing import prepare_to_publish

            definitions = load_definitions()
            prepare_to_publish(settings)
            return PipelineRunner(definitions, instance, note)

        if not publishes:
            yield land, publisher
            return
        with ThreadPoolExecutor(1, "preparing to publish") as thread:
            # Definitions and dbt take seconds to import, while landing waits for the wire.
            prepared = thread.submit(publisher)
            yield land, prepared.result


@contextmanager
def landed_by_workers(
    settings: Settings, runner: QueuedRunner
) -> Iterator[tuple[Land, Callable[[], QueuedRunner]]]:
    """The same where the queue of a team is served: every run is one of its workers'."""
    from lead_pipeline.storage.seams import seams_of

    def land(
        accounts: Sequence[Account], jobs: Mapping[str, LandingJob], deadline: Deadline | None
    ) -> list[RunOutcome]:
        requests = [jobs[account.name].request(account) for account in accounts]
        with shown_progress() as listener:
            ended = dict(runner.outcomes(requests, listener, _at(deadline, len(requests))))
        # What is told of the crawls is read in this home.
        seams_of(settings).landing.refresh()
        return [ended[request.name] for request in requests]

    try:
        yield land, lambda: runner
        seams_of(settings).publication.refresh()
    except KeyboardInterrupt:
        note(
            "The runs that were asked for go on without this command: Dagster's web interface shows "
            "them, and can end them."
        )
        raise


def _at(deadline: Deadline | None, count: int) -> Callable[[Mapping[str, RunOutcome]], None]:
    """What is called while `count` accounts are waited for: publishes once, at the deadline."""
    began = time.monotonic()
    left = [] if deadline is None else [deadline]

    def turn(ended: Mapping[str, RunOutcome]) -> None:
        has_landed = any(outcome.failure is None for outcome in ended.values())
        if left and time.monotonic() - began >= left[0].seconds and has_landed:
            due = left.pop()
            if len(ended) < count:
                due.publish()

    return turn


def not_landed(accounts: Sequence[UnusableAccount]) -> list[RunOutcome]:
    """Accounts that were asked for and have no credentials have failed, like all others that do."""
    from lead_pipeline.orchestration.runner import LANDING, RunOutcome

    return [RunOutcome(f"{LANDING}{item.name}", "", item.failure) for item in accounts]


def sum_up(
    settings: Settings, outcomes: Sequence[RunOutcome], *, published: bool | None, seconds: float
) -> None:
    """One line on what a run came to, and the same as a log line; None: it was not to publish."""
    from lead_pipeline.logs import log_of

    landings = [outcome for outcome in outcomes if outcome.name.startswith("landing")]
    commits = commits_of(settings, {outcome.run_id for outcome in landings if outcome.run_id})
    figures = {
        "accounts": len(landings),
        "failed": sum(1 for outcome in landings if outcome.failure),
        "rows": sum(commit.records for commit in commits),
        "requests": sum(commit.requests for commit in commits),
        "waited_seconds": sum(wait.seconds for c in commits for wait in c.quota_waits),
        "rejected": sum(commit.rejected for commit in commits),
    }
    log_of(__name__).info("run ended", **figures, published=published, seconds=seconds)
    outcome = {None: "", True: ", published", False: ", not published"}[published]
    say(
        f"{figures['accounts']:,} accounts ({figures['failed']:,} failed), "
        f"{figures['rows']:,} rows, {figures['requests']:,} requests, "
        f"{figures['waited_seconds']:,.0f} s waiting for quotas, "
        f"{figures['rejected']:,} rejected{outcome}, {seconds:,.0f} s in all."
    )


def show_crawls(settings: Settings, run_ids: set[str]) -> None:
    """The crawls of these runs, and what was unusual about them."""
    commits = commits_of(settings, run_ids)
    if not commits:
        return
    show_table(
        "Crawls",
        ["account", "stream", "rows", "pages", "requests", "waited s", "rejected", "state"],
        [_crawl_row(commit) for commit in commits],
    )
    for remark in dict.fromkeys(commit.note for commit in commits if commit.note):
        say(f"Note: {remark}")


def _crawl_row(commit: CommitRecord) -> list[object]:
    waited = round(sum(wait.seconds for wait in commit.quota_waits))
    return [
        commit.account,
        commit.stream,
        commit.records,
        commit.pages,
        commit.requests,
        waited,
        commit.rejected,
        commit.state,
    ]
