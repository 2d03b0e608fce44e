"""How commands end: what was crawled, what failed, and the last word on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lead_pipeline.commands.console import fail, last_word, note, working

if TYPE_CHECKING:
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


def load_and_publish(settings: Settings, *, allow_shrinkage: bool = False) -> None:
    from lead_pipeline.definitions import defs
    from lead_pipeline.orchestration.instance import open_instance
    from lead_pipeline.orchestration.processes import end_dead_runs
    from lead_pipeline.orchestration.runner import PipelineRunner

    with open_instance(settings, note) as instance, working(PUBLISHING):
        end_dead_runs(instance)
        runner = PipelineRunner(defs(), instance, note)
        outcome = runner.load_and_publish(allow_shrinkage=allow_shrinkage)
    conclude(settings, [outcome])
