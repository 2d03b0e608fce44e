"""Runs that the daemon and the web server start, with a process that somebody looks after.

    daemon's run monitoring ──every 15 s──▶ is the run's lock held? ──no──▶ run failed, pool freed

`dagster.yaml` names the launcher, for the processes that start runs; `definitions.py` names the
executor, for those that execute them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster import (
    DagsterEvent,
    DagsterInstance,
    DagsterRun,
    DefaultRunLauncher,
    Executor,
    InitExecutorContext,
)
from dagster._core.definitions.executor_definition import IN_PROC_CONFIG
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.system_config.objects import ResolvedRunConfig

from lead_pipeline.logs import line_of
from lead_pipeline.orchestration.landing_assets import LANDS_TAG
from lead_pipeline.orchestration.processes import GONE, is_dead, take_run_lock
from lead_pipeline.orchestration.tags import ACCOUNT_TAG
from lead_pipeline.storage.permissions import be_private

# Dagster's daemon and web server import this module, and not the definitions.
be_private()


def health_of(instance: DagsterInstance, run: DagsterRun) -> CheckRunHealthResult:
    """Running, unless the process of the run is gone for sure."""
    if is_dead(instance, run.run_id):
        return CheckRunHealthResult(WorkerStatus.FAILED, GONE)
    return CheckRunHealthResult(WorkerStatus.RUNNING)


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher, which also knows when the process of a run has died.

    Dagster's own knows it only where each run has a container; with this one, run monitoring ends
    dead runs, so that the queue does not hold back the next run of the account for ever.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Makes run monitoring ask `check_run_worker_health` for each started run."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Running, unless the process of the run is gone for sure."""
        return health_of(self._instance, run)


class LockedInProcessExecutor(InProcessExecutor):
    """All steps in the run's own process, which holds the run's lock.

    Landing comes first. What follows is done when at least one stream has landed: an account that
    fails fails the run, and keeps no other from being loaded and published.
    """

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Execute the steps; yields Dagster's events of the run."""
        # Not where it is defined: who only looks at assets has no use for SQLAlchemy.
        from lead_pipeline.orchestration.databases import databases_held_open, reuse_engines

        reuse_engines()
        with databases_held_open():
            yield from self._executed(plan_context, execution_plan)

    def _executed(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        # Held until the process ends, since the run is marked as ended after this method.
        take_run_lock(plan_context.instance, plan_context.run_id)
        began, succeeded, failed = time.monotonic(), 0, 0
        for part in _parts(plan_context, execution_plan):
            data = plan_context.plan_data._replace(execution_plan=part)
            context = PlanOrchestrationContext(
                data, plan_context.log, plan_context.executor, plan_context.output_capture
            )
            for event in super().execute(context, part):
                succeeded += event.is_step_success
                failed += event.is_step_failure
                yield event
            if not succeeded:
                break
        plan_context.log.info(
            line_of(
                "run ended",
                account=plan_context.dagster_run.tags.get(ACCOUNT_TAG),
                run=plan_context.run_id,
                steps=succeeded,
                failed_steps=failed,
                seconds=time.monotonic() - began,
            )
        )


def _parts(context: PlanOrchestrationContext, plan: ExecutionPlan) -> list[ExecutionPlan]:
    """The plan of the steps that land, then that of all others, which do not depend on it."""
    steps = plan.get_steps_to_execute_in_topo_order()
    landing = [step.key for step in steps if LANDS_TAG in step.tags]
    others = [step.key for step in steps if LANDS_TAG not in step.tags]
    if not landing or not others:
        return [plan]
    job = context.job.get_definition()
    config = ResolvedRunConfig.build(job, context.run_config)
    return [plan.build_subset_plan(keys, job, config) for keys in (landing, others)]


@dg.executor(name="in_process", config_schema=IN_PROC_CONFIG)
def locked_in_process_executor(context: InitExecutorContext) -> Executor:
    """All steps of a run in one process.

    Steps of an account have to wait for each other anyway, and so have those after them; a process
    for each would cost seconds of imports per step.
    """
    config: Any = context.executor_config
    return LockedInProcessExecutor(
        RetryMode.from_config(config["retries"]) or RetryMode.ENABLED,
        StepDependencyConfig.from_config(config.get("step_dependency_config")),
    )
