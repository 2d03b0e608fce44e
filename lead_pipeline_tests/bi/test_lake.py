"""The lake: each publication one snapshot of whole tables, which readers may go back to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import duckdb
import pytest
from pydantic import SecretStr

from lead_pipeline.bi import lake as lakes
from lead_pipeline.bi import lake_upkeep
from lead_pipeline.bi.builds import read_build
from lead_pipeline.bi.gate import PublishRules
from lead_pipeline.bi.lake import FOLDER
from lead_pipeline.bi.lake_upkeep import forget_erased, publish_to_lake
from lead_pipeline.bi.retained_builds import name_of
from lead_pipeline.bi.rollback import roll_back
from lead_pipeline.errors import (
    ConfigurationError,
    ErasureIncomplete,
    LakeError,
    StoreUnavailable,
)
from lead_pipeline.landing.tombstones import Erased, Tombstone, lead_hash
from lead_pipeline.storage.duckdb_files import attach, connect_utc
from lead_pipeline.storage.erasure_key import ErasureKey
from lead_pipeline_tests.bi.lakes import SampleLake
from lead_pipeline_tests.commands import environment
from lead_pipeline_tests.deploy.database import PASSWORD, Database, free_port
from lead_pipeline_tests.pulling import at
from lead_pipeline_tests.sample_builds import MASK, Bi, leads_of

REPOSITORY = Path(__file__).parents[2]
RULES = PublishRules(allow_row_count_drop=True)
MASKED = PublishRules(allow_row_count_drop=True, masking_key_id=MASK.key_id)


@pytest.fixture
def lake(database: Database, tmp_path: Path) -> SampleLake:
    """A lake whose files are in a folder."""
    return SampleLake(Bi(tmp_path / "home"), database.another(), str(tmp_path / "files of it"))


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.long)])
def any_lake(request: pytest.FixtureRequest, lake: SampleLake) -> SampleLake:
    """A lake whose files are in a folder, and one whose files are in S3."""
    if request.param == "folder":
        return lake
    return replace(lake, data=request.getfixturevalue("shared"))


def publish(lake: SampleLake, day: int, leads: int) -> str:
    """Publish a build with so many leads, and write it into the lake; returns its name."""
    lake.bi.build_and_publish(
        leads_of("mega", leads), run_id=f"run {day}", rules=RULES, published_at=at(day)
    )
    lake.write()
    return build_of(lake)


def build_of(lake: SampleLake) -> str:
    build = read_build(lake.bi.published)
    assert build is not None
    return name_of(build)


def test_publication_is_one_snapshot_of_whole_tables(any_lake: SampleLake) -> None:
    build = publish(any_lake, 5, 3)

    assert any_lake.builds() == [build]
    with any_lake.reader() as connection:
        attach(connection, any_lake.bi.published, "published", options="read_only")
        # A view of the file is a table of the lake.
        tables = (
            "select table_schema, table_name from information_schema.tables where table_catalog = ?"
        )
        in_lake, in_file = (
            sorted(connection.execute(tables, [name]).fetchall()) for name in ("lake", "published")
        )
        assert in_lake == in_file
        for schema, table in in_file:
            both = (
                f"(from published.{schema}.{table} except all from lake.{schema}.{table}) union all "
                f"(from lake.{schema}.{table} except all from published.{schema}.{table})"
            )
            assert connection.execute(both).fetchall() == []


def test_yesterdays_figures_can_be_asked_for_while_todays_are_published(
    any_lake: SampleLake,
) -> None:
    publish(any_lake, 5, 3)
    publish(any_lake, 6, 4)
    count = "select count(*) from lake.normalized.leads"
    numbers = "select snapshot_id from ducklake_snapshots('lake') where commit_message is not null"
    with any_lake.reader() as connection:
        yesterday, today = (n for (n,) in connection.execute(numbers).fetchall())
        versions = [f"{count} at (version => {number})" for number in (yesterday, today)]
        assert [connection.execute(query).fetchall() for query in versions] == [[(3,)], [(4,)]]
        assert connection.execute(count).fetchall() == [(4,)]


def test_build_that_is_the_newest_already_makes_no_second_snapshot(lake: SampleLake) -> None:
    build = publish(lake, 5, 3)
    lake.write()

    assert lake.builds() == [build]


@pytest.mark.long
def test_readers_of_the_lake_follow_a_rollback(lake: SampleLake) -> None:
    first = publish(lake, 5, 3)
    second = publish(lake, 6, 4)
    roll_back(lake.bi.published, to=None, masking_key_id=None)
    lake.write()

    assert lake.builds() == [first, second, first]
    assert lake.read("select count(*) from lake.normalized.leads") == [(3,)]


@pytest.mark.long
def test_columns_and_tables_of_marts_may_change_from_build_to_build(lake: SampleLake) -> None:
    publish(lake, 5, 3)
    lake.bi.build(leads_of("mega", 3), run_id="changed")
    with closing(connect_utc(lake.bi.candidate)) as connection:
        connection.execute("create table marts.new as select 'some' as words, [1, 2] as numbers")
        connection.execute(
            "create or replace table marts.lead_facts as select *, 1::double as score_now from marts.lead_facts"
        )
        connection.execute("alter table marts.people alter column one type varchar")
    lake.bi.publish("changed", RULES, at(6))
    lake.write()
    publish(lake, 7, 3)

    assert "new" not in {
        table
        for (table,) in lake.read(
            "select table_name from duckdb_tables() where database_name = 'lake'"
        )
    }
    [(middle,)] = lake.read(
        "select snapshot_id from ducklake_snapshots('lake') where commit_message like '%changed'"
    )

    def changed(query: str) -> list[object]:
        return lake.read(f"{query} at (version => {middle})")

    assert changed("from lake.marts.new") == [("some", [1, 2])]
    assert changed("select distinct score_now from lake.marts.lead_facts") == [(1.0,)]
    assert changed("select one from lake.marts.people") == [("1",)]
    assert lake.read("select one from lake.marts.people") == [(1,)]


def test_no_row_is_in_the_catalog(lake: SampleLake) -> None:
    publish(lake, 5, 3)

    assert lake.catalog.rows(
        "select count(*) from lead_pipeline_lake.ducklake_inlined_data_tables"
    ) == [(0,)]


@pytest.mark.long
def test_older_snapshots_go_and_their_files_a_day_later(
    lake: SampleLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(lake, lake_builds=2)
    builds = [publish(small, day, day) for day in range(5, 10)]

    assert small.builds() == builds[-2:]
    stay = len(small.files())
    monkeypatch.setattr(lake_upkeep, "READERS_HOURS", 0)
    small.write()
    assert len(small.files()) < stay
    assert small.read("select count(*) from lake.normalized.leads") == [(9,)]


@pytest.mark.long
def test_reader_whose_query_began_before_notices_nothing(lake: SampleLake) -> None:
    small = replace(lake, lake_builds=1)
    publish(small, 5, 3)
    with small.reader() as connection:
        connection.execute("begin")
        count = "select count(*), count(distinct lead_key) from lake.normalized.leads"
        before = connection.execute(count).fetchall()
        for day in range(6, 10):
            publish(small, day, day)
            assert connection.execute(count).fetchall() == before == [(3, 3)]
        connection.execute("commit")
        assert connection.execute(count).fetchall() == [(9, 9)]


def test_lake_is_masked_as_the_file_and_forgets_what_was_not(lake: SampleLake) -> None:
    publish(lake, 5, 3)
    assert ",Ada," in lake.catalog_text()
    lake.bi.build(leads_of("mega", 3), run_id="masked", mask=MASK)
    lake.bi.publish("masked", MASKED, at(6))
    lake.write()

    assert lake.builds() == [build_of(lake)]
    assert lake.read("select count(*) from lake.normalized.leads where full_name = 'Ada'") == [(0,)]
    assert ",Ada," not in lake.catalog_text()
    assert [path for path in lake.files() if b"'Ada'" in plain(path)] == []


def plain(path: Path) -> bytes:
    """What a file of the lake holds, uncompressed."""
    return str(duckdb.sql(f"from read_parquet('{path}')").fetchall()).encode()


WRITE = """
import sys
from lead_pipeline.bi.lake_upkeep import publish_to_lake
from lead_pipeline.settings import load_settings
print("ready", flush=True)
sys.stdin.readline()
publish_to_lake(load_settings(), lambda sentence: None)
"""


def writing(lake: SampleLake) -> subprocess.Popen[str]:
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", WRITE],
        cwd=REPOSITORY,
        env=environment(lake.bi.home, {"LEAD_PIPELINE_LAKE": lake.url}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.long
def test_two_publishers_at_once_make_two_whole_snapshots(lake: SampleLake, tmp_path: Path) -> None:
    homes = [replace(lake, bi=Bi(tmp_path / name)) for name in ("one", "another")]
    for number, home in enumerate(homes, start=1):
        home.bi.build_and_publish(leads_of("mega", number), run_id=f"run {number}", rules=RULES)
    with writing(homes[0]) as first, writing(homes[1]) as second:
        for process in (first, second):
            process.communicate("write\n", timeout=60)
        assert (first.returncode, second.returncode) == (0, 0)

    assert sorted(map(str, lake.builds())) == sorted(build_of(home) for home in homes)
    counts = "select count(*) from lake.{}.leads"
    assert lake.read(counts.format("marts")) == lake.read(counts.format("normalized"))


@pytest.mark.long
def test_writer_that_is_killed_leaves_the_snapshot_before_and_nothing_in_the_way(
    lake: SampleLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after each of its statements in turn, until it is not killed any more."""
    first = publish(lake, 5, 3)
    lake.bi.build_and_publish(leads_of("mega", 4), run_id="killed", rules=RULES, published_at=at(6))
    statements, killed = 4, 0
    while True:
        child = os.fork()
        if child == 0:
            dies_after(statements)
            publish_to_lake(lake.settings, lambda sentence: None)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
        killed += 1
        # The one before, or from its commit on the new one: either is whole.
        builds = lake.builds()
        assert builds in ([first], [first, build_of(lake)])
        counts = lake.read(
            "select count(*) from lake.marts.lead_facts union all select count(*) from lake.normalized.leads"
        )
        assert counts == [(3 if builds == [first] else 4,)] * 2
        statements += 7
    assert killed > 3
    assert lake.builds() == [first, build_of(lake)]
    left = len(lake.files())
    # What they have written is in no snapshot, and goes when nobody can be about to name it.
    monkeypatch.setattr(lake_upkeep, "READERS_HOURS", 0)
    lake.write()
    assert len(lake.files()) < left
    assert lake.read("select count(*) from lake.marts.lead_facts") == [(4,)]


def dies_after(statements: int) -> None:
    """Let this process be killed after so many statements to the lake."""

    class Dying:
        def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
            self._connection = connection
            self._left = statements

        def execute(self, *arguments: object) -> duckdb.DuckDBPyConnection:
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self._left -= 1
            return self._connection.execute(*arguments)  # type: ignore[arg-type]

        def close(self) -> None:
            self._connection.close()

        def rollback(self) -> None:
            self._connection.rollback()

    patch.object(lakes, "connect_utc", lambda path: Dying(connect_utc(path))).start()


def erased_lead(lead_id: str) -> dict[str, Erased]:
    key = ErasureKey.of("a" * 64)
    stone = Tombstone(erased_at=at(8), key_id=key.key_id, leads=[])
    return {"mega": Erased("mega", key, {lead_hash(key, "mega", lead_id): stone}, {}, "US")}


def test_nothing_of_an_erased_person_is_left(lake: SampleLake) -> None:
    publish(lake, 5, 2)
    publish(lake, 6, 3)
    key = "mega:2"
    assert key in lake.catalog_text()
    clean = publish(lake, 7, 2)
    # As a process leaves them that is killed before it could commit.
    orphan = lake.files()[0].with_name("orphan.parquet")
    duckdb.sql(f"copy (select '{key}' as lead_key) to '{orphan}'")
    removed = forget_erased(lake.settings, erased_lead("2"), lambda sentence: None)

    assert len(removed) == 1
    assert "run 6"[:3] in removed[0]
    assert lake.builds()[-1] == clean
    assert len(lake.builds()) == 2
    assert key not in lake.catalog_text()
    assert [path for path in lake.files() if key.encode() in plain(path)] == []


def test_erasure_is_incomplete_while_the_newest_snapshot_holds_the_person(lake: SampleLake) -> None:
    publish(lake, 6, 3)
    with pytest.raises(ErasureIncomplete, match="lead-pipeline publish"):
        forget_erased(lake.settings, erased_lead("2"), lambda sentence: None)


def test_catalog_that_does_not_answer_is_named_and_the_file_stays(
    lake: SampleLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.bi.build_and_publish(leads_of("mega", 3), rules=RULES)
    monkeypatch.setattr("lead_pipeline.storage.team.postgres._PAUSE_SECONDS", 0)
    gone = replace(lake, catalog=replace(lake.catalog, port=free_port()))
    with pytest.raises(StoreUnavailable, match=r"LEAD_PIPELINE_LAKE\) does not answer") as raised:
        gone.write()

    assert PASSWORD not in str(raised.value)
    assert lake.bi.published.exists()


def test_files_that_cannot_be_written_are_said_and_the_snapshot_before_stays(
    any_lake: SampleLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(any_lake, 5, 3)
    any_lake.bi.build_and_publish(
        leads_of("mega", 4), run_id="second", rules=RULES, published_at=at(6)
    )
    with monkeypatch.context() as broken:
        if any_lake.data.startswith("s3://"):
            broken.setenv("AWS_SECRET_ACCESS_KEY", "another")
        else:
            folder = Path(any_lake.data, FOLDER)
            folder.rename(folder.with_name("aside"))
            folder.write_text("in the way")
        with pytest.raises((LakeError, ConfigurationError)) as raised:
            any_lake.write()
        if not any_lake.data.startswith("s3://"):
            folder.unlink()
            folder.with_name("aside").rename(folder)
    assert PASSWORD not in str(raised.value)
    assert any_lake.builds() == [first]
    any_lake.write()
    assert len(any_lake.builds()) == 2


def test_extension_of_another_version_is_named_with_the_command_that_mends_it(
    lake: SampleLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.bi.build_and_publish(leads_of("mega", 3), rules=RULES)
    monkeypatch.setattr("lead_pipeline.storage.extensions.duckdb.__version__", "1.5.99")
    with pytest.raises(
        ConfigurationError, match=r'installed are DuckDB 1\.5\.99 .*pip install "duckdb=='
    ):
        lake.write()


@pytest.mark.parametrize(
    "place", ["", "?data=", "?data=relative/folder", "?data=gs://bucket/lake", "?data=/a&data=/b"]
)
def test_lake_without_a_place_for_its_files_is_no_lake(lake: SampleLake, place: str) -> None:
    url = lake.catalog.url + place
    with pytest.raises(ConfigurationError, match="where the files of the lake are") as raised:
        publish_to_lake(lake.settings.model_copy(update={"lake": SecretStr(url)}), print)

    assert PASSWORD not in str(raised.value)
