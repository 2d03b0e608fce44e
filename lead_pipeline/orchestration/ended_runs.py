"""What has become of Dagster's runs: which accounts were landed, whether readers have a file.

    runs that have ended ──▶ their steps ──▶ one word per account, one for loading and publishing

Belongs here: reading Dagster's runs. Does not belong here: who is told (`alert_sensors.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus

from lead_pipeline.alerts.failures import Ended
from lead_pipeline.orchestration.failures import Interrupted, StepFailure, step_failures
from lead_pipeline.orchestration.processes import GONE
from lead_pipeline.orchestration.published_asset import KEY as PUBLISHED

_LANDING = "landing__"
_OURS = frozenset({"load_normalized", "dbt_models", "__".join(PUBLISHED.path)})
"""The steps that load, build and publish."""
_PUBLISHES = "__".join(PUBLISHED.path)


@dataclass(frozen=True)
class EndedRun:
    """A run that has ended: what it has shown, and whether readers have been given a file."""

    ended: tuple[Ended, ...]
    is_published: bool


def ended_run(instance: DagsterInstance, run: DagsterRun) -> EndedRun:
    """What the run has shown. Somebody who has ended one knows that, so it shows nothing."""
    kinds = {
        DagsterEventType.STEP_SUCCESS,
        DagsterEventType.STEP_FAILURE,
        DagsterEventType.RUN_FAILURE,
    }
    entries = instance.all_logs(run.run_id, of_type=kinds)
    events = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
    succeeded = {str(event.step_key) for event in events if event.is_step_success}
    try:
        failures = list(step_failures(events, run.run_id))
    except Interrupted:
        return EndedRun((), False)
    if run.status is DagsterRunStatus.CANCELED:
        return EndedRun((), False)
    ended = [*_failed(failures), *_landed(run, succeeded, failures), *_done(succeeded)]
    if run.status is DagsterRunStatus.FAILURE and not failures:
        ended += _ended_early(run, events, succeeded)
    return EndedRun(tuple(ended), _PUBLISHES in succeeded)


def _failed(failures: Iterable[StepFailure]) -> Iterator[Ended]:
    """Of an account, or of what loads and publishes, the first failure: others follow from it."""
    first: dict[str | None, StepFailure] = {}
    for failure in failures:
        key = _account_of(failure.step) or ("" if failure.step in _OURS else failure.step)
        first.setdefault(key, failure)
    for failure in first.values():
        account = _account_of(failure.step)
        if account is not None:
            yield Ended.landing(account, failure.message, failure.error)
        elif failure.step in _OURS:
            yield Ended.publication(failure.message, failure.error)
        else:
            yield Ended(failure.step, failure.message, failure.error)


def _landed(
    run: DagsterRun, succeeded: set[str], failures: Iterable[StepFailure]
) -> Iterator[Ended]:
    """Accounts of which every stream that was asked for has landed."""
    asked = {"__".join(key.path) for key in run.asset_selection or ()}
    open_steps = (asked - succeeded) | {failure.step for failure in failures}
    unlanded = {_account_of(step) for step in open_steps}
    for account in sorted({account for step in succeeded if (account := _account_of(step))}):
        if account not in unlanded:
            yield Ended.landing(account, None)


def _done(succeeded: set[str]) -> Iterator[Ended]:
    """Publication, which crowns all steps before it, and steps of assets that are not ours."""
    for step in sorted(succeeded):
        if step == _PUBLISHES:
            yield Ended.publication(None)
        elif step not in _OURS and _account_of(step) is None:
            yield Ended(step, None)


def _ended_early(
    run: DagsterRun, events: Iterable[DagsterEvent], succeeded: set[str]
) -> Iterator[Ended]:
    """What was not done in a run that failed outside of its steps, such as with its process."""
    is_gone = any(GONE in (event.message or "") for event in events if event.is_run_failure)
    failure = GONE if is_gone else f"The Dagster run {run.run_id} failed before any step."
    asked = {"__".join(key.path) for key in run.asset_selection or ()}
    accounts = {_account_of(step) for step in asked - succeeded} - {None}
    for account in sorted(str(account) for account in accounts):
        yield Ended.landing(account, failure)
    if not accounts and _PUBLISHES not in succeeded:
        yield Ended.publication(failure)


def _account_of(step: str) -> str | None:
    """The account that the step lands; None: it lands none."""
    if not step.startswith(_LANDING):
        return None
    # Names of accounts may have two underscores in a row; those of streams have not.
    return step.removeprefix(_LANDING).rpartition("__")[0]
