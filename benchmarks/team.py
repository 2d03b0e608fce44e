"""A night of a team: many accounts on two workers, with real PostgreSQL, Redis and S3, over loopback.

    ACCOUNTS=200 python -m benchmarks team

`lead-pipeline run` puts one run an account into the queue, waits for all of them, then for the run that loads
and publishes. Every account has the same few leads: what is measured is what a run costs, not what its
leads do. Requests to the store go through a proxy that counts them. Both workers, the servers and the APIs
share this machine.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dagster import DagsterInstance, RunRecord

from lead_pipeline.commands.console import say, show_table
from lead_pipeline.orchestration.tags import ACCOUNT_TAG
from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.tenants import MEGA_CUSTOMER_ID, MEGA_TOKEN
from lead_pipeline.windows import ONE_DAY
from lead_pipeline_tests.deploy.broker import running_broker
from lead_pipeline_tests.deploy.database import running_database
from lead_pipeline_tests.orchestration.team_stack import Team
from lead_pipeline_tests.team.object_store import Passage, Request, running_object_store

ACCOUNTS = 200
WORKERS = 2
PROCESSES = 2
"""Runs that each worker executes at once."""
DAYS = 3
"""So many days come with the night, ten leads an account and day: few, as in nights without a backfill."""


STARTING = "landing: starting the runs"


@dataclass(frozen=True)
class Night:
    """What one night took."""

    seconds: float
    records: Sequence[RunRecord]
    steps: Counter[str]
    """Seconds of all runs together, by what they were spent on."""
    requests: Sequence[Request]

    @property
    def landings(self) -> list[RunRecord]:
        """The runs that landed an account."""
        return [record for record in self.records if ACCOUNT_TAG in record.dagster_run.tags]

    @property
    def landing_seconds(self) -> float:
        """From the first run that was asked for to the last one that ended."""
        return _span(self.landings)


def main() -> None:
    """Live through the night and print what it took."""
    accounts = int(os.environ.get("ACCOUNTS", ACCOUNTS))
    first = datetime.now(UTC).date() - DAYS * ONE_DAY
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(World(start=first, leads_per_day=10, leads_at_start=0), limits=False) as sandbox,
        running_database() as database,
        running_broker() as broker,
        running_object_store() as s3,
        Passage(s3).open() as passage,
    ):
        sandbox.set_clock(datetime.now(UTC))
        team = Team(
            Path(folder),
            {
                **passage.variables,
                "LEAD_PIPELINE_ACCOUNTS": str(_declare(Path(folder), sandbox, accounts)),
                "LEAD_PIPELINE_START_DATE": first.isoformat(),
                # An hour may begin meanwhile.
                "MEGA_HOURLY_POLLS": "0",
                "LEAD_PIPELINE_SHARED": s3.new_prefix(),
                "LEAD_PIPELINE_DATABASE": database.url,
                "CELERY_BROKER_URL": broker,
            },
        )
        try:
            for number in range(WORKERS):
                team.start_worker(f"worker-{number + 1}", PROCESSES)
            team.start_daemon()
            night = _night(team, passage)
            counts = database.count("lead_pipeline_dagster.event_logs")
        finally:
            team.end()
    _show(accounts, night)
    say(f"Dagster wrote {counts / accounts:,.0f} events a landing into PostgreSQL.")


def _declare(folder: Path, sandbox: Sandbox, accounts: int) -> Path:
    path = folder / "accounts.toml"
    path.write_text(
        "\n".join(
            f'[accounts.mega_{number:04}]\nprovider = "mega"\ntoken = "{MEGA_TOKEN}"\n'
            f'customer_id = "{MEGA_CUSTOMER_ID}"\nbase_url = "{sandbox.mega.url}"\n'
            for number in range(accounts)
        )
    )
    return path


def _night(team: Team, passage: Passage) -> Night:
    with team.instance() as instance:
        began = time.monotonic()
        command = team.start_command("laptop", "run")
        _, errors = command.communicate()
        seconds = time.monotonic() - began
        if command.returncode != 0:
            raise SystemExit(f"The night failed: {errors[-2000:]}")
        records = instance.get_run_records()
        night = Night(seconds, records, _spent(instance, records), passage.requests)
    # From launch to start a run also waits for a process. Processes are never idle meanwhile, so what
    # they did not do otherwise was starting.
    landed = sum(s for what, s in night.steps.items() if what.startswith("landing"))
    night.steps[STARTING] = max(WORKERS * PROCESSES * night.landing_seconds - landed, 0.0)
    return night


def _spent(instance: DagsterInstance, records: Iterable[RunRecord]) -> Counter[str]:
    """Seconds by what they were spent on, of all runs."""
    spent: Counter[str] = Counter()
    for record in records:
        run = record.dagster_run
        kind = "landing" if ACCOUNT_TAG in run.tags else "publication"
        start, end = record.start_time or 0.0, record.end_time or 0.0
        stats = instance.get_run_stats(run.run_id)
        launched = getattr(stats, "launch_time", None) or start
        spent["waiting in the queue"] += launched - record.create_timestamp.timestamp()
        if kind == "publication":
            spent["publication: waiting for a process, starting"] += start - launched
        steps = instance.get_run_step_stats(run.run_id)
        inside = 0.0
        for step in steps:
            took = (step.end_time or 0.0) - (step.start_time or 0.0)
            inside += took
            spent[f"{kind}: {_named(step.step_key)}"] += took
        spent[f"{kind}: around the steps"] += end - start - inside
    return spent


def _named(step: str) -> str:
    if step.startswith("landing__"):
        return "asking the API and writing to the store"
    return {
        "normalized": "loading",
        "dbt_models": "marts and tests",
        "bi__published": "publishing",
    }.get(step, step)


def _span(records: Sequence[RunRecord]) -> float:
    created = min(record.create_timestamp.timestamp() for record in records)
    return max(record.end_time or 0.0 for record in records) - created


def _show(accounts: int, night: Night) -> None:
    busy = sum(s for name, s in night.steps.items() if name != "waiting in the queue")
    say(
        f"{accounts} accounts on {WORKERS} workers with {PROCESSES} processes each: {night.seconds:,.0f} s, of "
        f"which landing {night.landing_seconds:,.0f} s: {60 * accounts / night.landing_seconds:,.1f} "
        f"accounts a minute. One load, one publication."
    )
    show_table(
        "Seconds of runs, all processes together",
        ["what", "seconds", "share %"],
        [
            [name, round(seconds, 1), round(100 * seconds / busy, 1)]
            for name, seconds in night.steps.most_common()
            if name != "waiting in the queue"
        ],
    )
    requests = Counter((_place(request), _kind(request)) for request in night.requests)
    sent: Counter[tuple[str, str]] = Counter()
    for request in night.requests:
        sent[_place(request), _kind(request)] += request.size
    show_table(
        "Requests to the store",
        ["objects", "request", "requests", "an account", "MB sent"],
        [
            [place, method, count, round(count / accounts, 2), round(sent[place, method] / 1e6, 2)]
            for (place, method), count in sorted(requests.items())
        ],
    )


def _kind(request: Request) -> str:
    """The request as stores charge for it."""
    return "LIST" if "list-type=" in request.path else request.method


def _place(request: Request) -> str:
    """The folder of the object that the request is about; a list names its folder in the query."""
    for folder in ("landing", "warehouse", "bi"):
        if f"leads/{folder}" in request.path or f"leads%2F{folder}" in request.path:
            return folder
    return "other"


if __name__ == "__main__":
    main()
