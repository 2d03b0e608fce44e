"""Recorded Dagster runs without a daemon or a web server.

days + account ──▶ landing run          all accounts ──▶ load, dbt, publish run
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)
from dagster._core.utils import make_new_run_id
from sqlalchemy.exc import SQLAlchemyError

from lead_pipeline.orchestration.databases import databases_held_open
from lead_pipeline.orchestration.failures import Interrupted, step_failures
from lead_pipeline.orchestration.instance import NOT_RECORDED, reason_of_storage
from lead_pipeline.orchestration.landing_assets import landing_keys, polled_keys, pull_run_config
from lead_pipeline.orchestration.processes import UNFINISHED, run_locks, take_run_lock
from lead_pipeline.orchestration.published_asset import publish_config
from lead_pipeline.orchestration.schedules import JOB
from lead_pipeline.orchestration.tags import ACCOUNT_TAG
from lead_pipeline.providers.base import Account
from lead_pipeline.storage.locks import waits_heard

LANDING = "landing of "
"""How the names of runs begin that land an account."""


@dataclass(frozen=True)
class RunOutcome:
    """How one Dagster run ended. `failure` is one sentence with the remedy, None on success."""

    name: str
    run_id: str
    failure: str | None
    error: str | None = None
    """The class of our error behind it, by name; None: it is none of ours."""

    @property
    def account(self) -> str | None:
        """Whose landing it was; None: it loaded and published."""
        return self.name.removeprefix(LANDING) if self.name.startswith(LANDING) else None


def runs_under_way(instance: DagsterInstance) -> list[str]:
    """What other processes are running at this moment, one phrase per run."""
    return sorted(
        f"{run.tags.get(ACCOUNT_TAG, 'load and publish')} (run {run.run_id[:8]})"
        for run in instance.get_runs(RunsFilter(statuses=UNFINISHED))
        if run.status != DagsterRunStatus.NOT_STARTED
    )


@dataclass(frozen=True)
class RunRequest:
    """A run that somebody wants, wherever it is executed."""

    name: str
    keys: Sequence[dg.AssetKey]
    tags: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


def landing_request(
    account: Account,
    first: date,
    last: date,
    *,
    full: bool = False,
    accept_doubtful: bool = False,
    poll_since: datetime | None = None,
) -> RunRequest:
    """Land the partitions `first` to `last` of one account, one crawl per stream.

    With `poll_since` (UTC), only what has changed since then, and no more than shows it.
    """
    keys = landing_keys(account) if poll_since is None else polled_keys(account)
    config = pull_run_config(
        keys, full=full, accept_doubtful=accept_doubtful, poll_since=poll_since
    )
    tags = {
        ACCOUNT_TAG: account.name,
        ASSET_PARTITION_RANGE_START_TAG: first.isoformat(),
        ASSET_PARTITION_RANGE_END_TAG: last.isoformat(),
    }
    return RunRequest(f"{LANDING}{account.name}", keys, tags, config)


def publish_request(
    definitions: dg.Definitions, *, allow_row_count_drop: bool = False, allow_missing: bool = False
) -> RunRequest:
    """Load, build and test the marts, publish.

    `allow_row_count_drop` lets readers lose leads, `allow_missing` lets many be marked as missing.
    """
    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    downstream = sorted(key for key in keys if key.path[0] != "landing")
    config: Mapping[str, Any] = {}
    if allow_row_count_drop or allow_missing:
        config = publish_config(
            allow_row_count_drop=allow_row_count_drop, allow_missing=allow_missing
        )
    return RunRequest("load and publish", downstream, config=config)


class PipelineRunner:
    """Executes parts of the job `daily_leads` in this process, recorded in the instance.

    Not for several threads at once: Dagster's SQLite storage and its logging wait for each
    other. Accounts run in parallel in processes of their own (`parallel.py`).
    """

    def __init__(
        self,
        definitions: dg.Definitions,
        instance: DagsterInstance,
        tell: Callable[[str], None] = lambda message: None,
    ) -> None:
        """`tell` hears what loading and publishing wait for; landing has its progress."""
        self._definitions = definitions
        self._instance = instance
        self._tell = tell

    def land(
        self,
        account: Account,
        first: date,
        last: date,
        *,
        full: bool = False,
        accept_doubtful: bool = False,
        poll_since: datetime | None = None,
    ) -> RunOutcome:
        """Land an account, as `landing_request` has it."""
        return self.execute(
            landing_request(
                account,
                first,
                last,
                full=full,
                accept_doubtful=accept_doubtful,
                poll_since=poll_since,
            )
        )

    def load_and_publish(
        self, *, allow_row_count_drop: bool = False, allow_missing: bool = False
    ) -> RunOutcome:
        """Load, build and test the marts, publish, as `publish_request` has it."""
        request = publish_request(
            self._definitions,
            allow_row_count_drop=allow_row_count_drop,
            allow_missing=allow_missing,
        )
        with waits_heard(self._tell):
            return self.execute(request)

    def execute(self, request: RunRequest) -> RunOutcome:
        """Execute these assets; once more, unrecorded, where Dagster's storage fails meanwhile."""
        try:
            return self._executed_in(self._instance, request)
        except SQLAlchemyError as error:
            self._tell(f"{reason_of_storage(error)} {NOT_RECORDED}")
            with DagsterInstance.ephemeral() as instance:
                return self._executed_in(instance, request)

    def _executed_in(self, instance: DagsterInstance, request: RunRequest) -> RunOutcome:
        job = self._definitions.resolve_job_def(JOB)
        # People read the progress and the summary. The run's own log is in the instance, and
        # what dbt prints is in its log file beside the candidate.
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        run_id = make_new_run_id()
        free = take_run_lock(instance, run_id)
        try:
            with redirect_stdout(io.StringIO()), databases_held_open():
                result = job.execute_in_process(
                    instance=instance,
                    run_id=run_id,
                    asset_selection=list(request.keys),
                    tags={**request.tags, **run_locks(instance).tags(run_id)},
                    run_config=quiet | dict(request.config),
                    raise_on_error=False,
                )
        finally:
            free()
        return _outcome(request.name, result)


def _outcome(name: str, result: dg.ExecuteInProcessResult) -> RunOutcome:
    """How the run ended. Raises `KeyboardInterrupt` where it did not fail but was interrupted."""
    if result.success:
        return RunOutcome(name, result.run_id, None)
    try:
        first = next(step_failures(result.all_events, result.run_id), None)
    except Interrupted:
        raise KeyboardInterrupt from None
    if first is None:
        return RunOutcome(
            name, result.run_id, f"The Dagster run {result.run_id} failed before any step."
        )
    return RunOutcome(name, result.run_id, first.message, first.error)
