"""Old runs go, and the asset graph stays as it is."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline.orchestration.processes import take_run_lock
from lead_pipeline.orchestration.pruning import Pruned, prune_history
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.pulling import settings_in

DAYS = dg.StaticPartitionsDefinition(["2026-01-01", "2026-01-02"])
LANDED, TABLES = dg.AssetKey("landed"), dg.AssetKey("tables")


@dg.asset(partitions_def=DAYS)
def landed(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Pulled day by day."""
    return dg.MaterializeResult(metadata={"run": context.run.run_id})


@dg.asset(check_specs=[dg.AssetCheckSpec("is_right", asset="tables")])
def tables() -> Iterator[Any]:
    """Made again by each run."""
    yield dg.MaterializeResult(metadata={"rows": 3})
    yield dg.AssetCheckResult(passed=True)


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with instance_of(home) as opened:
        yield opened


def land(instance: dg.DagsterInstance, day: str) -> str:
    return dg.materialize([landed], instance=instance, partition_key=day).run_id


def make(instance: dg.DagsterInstance) -> str:
    return dg.materialize([tables], instance=instance, tags={"by": "a test"}).run_id


def tomorrow() -> datetime:
    """A moment before which everything was created."""
    return datetime.now(UTC) + timedelta(days=1)


def run_ids(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def log_files(instance: dg.DagsterInstance) -> set[str]:
    """The runs that have a file with all their events."""
    folder = Path(instance.root_directory, "history", "runs")
    return {path.stem for path in folder.glob("*.db")} - {"index"}


def test_runs_that_were_repeated_since_go_with_all_that_they_left(
    instance: dg.DagsterInstance,
) -> None:
    first = make(instance)
    printed = Path(instance.storage_directory(), first, "compute_logs")
    printed.mkdir(parents=True)
    newest = make(instance)
    assert log_files(instance) == {first, newest}

    assert prune_history(instance, tomorrow()) == Pruned(runs=1, logs=1, locks=0)

    assert run_ids(instance) == {newest}
    assert log_files(instance) == set()
    assert not printed.parent.exists()
    assert instance.get_run_tags(tag_keys=["by"]) == [("by", {"a test"})]
    materialized = instance.fetch_materializations(TABLES, limit=10).records
    assert [record.run_id for record in materialized] == [newest]


def test_the_newest_materialization_of_each_asset_and_partition_stays(
    instance: dg.DagsterInstance,
) -> None:
    land(instance, "2026-01-01")
    newest = {day: land(instance, day) for day in DAYS.get_partition_keys()}
    made = make(instance)

    prune_history(instance, tomorrow())

    assert run_ids(instance) == {*newest.values(), made}
    assert instance.get_materialized_partitions(LANDED) == set(newest)
    for day, run_id in newest.items():
        [record] = instance.fetch_materializations(
            dg.AssetRecordsFilter(LANDED, asset_partitions=[day]), limit=10
        ).records
        assert record.asset_materialization is not None
        assert record.asset_materialization.metadata["run"].value == run_id
    last = instance.get_latest_materialization_event(TABLES)
    assert last is not None
    assert last.run_id == made
    check = dg.AssetCheckKey(TABLES, "is_right")
    summary = instance.event_log_storage.get_asset_check_summary_records([check])[check]
    assert summary.last_check_execution_record is not None
    assert summary.last_check_execution_record.run_id == made


def test_results_of_asset_checks_go_with_their_runs(instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        made = make(instance)
    prune_history(instance, tomorrow())
    check = dg.AssetCheckKey(TABLES, "is_right")
    history = instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
    assert [record.run_id for record in history] == [made]


def test_younger_runs_keep_everything(instance: dg.DagsterInstance) -> None:
    runs = {make(instance), make(instance)}
    assert prune_history(instance, datetime.now(UTC) - timedelta(days=90)) == Pruned(0, 0, 0)
    assert run_ids(instance) == log_files(instance) == runs


def test_a_few_are_removed_at_a_time_until_all_are_seen_to(instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        newest = {make(instance), *(land(instance, day) for day in DAYS.get_partition_keys())}
    calls = 0
    while run_ids(instance) != newest or log_files(instance):
        before = len(run_ids(instance)) + len(log_files(instance))
        prune_history(instance, tomorrow(), limit=2)
        assert len(run_ids(instance)) + len(log_files(instance)) >= before - 4
        calls += 1
        assert calls < 20
    assert calls > 3


def test_an_unfinished_run_is_left_alone(instance: dg.DagsterInstance) -> None:
    job = dg.GraphDefinition("other", node_defs=[]).to_job()
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    prune_history(instance, tomorrow())
    assert run_ids(instance) == {run.run_id}


def test_who_looks_at_a_run_without_its_log_finds_it_empty(
    home: Path, instance: dg.DagsterInstance
) -> None:
    made = make(instance)
    prune_history(instance, tomorrow())
    with instance_of(home) as web_server:
        assert web_server.all_logs(made) == []
        record = web_server.get_run_record_by_id(made)
    assert record is not None
    assert record.dagster_run.status == dg.DagsterRunStatus.SUCCESS


def test_old_locks_of_killed_processes_go_and_held_ones_stay(
    instance: dg.DagsterInstance,
) -> None:
    folder = Path(instance.root_directory, "processes")
    free = take_run_lock(instance, "alive")
    for name in ("killed", ".killed-1a2b3c4d", "killed today"):
        (folder / name).touch()
    long_ago = (datetime.now(UTC) - timedelta(days=100)).timestamp()
    for name in ("alive", "killed", ".killed-1a2b3c4d"):
        os.utime(folder / name, (long_ago, long_ago))
    try:
        pruned = prune_history(instance, datetime.now(UTC) - timedelta(days=90))
        assert pruned.locks == 2
        assert {path.name for path in folder.iterdir()} == {"alive", "killed today"}
    finally:
        free()


def test_dagster_removes_ticks_of_schedules_and_sensors_itself(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with open_instance(settings_in(home)) as instance:
        for kind in InstigatorType:
            kept = instance.get_tick_retention_settings(kind)
            assert kept[TickStatus.SUCCESS] == kept[TickStatus.FAILURE] == 90
            assert 0 < kept[TickStatus.SKIPPED] <= 90
