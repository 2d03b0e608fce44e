"""What it saves that `lead_daily_history` goes on from the published file.

All days of 50,000 leads are built from nothing, then once more after a night in which some leads
changed: from the published days, and again from nothing.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

from lead_pipeline.bi import dbt_project
from lead_pipeline.bi.candidate import prepare_candidate, row_counts
from lead_pipeline.bi.daily_history import seed_daily_history
from lead_pipeline.commands.console import show_table
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.sql import read_sql

LEADS, DAYS, CHANGED_ONE_IN = 50_000, 120, 50

WORLD = """
insert into normalized.lead_stage_history by name
select
    'mega:' || lead_id as lead_key, 'mega' as provider, 'mega' as account, lead_id,
    step as stage_number, (['new', 'engaged', 'qualified'])[step] as stage,
    (['new', 'contacted', 'qualified'])[step] as provider_stage,
    timestamptz '2026-01-01' + to_days(((step - 1) * 20 + number % 20)::int) as entered_at,
    entered_at as entered_after,
    lead(entered_at) over (partition by lead_id order by step) as exited_at,
    step = 3 as is_current, 'audit_log' as evidence
from (select number, md5(number::varchar) as lead_id from range($leads) as leads(number)),
    range(1, 4) as steps(step);
insert into normalized.lead_versions by name
select
    cast(md5(lead_key || stage_number) as uuid) as version_id, * exclude (is_current, exited_at, evidence,
    entered_after, stage_number, entered_at), stage_number * 10.0 as score,
    'owner ' || stage_number as owner_id, 'Owner ' || stage_number as owner_name,
    entered_at as updated_at, entered_at as first_seen_at,
    greatest(entered_at, timestamptz '2026-04-30' + to_days($night)) as last_seen_at,
    false as has_details, 'leads' as stream, 'crawl' as crawl_id, 1 as page,
    entered_at as fetched_at, '{}' as payload
from normalized.lead_stage_history;
insert into normalized.leads by name
select
    lead_key, provider, account, lead_id, stage, provider_stage, score, owner_id, owner_name,
    updated_at, updated_at as created_at, first_seen_at, last_seen_at
from normalized.lead_versions
qualify row_number() over (partition by lead_key order by updated_at desc) = 1;
insert into normalized.coverage
values ('mega', 'mega', null, timestamptz '2026-01-01' + to_days($days + $night), null);
"""
A_NIGHT = """
update normalized.lead_stage_history set provider_stage = 'proposal'
where is_current and hash(lead_key) % $one_in = 0;
"""


def main() -> None:
    """Print the table."""
    os.environ["LEAD_PIPELINE_HOME"] = tempfile.gettempdir()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = _candidate(folder, "first", night=0)
        full = _build(first)
        second = _candidate(folder, "second", night=1)
        start = _cpu_seconds()
        assert seed_daily_history(first, second, dbt_project.load_manifest())  # noqa: S101
        seeding = _cpu_seconds() - start
        incremental = _build(second)
        anew = _build(_candidate(folder, "anew", night=1))
        with closing(connect_utc(second, read_only=True)) as connection:
            rows = row_counts(connection)["marts.lead_daily_history"]
    show_table(
        f"lead_daily_history: {LEADS:,} leads, {rows:,} rows, one lead in {CHANGED_ONE_IN} changed",
        ["build", "copy CPU s", "dbt CPU s", "both", "both / from nothing"],
        [
            ["first, from nothing", None, round(full, 1), round(full, 1), None],
            ["a night later, from nothing", None, round(anew, 1), round(anew, 1), 1.0],
            [
                "a night later, from the published days",
                round(seeding, 1),
                round(incremental, 1),
                round(seeding + incremental, 1),
                round((seeding + incremental) / anew, 2),
            ],
        ],
    )


def _candidate(folder: Path, name: str, *, night: int) -> Path:
    warehouse = folder / "warehouse.duckdb"
    warehouse.unlink(missing_ok=True)
    with closing(connect_utc(warehouse)) as connection:
        connection.execute(read_sql("normalized", "schema"))
        parameters = {"leads": LEADS, "days": DAYS, "night": night}
        for statement in WORLD.strip().split(";\n"):
            used = {key: value for key, value in parameters.items() if f"${key}" in statement}
            connection.execute(statement, used)
        if night:
            connection.execute(A_NIGHT, {"one_in": CHANGED_ONE_IN})
    candidate = folder / f"{name}.duckdb"
    prepare_candidate(warehouse, candidate)
    return candidate


def _build(candidate: Path) -> float:
    """CPU seconds of dbt for the models of the daily history, its own start included."""
    before = _cpu_seconds()
    target = candidate.parent / candidate.stem
    subprocess.run(  # noqa: S603
        dbt_project.dbt_command("run", "--quiet", "--select", "+lead_history_digests"),
        env=dbt_project.dbt_environment(target, candidate),
        cwd=dbt_project.PROJECT_DIR,
        check=True,
    )
    return _cpu_seconds() - before


def _cpu_seconds() -> float:
    """Of this process and of those that it has waited for: other work does not disturb them."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
