"""How commands end: what was crawled, what failed, and the last word on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from lead_pipeline.commands.console import fail, last_word, note, working
from lead_pipeline.errors import ConfigurationError, LeadPipelineError

if TYPE_CHECKING:
    from lead_pipeline.alerts.failures import Ended
    from lead_pipeline.landing.commits import CommitRecord
    from lead_pipeline.orchestration.runner import RunOutcome
    from lead_pipeline.settings import Settings


PUBLISHING = "Loading, building the marts, publishing"
"""What people see meanwhile."""


def commits_of(settings: Settings, run_ids: set[str]) -> list[CommitRecord]:
    from lead_pipeline.landing.commits import accounts_with_landing, commit_records

    return [
        commit
        for name in accounts_with_landing(settings.landing_path)
        for commit in commit_records(settings.landing_path, name)
        if commit.dagster_run_id in run_ids
    ]


def conclude(settings: Settings, outcomes: list[RunOutcome]) -> None:
    """Say where the result is; exit with 1 and the remedy when anything failed."""
    failures = [outcome for outcome in outcomes if outcome.failure]
    published = outcomes[-1].name.endswith("publish") and not outcomes[-1].failure
    if published:
        last_word(f"Published {settings.published_path}")
    if not failures:
        return
    # One line, however many failed: the last line is what schedulers keep.
    fail("lead-pipeline: " + " ".join(f"{o.name} failed: {o.failure}" for o in failures))
    raise typer.Exit(1)


def tell_of_night(
    settings: Settings, outcomes: list[RunOutcome], *, is_whole: bool = False
) -> None:
    """Send alerts, as the settings have it; what could not be sent is a note and fails nothing.

    `is_whole`: all accounts were asked for, so that a heartbeat follows when all went well.
    """
    from lead_pipeline.alerts.failures import Ended

    ended = [
        Ended.publication(outcome.failure, outcome.error)
        if outcome.account is None
        else Ended.landing(outcome.account, outcome.failure, outcome.error)
        for outcome in outcomes
    ]
    _tell(settings, ended, is_whole=is_whole)


@contextmanager
def failures_told(settings: Settings, *, is_watched: bool = False) -> Iterator[None]:
    """Send an alert for an error of the block, which ends the command before any outcome.

    `is_watched`: somebody sees what is wrong with what they have asked for.
    """
    from lead_pipeline.alerts.failures import Ended
    from lead_pipeline.storage.disks import disk_error, unwritable

    try:
        yield
    except LeadPipelineError as error:
        if not (is_watched and isinstance(error, ConfigurationError)):
            _tell(settings, [Ended.publication(str(error), type(error).__name__)])
        raise
    except Exception as error:
        cause = disk_error(error)
        # Other texts can hold what was read.
        failure = f"The command ended with an unexpected {type(error).__name__}."
        if cause is not None:
            failure = unwritable("A file", cause)
        _tell(settings, [Ended.publication(failure)])
        raise


def _tell(settings: Settings, ended: list[Ended], *, is_whole: bool = False) -> None:
    from lead_pipeline.alerts.night import after_night
    from lead_pipeline.commands.demo_home import marker_path

    # Leads of the demo are invented, and so is what is wrong with them.
    if not marker_path(settings.home).exists():
        after_night(settings, ended, note, is_whole=is_whole)


def load_and_publish(settings: Settings, *, allow_row_count_drop: bool = False) -> None:
    with failures_told(settings):
        outcomes = [published_now(settings, allow_row_count_drop=allow_row_count_drop)]
    tell_of_night(settings, outcomes)
    conclude(settings, outcomes)


def published_now(settings: Settings, *, allow_row_count_drop: bool) -> RunOutcome:
    """Load, build and publish in a run of their own; nobody is told how it ended."""
    from lead_pipeline.definitions import defs
    from lead_pipeline.orchestration.instance import open_log_of_runs
    from lead_pipeline.orchestration.processes import end_dead_runs
    from lead_pipeline.orchestration.runner import PipelineRunner

    with open_log_of_runs(settings, note) as instance, working(PUBLISHING):
        end_dead_runs(instance)
        runner = PipelineRunner(defs(), instance, note)
        return runner.load_and_publish(allow_row_count_drop=allow_row_count_drop)
