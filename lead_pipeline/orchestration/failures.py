"""Failures of runs in one sentence, for whoever does not read stack traces.

    events of a run ──▶ failed steps ──▶ message in the error's own words, and its class

Belongs here: from Dagster's events to words. Does not belong here: who is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster import DagsterError, DagsterEvent
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster_shared.error import SerializableErrorInfo

from lead_pipeline.causes import cause_of, stack_of
from lead_pipeline.errors import LeadPipelineError

_ERROR = "error"
"""The entry of a failure's metadata with the class of our error, by name."""
_CAUSE, _STACK = "cause", "stack_trace"
"""Those of a failure that nobody has foreseen."""


@dataclass(frozen=True)
class StepFailure:
    """A step that failed."""

    step: str
    message: str
    """One sentence, with the remedy where the error has one."""
    error: str | None = None
    """The class of our error, by name; None: it is none of ours."""


class Interrupted(Exception):
    """A step did not fail, but was interrupted."""


def failure_from(error: LeadPipelineError, *, allow_retries: bool = False) -> dg.Failure:
    """What Dagster is told of one of our errors: its message, without a stack trace."""
    kind: dict[str, Any] = {_ERROR: type(error).__name__}
    return dg.Failure(str(error), metadata=kind, allow_retries=allow_retries)


@contextmanager
def told_without_values() -> Iterator[None]:
    """Let no error leave the block that quotes what DuckDB, Arrow or others have met in a row.

    Dagster keeps the message and all that led to it in its event log. Errors of ours and of Dagster
    pass as they are: ours quote nothing.
    """
    try:
        yield
    except (LeadPipelineError, dg.Failure, DagsterError):
        raise
    except Exception as error:
        cause = cause_of(error)
        raise dg.Failure(
            f"{cause}. This is a defect; nothing landed is lost. The stack trace beside this "
            "sentence names no values of leads: report it.",
            metadata={_CAUSE: cause, _STACK: dg.MetadataValue.text(stack_of(error))},
        ) from None


def step_failures(events: Iterable[DagsterEvent], run_id: str) -> Iterator[StepFailure]:
    """The failed steps, in their order. Raises `Interrupted` at one that was interrupted."""
    for event in events:
        if event.is_step_failure:
            yield _step_failure(event, run_id)


def _step_failure(event: DagsterEvent, run_id: str) -> StepFailure:
    step, data = str(event.step_key), event.step_failure_data
    said = data.user_failure_data
    if said is not None and said.description:
        if _CAUSE in said.metadata:
            return _unforeseen(step, str(said.metadata[_CAUSE].value), run_id)
        kind = said.metadata.get(_ERROR)
        return StepFailure(step, said.description, None if kind is None else str(kind.value))
    errors = list(_causes(data.error))
    if any(error.cls_name == DagsterExecutionInterruptedError.__name__ for error in errors):
        raise Interrupted(step)
    for error in errors:
        if error.cls_name in _error_names(LeadPipelineError):
            return StepFailure(step, error.message.partition(": ")[2].strip(), error.cls_name)
    cause = errors[-1].cls_name if errors else "an error"
    return _unforeseen(step, str(cause), run_id)


def _unforeseen(step: str, cause: str, run_id: str) -> StepFailure:
    return StepFailure(
        step, f"Step {step} failed with {cause}. The stack trace is in the Dagster run {run_id}."
    )


def _causes(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    """The error and what caused it, outermost first."""
    while error is not None:
        yield error
        error = error.cause


def _error_names(error: type[Exception]) -> set[str]:
    return {error.__name__}.union(*(_error_names(kind) for kind in error.__subclasses__()))
