"""`dbt source freshness` tells how old the data is that is proven to be there, not how old the copy is."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lead_pipeline.bi.parsed_dbt import run_dbt
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.test_dev_target import start_dbt

TABLES = ("normalized.leads", "normalized.lead_stage_history", "meta.coverage")


def write_coverage(path: Path, *ages: float | None) -> Path:
    """A file just made, with an account per age, in hours, of what is proven; None: nothing is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    with closing(connect_utc(path)) as connection:
        connection.execute("create schema meta; create schema normalized")
        connection.execute(
            "create table meta.coverage (account varchar, complete_through timestamptz)"
        )
        for number, age in enumerate(ages):
            through = None if age is None else now - timedelta(hours=age)
            connection.execute("insert into meta.coverage values (?, ?)", [str(number), through])
    return path


@pytest.mark.parametrize(
    ("ages", "said"),
    [
        ([25.0, 26.0], "PASS"),
        # The night of the day that is due has not brought one account.
        ([25.0, 40.0], "WARN"),
        ([25.0, 60.0], "ERROR STALE"),
        # Nothing is known to be complete, so nothing is fresh.
        ([25.0, None], "ERROR STALE"),
        ([], "ERROR STALE"),
    ],
)
def test_freshness_is_that_of_the_account_that_is_furthest_behind(
    ages: list[float | None], said: str, tmp_path: Path
) -> None:
    candidate = write_coverage(tmp_path / "leads.duckdb", *ages)
    ran = run_dbt(("source", "freshness"), tmp_path / "target", candidate)
    messages = [message["info"]["msg"] for message in ran.messages]
    for table in TABLES:
        [line] = [
            text for text in messages if f" freshness of {table} " in text and "START" not in text
        ]
        assert f" {said} freshness of " in line
    assert ran.succeeded == (said in ("PASS", "WARN"))


def test_target_dev_tells_it_of_the_copy_that_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEAD_PIPELINE_DEV", str(tmp_path / "mine" / "dev.duckdb"))
    write_coverage(tmp_path / "home" / "bi" / ".sources" / "leads.duckdb", 25.0, 60.0)
    process = start_dbt(tmp_path / "target", "source", "freshness")
    output, _ = process.communicate(timeout=150)
    assert process.returncode == 1, output
    results = json.loads((tmp_path / "target" / "sources.json").read_bytes())["results"]
    assert {result["status"] for result in results} == {"error"}
    assert all(59 < result["max_loaded_at_time_ago_in_s"] / 3600 < 61 for result in results)
