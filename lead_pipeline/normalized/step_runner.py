"""Running steps in order, each only when what it reads has been written.

with runner.scope():          temporary tables that are written here end here
    runner.run(steps, context)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from lead_pipeline.errors import LoadError
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.steps import NORMALIZED, Step, StepContext


class StepRunner:
    """The steps of one session; `given` are temporary tables that it has already."""

    def __init__(self, session: Session, given: Iterable[str] = ()) -> None:
        self.session = session
        self._written = frozenset(given)

    def run(self, steps: Iterable[Step], context: StepContext) -> None:
        """Run `steps`. Raises `LoadError` naming the one that reads what nobody has written."""
        for step in steps:
            check_reads(step, self._written)
            step.run(self.session, context)
            self._written |= temporary(step.writes)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Drop at the end what the block has written for the time being.

        After an error nothing is dropped: the transaction that is rolled back does it.
        """
        before = self._written
        yield
        self.session.drop_temporary(self._written - before)
        self._written = before


def temporary(tables: Iterable[str]) -> frozenset[str]:
    """Those of `tables` that end with the session."""
    return frozenset(table for table in tables if not table.startswith(NORMALIZED))


def check_reads(step: Step, written: Collection[str]) -> None:
    """Raise `LoadError` where `step` reads a temporary table that is not in `written`."""
    if missing := sorted(temporary(step.reads) - set(written)):
        raise LoadError(
            f"Step {step.name} reads {', '.join(missing)}, which no step before it has written. "
            "This is a defect of the pipeline: report it."
        )
