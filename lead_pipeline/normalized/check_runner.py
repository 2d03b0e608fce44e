"""The checks of a load, run inside it.

    tables, changed leads ──▶ rows to look at ──▶ sql/checks/<name>.sql ──▶ a CheckOutcome each

Belongs here: what checks look at, and running them. Does not belong here: what must hold (`checks.py`).
"""

from __future__ import annotations

from lead_pipeline.normalized import given
from lead_pipeline.normalized.checks import CHECKS, Check, CheckOutcome
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.step_runner import StepRunner
from lead_pipeline.normalized.steps import GivenStep, SqlStep, Step, StepContext

ROWS: tuple[Step, ...] = (
    GivenStep(
        "checks/rows/files_to_check",
        writes=("files_to_check",),
        columns={"path": "varchar", "loaded_rows": "bigint"},
        values=given.files_to_check,
    ),
    *(
        SqlStep(
            f"checks/rows/{rows}",
            reads=("changed_leads", f"normalized.{table}"),
            writes=(rows,),
        )
        for rows, table in (
            ("checked_versions", "lead_versions"),
            ("checked_leads", "leads"),
        )
    ),
)
"""What checks look at: files of the load's crawls, and rows of the changed leads."""


def run_checks(runner: StepRunner, context: StepContext) -> tuple[CheckOutcome, ...]:
    """All checks, inside the load that has written the tables from the crawls of `context`."""
    with runner.scope():
        runner.run(ROWS, context)
        return tuple(_run(runner.session, check) for check in CHECKS)


def _run(session: Session, check: Check) -> CheckOutcome:
    [(failures, examples, looked_at)] = session.query(f"checks/{check.name}")
    return CheckOutcome(check, failures, tuple(examples or ()), looked_at)
