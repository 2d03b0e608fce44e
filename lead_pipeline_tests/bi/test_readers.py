"""The published file is read by every client that it promises, while it is being replaced."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from lead_pipeline.bi.gate import PublishRules
from lead_pipeline.landing.coverage import AccountCoverage
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.bi.readers import CLIENTS_BY_NAME
from lead_pipeline_tests.sample_builds import Bi, leads_of, read

COVERAGE = (AccountCoverage("mega", "mega", None, datetime(2026, 1, 9, tzinfo=UTC), "O'Hara's"),)
FEW_PUBLICATIONS, PUBLICATIONS = 5, 20
FOUR_KINDS = ("oldest Python", "SQLAlchemy", "command line", "Node")
LEADS_PER_BUILD = 2_000
PAUSE_SECONDS = 0.1

STAMPS = """
select string_agg(stamp, ',' order by stamp) from (
    select run_id as stamp from meta.publish
    union select run_id from meta.build
    union select full_name from normalized.leads
    union select full_name from marts.leads
    union select provider_stage_name from normalized.lead_stage_history
)
"""
"""Every table says which build it belongs to; one name is one build."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bi = Bi(tmp_path_factory.mktemp("published"))
    bi.build(coverage=COVERAGE)
    bi.publish()
    return bi.published


def everything_in(published: Path) -> str:
    """A query for one text that depends on each value and each comment in the file."""
    columns = read(
        published,
        "select schema_name || '.' || table_name, column_name from duckdb_columns()"
        " where not internal order by all",
    )
    parts = [
        f"select '{table}.{column}' as name, md5(string_agg(coalesce(\"{column}\"::varchar, '-'), ','"  # noqa: S608
        f" order by coalesce(\"{column}\"::varchar, '-'))) as content from {table}"
        for table, column in columns
    ]
    parts.append(
        "select 'comments', md5(string_agg(table_name || column_name || coalesce(comment, '-'), ','"
        " order by table_name, column_name)) from duckdb_columns() where not internal"
    )
    parts.append(
        "select 'table comments', string_agg(coalesce(comment, '-'), ',' order by table_name)"
        " from duckdb_tables() where schema_name = 'meta'"
    )
    rows = " union all ".join(parts)
    return f"select string_agg(name || '=' || content, ' ' order by name) from ({rows})"  # noqa: S608


@pytest.mark.parametrize("name", CLIENTS_BY_NAME)
def test_every_promised_client_reads_every_value_and_every_comment(
    published: Path, name: str
) -> None:
    client = CLIENTS_BY_NAME[name]
    if not client.is_there:
        pytest.skip(f"{client.needs} is not there: run make test (Node needs npm)")
    query = everything_in(published)
    assert client.ask(published, query) == read(published, query)[0][0]


@pytest.mark.parametrize(
    "publications", [FEW_PUBLICATIONS, pytest.param(PUBLICATIONS, marks=pytest.mark.long)]
)
def test_clients_that_ask_all_the_time_never_meet_an_error_or_a_mixed_build(
    tmp_path: Path, publications: int
) -> None:
    clients = [CLIENTS_BY_NAME[name] for name in FOUR_KINDS if CLIENTS_BY_NAME[name].is_there]
    if not clients:
        pytest.skip("no client is installed: run make test")
    bi = Bi(tmp_path)
    runs = [f"build-{number:02}" for number in range(publications + 1)]
    candidates = stamped_candidates(bi, runs)
    publish_next(bi, candidates)
    stop = tmp_path / "stop"
    processes = {client.name: client.start(bi.published, STAMPS, stop) for client in clients}
    while candidates:
        publish_next(bi, candidates)
        time.sleep(PAUSE_SECONDS)
    stop.touch()
    for name, process in processes.items():
        seen = answers_of(process)
        assert set(seen) <= set(runs), f"{name} saw a mixed build"
        assert seen == sorted(seen), f"{name} saw an earlier build again"
        assert len(set(seen)) > 1, f"{name} saw no publication happen"


def answers_of(process: subprocess.Popen[str]) -> list[str]:
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    return output.split()


def warehouse_of(bi: Bi, leads: int) -> None:
    """Many leads, so that a query takes a while and reads many blocks."""
    bi.load(leads_of("mega", 1))
    with closing(connect_utc(bi.warehouse)) as connection:
        for table in ("leads", "lead_stage_history"):
            connection.execute(
                f"insert into normalized.{table} select {table}.* replace ('mega:' || n as lead_key,"  # noqa: S608
                f" n::varchar as lead_id) from normalized.{table}, range(1, ?) as numbers(n)",
                [leads],
            )


def stamped_candidates(bi: Bi, runs: list[str]) -> list[tuple[str, Path]]:
    """A tested candidate per run, put aside, so that publications follow each other quickly."""
    warehouse_of(bi, LEADS_PER_BUILD)
    candidates = []
    for run_id in runs:
        bi.build_loaded(run_id=run_id, stamp=run_id)
        candidates.append((run_id, bi.candidate.rename(bi.home / run_id)))
    return candidates


def publish_next(bi: Bi, candidates: list[tuple[str, Path]]) -> None:
    run_id, path = candidates.pop(0)
    path.rename(bi.candidate)
    bi.publish(run_id, PublishRules(retained_builds=1))


def test_reader_keeps_the_file_it_has_open_until_it_opens_again(tmp_path: Path) -> None:
    bi = Bi(tmp_path)
    bi.build_and_publish(leads_of("mega", 3), run_id="old")
    with closing(duckdb.connect(str(bi.published), read_only=True)) as reader:
        bi.build_and_publish(leads_of("mega", 4), run_id="new")
        assert runs_and_leads(reader) == [("old", 3)]
        with closing(duckdb.connect(str(bi.published), read_only=True)) as beside:
            # DuckDB shares one open file within a process: all of its connections have to close.
            assert runs_and_leads(beside) == [("old", 3)]
    with closing(duckdb.connect(str(bi.published), read_only=True)) as reader:
        assert runs_and_leads(reader) == [("new", 4)]


def runs_and_leads(connection: duckdb.DuckDBPyConnection) -> Sequence[object]:
    return connection.execute(
        "select any_value(run_id), (select count(*) from marts.leads) from meta.publish"
    ).fetchall()


HOLD_FOR_WRITING = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


def test_program_that_has_the_file_open_for_writing_holds_nothing_up(tmp_path: Path) -> None:
    bi = Bi(tmp_path)
    bi.build_and_publish(run_id="first")
    # As root, or as its owner, anybody can.
    bi.published.chmod(0o644)
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", HOLD_FOR_WRITING, str(bi.published)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        bi.build_and_publish(run_id="second")
        assert read(bi.published, "select distinct run_id from meta.publish") == [("second",)]
        writer.communicate("close\n", timeout=60)
