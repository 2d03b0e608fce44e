"""What readers of `bi/leads.duckdb` are promised, without dbt: the marts are stand-ins."""

from __future__ import annotations

import errno
import os
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from lead_pipeline.bi.candidate import finished_path, prepare_candidate
from lead_pipeline.bi.gate import REQUIRED_TABLES, PublishRules
from lead_pipeline.bi.rollback import roll_back
from lead_pipeline.bi.snapshot import keep_snapshot
from lead_pipeline.errors import PublishError
from lead_pipeline.landing.coverage import AccountCoverage
from lead_pipeline.report.pages import write_pages
from lead_pipeline.storage.duckdb_files import connect_utc, spill_of, wal_of
from lead_pipeline.storage.files import temporary_of
from lead_pipeline.storage.permissions import Readers
from lead_pipeline.storage.publication import REPORT
from lead_pipeline_tests.sample_builds import Bi, leads_of, read, run_of
from lead_pipeline_tests.sample_warehouse import write_warehouse

COVERAGE = [
    AccountCoverage("mega", "mega", None, datetime(2026, 1, 9, tzinfo=UTC)),
    AccountCoverage("quiet", "vorel", None, None, "Not read beyond a horizon."),
]


@pytest.fixture
def bi(tmp_path: Path) -> Bi:
    return Bi(tmp_path)


def test_candidate_keeps_types_not_nulls_and_comments(bi: Bi) -> None:
    warehouse = write_warehouse(bi.warehouse)
    with closing(connect_utc(warehouse)) as connection:
        connection.execute("comment on column normalized.leads.email is 'The lead''s address'")
    prepare_candidate(warehouse, bi.candidate)
    columns = (
        "select table_name, column_name, data_type, is_nullable, comment from duckdb_columns()"
        " where schema_name = 'normalized' and table_name in ('leads', 'lead_stage_history')"
        " order by table_name, column_index"
    )
    assert read(bi.candidate, columns) == read(warehouse, columns)
    assert ("leads", "email", "VARCHAR", True, "The lead's address") in read(bi.candidate, columns)
    tables = "select table_name, comment from duckdb_tables() where table_name = 'leads'"
    assert read(bi.candidate, tables) == read(warehouse, tables)
    rows = "from normalized.lead_stage_history order by all"
    assert read(bi.candidate, rows) == read(warehouse, rows)


@pytest.mark.parametrize("of", ["the note", "the snapshot", "the page"])
def test_what_a_killed_run_left_unfinished_goes_with_the_next_build(bi: Bi, of: str) -> None:
    bi.build_and_publish()
    snapshot, page = bi.published.parent / ".sources" / "leads.duckdb", bi.published.parent / REPORT
    note = bi.candidate.parent / ".first.tested"
    left = temporary_of({"the note": note, "the snapshot": snapshot, "the page": page}[of])
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half of it")

    prepare_candidate(bi.warehouse, bi.candidate)
    keep_snapshot(bi.candidate, snapshot)
    with suppress(PublishError):  # The marts are stand-ins; what was left goes first.
        write_pages(bi.published)

    assert not left.exists()


def test_candidate_replaces_what_an_earlier_build_left(bi: Bi) -> None:
    bi.build()
    wal_of(bi.candidate).write_bytes(b"left by a crash")
    prepare_candidate(bi.warehouse, bi.candidate)
    assert read(
        bi.candidate, "select schema_name || '.' || table_name from duckdb_tables() order by all"
    ) == [
        ("internal.canonical_stages",),
        ("internal.lead_versions",),
        ("internal.mapped_stages",),
        ("internal.observed_changes",),
        ("internal.provider_stale_leads",),
        ("internal.stages",),
        ("internal.unobserved_changes",),
        ("internal.watches",),
        ("internal.working_time",),
        ("meta.calendar",),
        ("meta.coverage",),
        ("meta.masking",),
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
    bi: Bi, content: bytes | None, problem: str
) -> None:
    warehouse = bi.warehouse
    if content == b"":
        duckdb.connect(str(warehouse)).close()
    elif content is not None:
        warehouse.write_bytes(content)
    with pytest.raises(PublishError, match=problem):
        prepare_candidate(warehouse, bi.candidate)
    write_warehouse(warehouse)  # Would fail if a connection were left open.


def test_published_file_holds_what_readers_are_promised_and_nothing_else(bi: Bi) -> None:
    bi.build(coverage=COVERAGE)
    publication = bi.publish("run")
    assert read(
        bi.published,
        "select schema_name || '.' || table_name from duckdb_tables() union all"
        " select schema_name || '.' || view_name from duckdb_views() where not internal order by all",
    ) == sorted(
        (table,)
        for table in (
            *REQUIRED_TABLES,
            "marts.lead_stage_history",
            "marts.leads",
            "meta.deprecations",
            "meta.publish",
            "meta.tables",
        )
    )
    assert publication.size_bytes == bi.published.stat().st_size
    assert not bi.candidate.exists()
    assert [path.name for path in bi.published.parent.iterdir() if path.is_file()] == [
        "leads.duckdb"
    ]


def test_views_are_found_under_any_name_that_a_reader_attaches_the_file_by(bi: Bi) -> None:
    bi.build()
    bi.publish()

    with duckdb.connect() as connection:
        connection.execute(f"attach '{bi.published}' as someones (read_only)")
        rows = connection.execute("from someones.marts.lead_daily_history").fetchall()
        listed = connection.execute(
            "select row_count, description from someones.meta.tables"
            " where table_name = 'lead_daily_history'"
        ).fetchall()

    assert rows == [(1,)]
    assert listed == [(1, "A stand-in of a view.")]


def test_names_are_unique_across_schemas_but_for_those_that_are_announced_to_go(bi: Bi) -> None:
    bi.build()
    bi.publish()
    twice = read(
        bi.published,
        "select table_name from (select table_name, schema_name from duckdb_tables() union all"
        " select view_name, schema_name from duckdb_views() where not internal)"
        " group by table_name having count(*) > 1 order by all",
    )
    gone = "select table_name from meta.deprecations where column_name is null"
    assert twice == read(bi.published, f"{gone} and schema_name = 'marts' order by all")
    assert twice == [("lead_stage_history",), ("leads",)]


def test_deprecated_names_can_be_read_whatever_the_file_is_called_or_attached_as(bi: Bi) -> None:
    bi.build()
    bi.publish()
    renamed = bi.published.rename(bi.published.with_name("crm.duckdb"))
    assert read(renamed, "select count(*) from marts.leads") == [(4,)]
    with closing(duckdb.connect()) as connection:
        connection.execute(f"attach '{renamed}' as other (read_only)")
        counts = connection.execute(
            "select (select count(*) from other.marts.leads),"
            " (select count(*) from other.marts.lead_stage_history)"
        ).fetchall()
    assert counts == [(4, 7)]


def test_what_goes_is_announced_only_where_it_is(bi: Bi) -> None:
    bi.build()
    with closing(connect_utc(bi.candidate)) as connection:
        connection.execute("drop view marts.lead_stage_history")
    bi.publish()
    assert read(bi.published, "select table_name from meta.deprecations") == [("leads",)]


def test_build_of_an_earlier_version_is_compared_by_the_names_of_then(bi: Bi) -> None:
    bi.build_and_publish(leads_of("mega", 10), run_id="earlier")
    bi.published.chmod(0o644)
    with closing(connect_utc(bi.published)) as connection:
        connection.execute("drop view marts.leads; alter table marts.lead_facts rename to leads")
    with pytest.raises(PublishError, match="would take leads away"):
        bi.build_and_publish(leads_of("mega", 5), run_id="later")
    bi.build_and_publish(leads_of("mega", 10), run_id="later")
    assert len(bi.kept) == 1


def test_meta_tells_accounts_coverage_and_rows(bi: Bi) -> None:
    bi.build(coverage=COVERAGE)
    publication = bi.publish("run-7")
    assert read(
        bi.published,
        "select account, provider, complete_from, complete_through, leads, note from meta.publish",
    ) == [
        ("mega", "mega", None, datetime(2026, 1, 9, tzinfo=UTC), 1, None),
        ("quiet", "vorel", None, None, 0, "Not read beyond a horizon."),
        ("vorel", "vorel", None, None, 3, None),
    ]
    assert read(
        bi.published,
        "select distinct run_id, published_at, duckdb_storage_version from meta.publish",
    ) == [("run-7", publication.published_at, "v1.0.0+")]
    rows = read(bi.published, "select schema_name || '.' || table_name, row_count from meta.tables")
    assert dict(rows) == publication.row_counts
    for name, count in rows:
        assert read(bi.published, f"select count(*) from {name}") == [(count,)]  # noqa: S608
    assert read(bi.published, "select comment from duckdb_columns() where schema_name = 'meta'"
                " and comment is null") == []  # fmt: skip


def test_publishing_without_coverage_still_lists_accounts(bi: Bi) -> None:
    bi.build()
    bi.publish("run")
    assert read(bi.published, "select account from meta.publish") == [("mega",), ("vorel",)]


@pytest.mark.parametrize(
    ("damage", "missing"),
    [
        ("drop table marts.stage_funnel_daily", "marts.stage_funnel_daily"),
        ("drop schema marts cascade", "marts.lead_facts"),
        ("drop table meta.build", "meta.build"),
    ],
)
def test_unfinished_or_untested_build_is_never_published(bi: Bi, damage: str, missing: str) -> None:
    bi.build()
    bi.publish("good")
    before = bi.published.read_bytes()
    bi.build()
    with closing(connect_utc(bi.candidate)) as connection:
        connection.execute(damage)
    with pytest.raises(PublishError, match=f"lacks .*{missing}.*Run the dbt models again"):
        bi.publish("bad")
    assert bi.published.read_bytes() == before


def test_build_is_used_up_by_publishing_it(bi: Bi) -> None:
    bi.build(run_id="one")
    bi.publish("one")
    with pytest.raises(PublishError, match="no build"):
        bi.publish("two")


def test_run_whose_build_another_run_published_succeeds(bi: Bi) -> None:
    bi.build(coverage=COVERAGE, run_id="mine")
    other = bi.publish("other")
    assert bi.publish("mine") == other


def test_run_whose_build_was_replaced_by_a_newer_published_one_succeeds(bi: Bi) -> None:
    for run_id in ("first", "second", "third"):
        bi.build(coverage=COVERAGE, run_id=run_id)
    newest = bi.publish("first")
    assert [bi.publish("second"), bi.publish("third")] == [newest, newest]
    assert read(bi.published, "select run_id from meta.build") == [("third",)]


def test_run_whose_build_is_gone_and_newer_than_the_published_one_fails(bi: Bi) -> None:
    bi.build_and_publish(run_id="old")
    bi.build(run_id="mine")
    bi.candidate.unlink()
    with pytest.raises(PublishError, match="There is no build"):
        bi.publish("mine")


def test_run_that_made_no_build_does_not_take_what_readers_have_for_its_own(bi: Bi) -> None:
    bi.build_and_publish(run_id="other")
    with pytest.raises(PublishError, match="There is no build"):
        bi.publish("mine")


def test_notes_of_tested_builds_do_not_pile_up(bi: Bi) -> None:
    bi.build(run_id="killed")
    note = bi.candidate.with_name("killed.tested")
    os.utime(note, (0, 0))
    bi.build_and_publish(run_id="next")
    assert list(bi.candidate.parent.iterdir()) == []


def test_interrupted_publish_can_be_repeated(bi: Bi, monkeypatch: pytest.MonkeyPatch) -> None:
    bi.build(coverage=COVERAGE)

    def power_cut(descriptor: int) -> None:
        raise OSError(errno.EIO, "no power")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", power_cut)
        with pytest.raises(PublishError, match=r"no power.*lead-pipeline publish"):
            bi.publish("run")
    assert not bi.published.exists()
    bi.publish("run")
    assert read(bi.published, "select count(*) from meta.publish") == [(3,)]


def test_copy_that_a_killed_publication_left_is_replaced(bi: Bi) -> None:
    bi.build()
    unfinished = finished_path(bi.candidate)
    spill_of(unfinished).mkdir()
    for path in (unfinished, wal_of(unfinished), spill_of(unfinished) / "spilled"):
        path.write_bytes(b"left by a kill")
    bi.publish("run")
    assert run_of(bi.published) == "run"
    assert list(bi.candidate.parent.iterdir()) == []


def test_published_file_is_a_copy_without_any_block_that_tables_left(bi: Bi) -> None:
    bi.build()
    with closing(connect_utc(bi.candidate)) as connection:
        connection.execute(
            "create table staging.big as select md5(range::varchar) as text from range(200000);"
            " checkpoint"
        )
    bi.publish("run")
    assert read(bi.published, "select free_blocks from pragma_database_size()") == [(0,)]
    assert bi.published.stat().st_size < 5_000_000


def test_copy_that_the_disk_refuses_leaves_the_build_to_be_published_again(
    bi: Bi, monkeypatch: pytest.MonkeyPatch
) -> None:
    bi.build()

    def full(temporary: Path, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lead_pipeline.storage.publication.replace_atomically", full)
        with pytest.raises(PublishError, match="No space left on device"):
            bi.publish("run")
    left = {path.name for path in bi.candidate.parent.iterdir()}
    assert left == {bi.candidate.name, "run.tested"}
    bi.publish("run")
    assert run_of(bi.published) == "run"


def test_log_that_a_forbidden_writer_left_is_not_applied_to_the_new_file(bi: Bi) -> None:
    bi.build()
    bi.publish("run")
    bi.published.chmod(0o644)
    with closing(connect_utc(bi.published)) as writer:
        writer.execute("pragma disable_checkpoint_on_shutdown")
        writer.execute("create table main.scribble as select 1 as one")
    assert wal_of(bi.published).exists()
    bi.build()
    bi.publish("run")
    assert (
        read(bi.published, "select table_name from duckdb_tables() where schema_name = 'main'")
        == []
    )


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_published_file_is_read_by_its_user_alone_and_written_by_nobody(bi: Bi, umask: int) -> None:
    before = os.umask(umask)
    try:
        bi.build_and_publish(run_id="first")
        bi.build_and_publish(run_id="second")
    finally:
        os.umask(before)
    assert [mode_of(path) for path in (bi.published, *bi.kept)] == [0o400, 0o400]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to any group")
def test_group_of_readers_may_read_what_is_published_and_go_back_to(bi: Bi) -> None:
    readers = Readers(54321, "bi-readers")
    rules = PublishRules(readers=readers)
    before = os.umask(0o077)
    try:
        bi.build_and_publish(run_id="first", rules=rules)
        bi.build_and_publish(run_id="second", rules=rules)
        roll_back(bi.published, to=None, masking_key_id=None, readers=readers)
    finally:
        os.umask(before)
    assert run_of(bi.published) == "first"
    assert (mode_of(bi.published), bi.published.stat().st_gid) == (0o440, readers.gid)
    assert (mode_of(bi.published.parent), bi.published.parent.stat().st_gid) == (
        0o750,
        readers.gid,
    )
    assert mode_of(bi.published.parent / ".builds") == 0o700


def mode_of(path: Path) -> int:
    """What may be done with a file, by whom."""
    return path.stat().st_mode & 0o777
