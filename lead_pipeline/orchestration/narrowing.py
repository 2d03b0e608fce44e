"""A process that executes one run makes the definitions of that run's account alone.

    run of an account ──▶ its landing assets and checks │ of 200 accounts all of them take seconds, each time

Dagster makes all definitions again in each process that executes a run: of 200 accounts, 200 times the assets
of 200. Belongs here: which account a process is for. Does not belong here: making definitions
(`lead_pipeline.definitions`).
"""

from __future__ import annotations

import os

from dagster import DagsterRun

from lead_pipeline.orchestration.tags import ACCOUNT_TAG

_of_processes: dict[int, str] = {}


def account_landed_by(run: DagsterRun) -> str | None:
    """The account whose landing is all that the run does; None where it does anything else."""
    account, keys = run.tags.get(ACCOUNT_TAG), run.asset_selection
    if account is None or not keys or run.asset_check_selection:
        return None
    return account if all(key.path[:2] == ["landing", account] for key in keys) else None


def narrow_process_to(account: str | None) -> None:
    """Let this process, which does nothing else, make definitions of that account alone."""
    if account is not None:
        _of_processes[os.getpid()] = account


def account_of_process() -> str | None:
    """The account that this process is for; None: any."""
    return _of_processes.get(os.getpid())
