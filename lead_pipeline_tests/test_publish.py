"""What readers of `bi/leads.duckdb` are promised, without dbt: the marts are stand-ins."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lead_pipeline.candidate import connect_utc, mark_tested, prepare_candidate, wal_of
from lead_pipeline.errors import PublishError
from lead_pipeline.landing.coverage import AccountCoverage
from lead_pipeline.publish import publish
from lead_pipeline_tests.sample_warehouse import SAMPLE, SampleLead, write_warehouse

COVERAGE = [
    AccountCoverage("mega", "mega", None, datetime(2026, 1, 9, tzinfo=UTC)),
    AccountCoverage("quiet", "vorel", None, None, "Not read beyond a horizon."),
]


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    return tmp_path / "bi" / ".candidate" / "leads.duckdb"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return tmp_path / "bi" / "leads.duckdb"


def build(
    candidate: Path,
    leads: tuple[SampleLead, ...] = SAMPLE,
    *,
    run_id: str = "run",
    coverage: Sequence[AccountCoverage] = (),
) -> None:
    """A candidate as dbt leaves it, with marts that are as small as they can be."""
    warehouse = write_warehouse(candidate.parent.parent.parent / "warehouse.duckdb", leads)
    with closing(connect_utc(warehouse)) as connection:
        for account in coverage:
            connection.execute(
                "insert into normalized.coverage values (?, ?, ?, ?, ?)", list(astuple(account))
            )
    prepare_candidate(warehouse, candidate)
    with closing(connect_utc(candidate)) as connection:
        connection.execute("create schema staging; create schema marts")
        connection.execute("create view staging.stg_leads as from leads.normalized.leads")
        connection.execute("create view main.stray as select 1 as one")
        connection.execute("create table main.stray_table as select 1 as one")
        connection.execute("create table marts.leads as from staging.stg_leads")
        connection.execute(
            "create table marts.stage_funnel_daily as select date '2026-01-01' as date_day"
        )
    mark_tested(candidate, run_id=run_id, tests_passed=1)


def read(path: Path, query: str) -> list[Any]:
    with closing(connect_utc(path, read_only=True)) as connection:
        return connection.execute(query).fetchall()


def test_candidate_keeps_types_not_nulls_and_comments(tmp_path: Path, candidate: Path) -> None:
    warehouse = write_warehouse(tmp_path / "warehouse.duckdb")
    with closing(connect_utc(warehouse)) as connection:
        connection.execute("comment on column normalized.leads.email is 'The lead''s address'")
    prepare_candidate(warehouse, candidate)
    columns = (
        "select table_name, column_name, data_type, is_nullable, comment from duckdb_columns()"
        " where schema_name = 'normalized' and table_name in ('leads', 'lead_stage_history')"
        " order by table_name, column_index"
    )
    assert read(candidate, columns) == read(warehouse, columns)
    assert ("leads", "email", "VARCHAR", True, "The lead's address") in read(candidate, columns)
    tables = "select table_name, comment from duckdb_tables() where table_name = 'leads'"
    assert read(candidate, tables) == read(warehouse, tables)
    rows = "from normalized.lead_stage_history order by all"
    assert read(candidate, rows) == read(warehouse, rows)


def test_candidate_replaces_what_an_earlier_build_left(tmp_path: Path, candidate: Path) -> None:
    build(candidate)
    wal_of(candidate).write_bytes(b"left by a crash")
    prepare_candidate(tmp_path / "warehouse.duckdb", candidate)
    assert read(
        candidate, "select schema_name || '.' || table_name from duckdb_tables() order by all"
    ) == [
        ("internal.lead_versions",),
        ("internal.provider_stale_leads",),
        ("meta.coverage",),
        ("normalized.lead_stage_history",),
        ("normalized.leads",),
    ]


def test_candidate_is_copied_from_paths_with_quotes(tmp_path: Path) -> None:
    home = tmp_path / "o'hara"
    home.mkdir()
    prepare_candidate(write_warehouse(home / "warehouse.duckdb"), home / "leads.duckdb")
    assert read(home / "leads.duckdb", "select count(*) from normalized.leads") == [(4,)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "no warehouse"), (b"not a database", "cannot be opened"), (b"", "lacks normalized")],
)
def test_unusable_warehouse_is_refused_and_left_closed(
    tmp_path: Path, candidate: Path, content: bytes | None, problem: str
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    if content == b"":
        duckdb.connect(str(warehouse)).close()
    elif content is not None:
        warehouse.write_bytes(content)
    with pytest.raises(PublishError, match=problem):
        prepare_candidate(warehouse, candidate)
    write_warehouse(warehouse)  # Would fail if a connection were left open.


def test_published_file_holds_what_readers_are_promised_and_nothing_else(
    candidate: Path, published: Path
) -> None:
    build(candidate, coverage=COVERAGE)
    publication = publish(candidate, published, run_id="run")
    assert read(
        published,
        "select schema_name || '.' || table_name from duckdb_tables() union all"
        " select view_name from duckdb_views() where not internal order by all",
    ) == [
        ("marts.leads",),
        ("marts.stage_funnel_daily",),
        ("meta.build",),
        ("meta.coverage",),
        ("meta.publish",),
        ("meta.tables",),
        ("normalized.lead_stage_history",),
        ("normalized.leads",),
    ]
    assert publication.size_bytes == published.stat().st_size
    assert not candidate.exists()
    assert [path.name for path in published.parent.iterdir() if path.is_file()] == ["leads.duckdb"]


def test_meta_tells_accounts_coverage_and_rows(candidate: Path, published: Path) -> None:
    build(candidate, coverage=COVERAGE)
    publication = publish(candidate, published, run_id="run-7")
    assert read(
        published,
        "select account, provider, complete_from, complete_through, leads, note from meta.publish",
    ) == [
        ("mega", "mega", None, datetime(2026, 1, 9, tzinfo=UTC), 1, None),
        ("quiet", "vorel", None, None, 0, "Not read beyond a horizon."),
        ("vorel", "vorel", None, None, 3, None),
    ]
    assert read(
        published,
        "select distinct run_id, published_at, duckdb_storage_version from meta.publish",
    ) == [("run-7", publication.published_at, "v1.0.0+")]
    rows = read(published, "select schema_name || '.' || table_name, row_count from meta.tables")
    assert dict(rows) == publication.row_counts
    for name, count in rows:
        assert read(published, f"select count(*) from {name}") == [(count,)]  # noqa: S608
    assert read(published, "select comment from duckdb_columns() where schema_name = 'meta'"
                " and comment is null") == []  # fmt: skip


def test_publishing_without_coverage_still_lists_accounts(candidate: Path, published: Path) -> None:
    build(candidate)
    publish(candidate, published, run_id="run")
    assert read(published, "select account from meta.publish") == [("mega",), ("vorel",)]


def test_empty_build_replaces_nothing_but_an_empty_file(candidate: Path, published: Path) -> None:
    build(candidate, ())
    publish(candidate, published, run_id="first")
    build(candidate, ())
    publish(candidate, published, run_id="second")
    build(candidate)
    publish(candidate, published, run_id="third")
    before = published.read_bytes()
    build(candidate, ())
    with pytest.raises(PublishError, match=r"has no leads, .* has 4\. .*lead-pipeline rebuild"):
        publish(candidate, published, run_id="fourth")
    assert published.read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "missing"),
    [
        ("drop table marts.stage_funnel_daily", "marts.stage_funnel_daily"),
        ("drop schema marts cascade", "marts.leads"),
        ("drop table meta.build", "meta.build"),
    ],
)
def test_unfinished_or_untested_build_is_never_published(
    candidate: Path, published: Path, damage: str, missing: str
) -> None:
    build(candidate)
    publish(candidate, published, run_id="good")
    before = published.read_bytes()
    build(candidate)
    with closing(connect_utc(candidate)) as connection:
        connection.execute(damage)
    with pytest.raises(PublishError, match=f"lacks .*{missing}.*Run the dbt models again"):
        publish(candidate, published, run_id="bad")
    assert published.read_bytes() == before


def test_build_is_used_up_by_publishing_it(candidate: Path, published: Path) -> None:
    build(candidate, run_id="one")
    publish(candidate, published, run_id="one")
    with pytest.raises(PublishError, match="no build"):
        publish(candidate, published, run_id="two")


def test_run_whose_build_another_run_published_succeeds(candidate: Path, published: Path) -> None:
    build(candidate, coverage=COVERAGE, run_id="mine")
    other = publish(candidate, published, run_id="other")
    assert publish(candidate, published, run_id="mine") == other


def test_interrupted_publish_can_be_repeated(
    candidate: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(candidate, coverage=COVERAGE)

    def power_cut(descriptor: int) -> None:
        raise OSError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", power_cut)
        with pytest.raises(OSError, match="no power"):
            publish(candidate, published, run_id="run")
    assert not published.exists()
    publish(candidate, published, run_id="run")
    assert read(published, "select count(*) from meta.publish") == [(3,)]


def test_log_that_a_forbidden_writer_left_is_not_applied_to_the_new_file(
    candidate: Path, published: Path
) -> None:
    build(candidate)
    publish(candidate, published, run_id="run")
    with closing(connect_utc(published)) as writer:
        writer.execute("pragma disable_checkpoint_on_shutdown")
        writer.execute("create table main.scribble as select 1 as one")
    assert wal_of(published).exists()
    build(candidate)
    publish(candidate, published, run_id="run")
    assert (
        read(published, "select table_name from duckdb_tables() where schema_name = 'main'") == []
    )


HOLD_OPEN = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
count = "select count(*), (select any_value(run_id) from meta.publish) from marts.leads"
print(*connection.execute(count).fetchone(), flush=True)
sys.stdin.readline()
print(*connection.execute(count).fetchone(), flush=True)
connection.close()
print(*duckdb.connect(sys.argv[1], read_only=True).execute(count).fetchone(), flush=True)
"""


def test_reader_keeps_the_file_it_has_open(candidate: Path, published: Path) -> None:
    build(candidate)
    publish(candidate, published, run_id="old")
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", HOLD_OPEN, str(published)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "4 old\n"
        build(candidate, SAMPLE[:1])
        publish(candidate, published, run_id="new")
        rest, _ = reader.communicate("go on\n", timeout=60)
    assert rest == "4 old\n1 new\n"


OPEN_OFTEN = """
import duckdb, sys
print("ready", flush=True)
runs = set()
for _ in range(200):
    connection = duckdb.connect(sys.argv[1], read_only=True)
    rows, run = connection.execute(
        "select count(*), (select any_value(run_id) from meta.publish) from marts.leads"
    ).fetchone()
    assert rows == 4, rows
    runs.add(run)
    connection.close()
print(len(runs), flush=True)
"""


def test_reader_that_opens_again_and_again_never_meets_an_error(
    candidate: Path, published: Path
) -> None:
    build(candidate)
    publish(candidate, published, run_id="0")
    publishes = 1
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", OPEN_OFTEN, str(published)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        while reader.poll() is None:
            build(candidate)
            publish(candidate, published, run_id=str(publishes))
            publishes += 1
        output, errors = reader.communicate(timeout=60)
    assert (reader.returncode, errors) == (0, "")
    assert int(output) > 1, "no publish happened while the reader was at work"


OLDEST_READER = Path(
    os.environ.get(
        "OLDEST_READER_PYTHON",
        Path(__file__).parent.parent / ".venv-oldest-reader" / "bin" / "python",
    )
)
READ_ALL = """
import duckdb, sys
assert duckdb.__version__ == "1.0.0", duckdb.__version__
connection = duckdb.connect(sys.argv[1], read_only=True)
tables = connection.execute("select schema_name, table_name from meta.tables").fetchall()
for schema, table in tables:
    # As text, because fetching a TIMESTAMPTZ needs a package that the reader may lack.
    connection.execute(f"select columns(*)::varchar from {schema}.{table}").fetchall()
print(connection.execute(
    "select custom_fields->>'$.a', created_at::varchar, (select count(comment) > 0"
    " from duckdb_columns()) from marts.leads where lead_key = 'vorel:1'"
).fetchone())
"""


@pytest.mark.skipif(
    not OLDEST_READER.exists(),
    reason=f"no Python with DuckDB 1.0.0 at {OLDEST_READER}; set OLDEST_READER_PYTHON",
)
def test_oldest_promised_reader_reads_every_table(candidate: Path, published: Path) -> None:
    build(candidate, coverage=COVERAGE)
    publish(candidate, published, run_id="run")
    assert read_with_oldest(published) == "('1', '2026-01-01 12:00:00+00', True)\n"


def read_with_oldest(published: Path) -> str:
    """What DuckDB 1.0.0 says of one lead, after it has read every table."""
    result = subprocess.run(  # noqa: S603
        [str(OLDEST_READER), "-c", READ_ALL, str(published)],
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
