"""A night of many accounts: one load, one build and one publication, beside one of each per account.

A run per account, which lands, loads, builds and publishes by itself, is what a scheduler does that
starts `lead-pipeline run --account NAME` for each of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lead_pipeline.commands.console import show_table
from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.tenants import MEGA_CUSTOMER_ID, MEGA_TOKEN

ACCOUNTS = 50
ALONE = 5
"""Accounts whose runs are timed one by one; all of them would take ten times as long."""


def main() -> None:
    """Print the table."""
    with Sandbox(World(leads_per_day=10, leads_at_start=100), limits=False) as sandbox:
        together = _measure(sandbox, ACCOUNTS, [[]])
        alone = _measure(sandbox, ALONE, [["--account", _name(n)] for n in range(ALONE)])
    show_table(
        f"One night of {ACCOUNTS} accounts of MEGA over loopback",
        ["shape", "accounts", "publications", "seconds", "seconds an account", "ratio"],
        [
            _row("one publication for all", ACCOUNTS, 1, together, together / ACCOUNTS),
            _row("one for each account", ALONE, ALONE, alone, together / ACCOUNTS),
        ],
    )


def _row(shape: str, accounts: int, publications: int, seconds: float, base: float) -> list[object]:
    each = seconds / accounts
    return [shape, accounts, publications, round(seconds, 1), round(each, 2), round(each / base, 1)]


def _name(number: int) -> str:
    return f"mega_{number:02}"


def _measure(sandbox: Sandbox, accounts: int, runs: list[list[str]]) -> float:
    """The seconds that `lead-pipeline run` takes with each of these arguments, one after another."""
    command = Path(sys.executable).with_name("lead-pipeline")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "accounts.toml")
        path.write_text(
            "\n".join(
                f'[accounts.{_name(number)}]\nprovider = "mega"\ntoken = "{MEGA_TOKEN}"\n'
                f'customer_id = "{MEGA_CUSTOMER_ID}"\nbase_url = "{sandbox.mega.url}"\n'
                for number in range(accounts)
            )
        )
        variables = {
            **os.environ,
            "LEAD_PIPELINE_HOME": str(Path(folder, "home")),
            "LEAD_PIPELINE_ACCOUNTS": str(path),
        }
        started = time.monotonic()
        for arguments in runs:
            subprocess.run(  # noqa: S603 - our own command
                [command, "run", "--from", "2026-01-01", "--to", "2026-01-03", *arguments],
                env=variables,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        return time.monotonic() - started
