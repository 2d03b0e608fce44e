"""The published file is read by every client that it promises, while it is being replaced."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import yaml

from lead_pipeline.bi.dbt_project import PROJECT_DIR
from lead_pipeline.landing.coverage import AccountCoverage
from lead_pipeline_tests.bi.publications import (
    FIGURES,
    PATIENCE_SECONDS,
    PUBLICATIONS,
    KnownBuild,
    known_builds,
    publish_while_asking,
)
from lead_pipeline_tests.bi.readers import CLIENTS_BY_NAME
from lead_pipeline_tests.sample_builds import Bi, leads_of, read

COVERAGE = (AccountCoverage("mega", "mega", None, datetime(2026, 1, 9, tzinfo=UTC), "O'Hara's"),)
MANY_PUBLICATIONS = 20
GROUPS = (
    ("oldest Python", "SQLAlchemy 1.4", "command line", "Node"),
    ("pandas", "polars", "ibis", "SQLAlchemy"),
    ("Evidence", "DuckDB-Wasm"),
)
"""As many as two cores serve at once."""
ALL_AT_ONCE = tuple(name for group in GROUPS for name in group)


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
    # ibis guesses the name of a column that has none, and may guess wrong.
    return f"select string_agg(name || '=' || content, ' ' order by name) as answer from ({rows})"  # noqa: S608


@pytest.mark.parametrize("name", CLIENTS_BY_NAME)
def test_every_promised_client_reads_every_value_and_every_comment(
    published: Path, name: str
) -> None:
    client = CLIENTS_BY_NAME[name]
    client.skip_where_missing()
    query = everything_in(published)
    assert client.ask(published, query) == read(published, query)[0][0]


MOMENT, DAY, LEADS = "2026-01-01 12:00:00+00:00", "2026-01-02", "4"
AS_TEXT, PARSED = '{"a": 1}', "{'a': 1}"
SHOWN = {
    "own Python": (MOMENT, DAY, AS_TEXT, LEADS),
    "newest Python": (MOMENT, DAY, AS_TEXT, LEADS),
    "pandas": (MOMENT, f"{DAY} 00:00:00", AS_TEXT, LEADS),
    "polars": (MOMENT, DAY, AS_TEXT, LEADS),
    "ibis": (MOMENT, f"{DAY} 00:00:00", PARSED, LEADS),
    "SQLAlchemy": (MOMENT, DAY, PARSED, LEADS),
    "SQLAlchemy 1.4": (MOMENT, DAY, PARSED, LEADS),
    "command line": ("2026-01-01 12:00:00+00", DAY, AS_TEXT, LEADS),
    "Node": ("2026-01-01 12:00:00+00", DAY, AS_TEXT, LEADS),
    # A day is its midnight in UTC.
    "Evidence": ("2026-01-01T12:00:00.000Z", f"{DAY}T00:00:00.000Z", AS_TEXT, LEADS),
    # Milliseconds since 1970.
    "DuckDB-Wasm": ("1767268800000", "1767312000000", AS_TEXT, LEADS),
}
"""What a moment, a day, JSON and a count are for the programs of a client."""
ASKED = """
select min(created_at) as moment, date '2026-01-02' as day,
    any_value(custom_fields) as fields, count(*) as leads
from normalized.leads
"""


@pytest.mark.parametrize("name", SHOWN)
def test_moments_days_json_and_counts_are_what_the_documentation_says(
    published: Path, name: str
) -> None:
    client = CLIENTS_BY_NAME[name]
    client.skip_where_missing()
    shown = client.ask(published, ASKED)
    assert tuple(shown.split("\t")) == SHOWN[name]


def test_python_before_duckdb_2_0_1_needs_pytz_for_moments_and_says_so(
    published: Path,
) -> None:
    client = CLIENTS_BY_NAME["oldest Python"]
    client.skip_where_missing()
    with pytest.raises(AssertionError, match="No module named 'pytz'"):
        client.ask(published, ASKED)


def test_tables_have_only_types_that_every_client_shows(published: Path) -> None:
    """No HUGEINT, which becomes a float in pandas, no DECIMAL, no ENUM, no lists."""
    of_marts = {
        column["data_type"]
        for path in (PROJECT_DIR / "models" / "marts").glob("*.yml")
        for model in yaml.safe_load(path.read_text("utf-8")).get("models", ())
        for column in model["columns"]
    }
    of_file = {
        data_type.lower()
        for (data_type,) in read(
            published, "select distinct data_type from duckdb_columns() where not internal"
        )
    }
    assert of_marts | of_file == {
        "bigint",
        "boolean",
        "date",
        "double",
        "integer",
        "json",
        "timestamp with time zone",
        "varchar",
    }


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> list[KnownBuild]:
    return known_builds(tmp_path_factory.mktemp("builds"), PUBLICATIONS + 1)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(
            names, id=", ".join(names), marks=() if names == GROUPS[-1] else pytest.mark.long
        )
        for names in GROUPS
    ],
)
def test_clients_that_ask_all_the_time_show_the_figures_of_one_build_and_then_of_the_last(
    tmp_path: Path, builds: list[KnownBuild], names: Sequence[str]
) -> None:
    see_publications(tmp_path, builds, names)


@pytest.mark.long
def test_many_publications_and_all_clients_at_once(tmp_path: Path) -> None:
    see_publications(tmp_path, known_builds(tmp_path, MANY_PUBLICATIONS + 1), ALL_AT_ONCE)


def see_publications(folder: Path, builds: Sequence[KnownBuild], names: Sequence[str]) -> None:
    """Every answer is that of one build, none of an earlier one than before, the last of the last."""
    clients = [CLIENTS_BY_NAME[name] for name in names if CLIENTS_BY_NAME[name].is_there]
    if not clients:
        pytest.skip(f"none of {', '.join(names)} is installed: run make test-clients")
    bi = Bi(folder)
    stop = folder / "stop"
    builds[0].publish(bi)
    asking = [client.start(bi.published, FIGURES, stop, folder / client.name) for client in clients]
    try:
        publish_while_asking(bi, builds, asking)
    finally:
        stop.touch()
        for one in asking:
            one.process.wait(timeout=PATIENCE_SECONDS)
    published = [build.figures for build in builds]
    for one in asking:
        seen = one.end()
        assert set(seen) <= set(published), f"{one.name} saw a mixed build"
        assert seen == sorted(seen), f"{one.name} saw an earlier build again"
        assert (seen[0], seen[-1]) == (published[0], published[-1]), one.name


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
