"""The dbt project, run as in production: real dbt, real Dagster, one small warehouse."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    DagsterInstance,
    ExecuteInProcessResult,
    LocalFileCodeReference,
    TableColumnLineage,
    materialize,
)

from lead_pipeline.bi import dbt_project
from lead_pipeline.errors import ConfigurationError, PublishError
from lead_pipeline.orchestration.dbt_assets import build_dbt_assets
from lead_pipeline.orchestration.published_asset import (
    build_published_asset,
    publish_config,
)
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.locks import held
from lead_pipeline_tests.bi.readers import CLIENTS_BY_NAME
from lead_pipeline_tests.bi.test_masking import KEY, PERSONAL, found_below, plant
from lead_pipeline_tests.sample_builds import MASK, read, run_of
from lead_pipeline_tests.sample_warehouse import SAMPLE, SampleLead, write_warehouse

SOURCES = {
    AssetKey(["normalized", name]) for name in ("leads", "lead_stage_history", "lead_versions")
}


@dataclass(frozen=True)
class Home:
    """A `LEAD_PIPELINE_HOME` with a warehouse in it."""

    path: Path
    assets: list[AssetsDefinition]

    @property
    def published(self) -> Path:
        return self.path / "bi" / "leads.duckdb"

    @property
    def candidate(self) -> Path:
        return self.path / "bi" / ".candidate" / "leads.duckdb"

    def load(self, leads: tuple[SampleLead, ...]) -> None:
        write_warehouse(self.path / "warehouse.duckdb", leads)

    def run(
        self,
        selection: AssetSelection | None = None,
        config: dict[str, object] | None = None,
    ) -> ExecuteInProcessResult:
        with DagsterInstance.ephemeral() as instance:
            return materialize(
                self.assets,
                instance=instance,
                selection=selection,
                run_config=config,
                raise_on_error=False,
            )


@pytest.fixture(scope="module")
def assets() -> list[AssetsDefinition]:
    models = build_dbt_assets()
    return [models, build_published_asset(models.keys)]


@pytest.fixture
def home(tmp_path: Path, assets: list[AssetsDefinition], monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(tmp_path))
    return Home(tmp_path, assets)


@dataclass(frozen=True)
class Built:
    """The sample's published file and the run that made it."""

    home: Home
    result: ExecuteInProcessResult

    def rows(self, query: str) -> list[Any]:
        return read(self.home.published, query)

    def copy_to(self, home: Home) -> str:
        """Put what was published into `home`, which may be changed; returns the run."""
        shutil.copytree(self.home.path, home.path, symlinks=True, dirs_exist_ok=True)
        return self.result.run_id


@pytest.fixture(scope="module")
def built(
    assets: list[AssetsDefinition], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    home = Home(tmp_path_factory.mktemp("home"), assets)
    home.load(SAMPLE)
    # Found again in what is published, and not where it is masked.
    plant(home.path / "warehouse.duckdb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAD_PIPELINE_HOME", str(home.path))
        yield Built(home, home.run())


def error_of(result: ExecuteInProcessResult) -> str:
    """Class and message of what a run stopped at."""
    [failure] = result.get_step_failure_events()
    error = failure.step_failure_data.error
    assert error is not None
    assert error.cause is not None
    return error.cause.message


def test_sources_and_models_have_the_keys_of_their_tables(assets: list[AssetsDefinition]) -> None:
    models, published = assets
    keys = {key.to_user_string() for key in models.keys}
    assert {key for key in keys if key.startswith(("marts/", "meta/", "seeds/"))} == {
        "marts/cohort_conversion",
        "marts/days",
        "marts/funnel_by_cohort",
        "marts/lead_changes",
        "marts/lead_daily_history",
        "marts/lead_day_segments",
        "marts/lead_facts",
        "marts/lead_stage_history",
        "marts/leads",
        "marts/metrics_daily",
        "marts/owner_performance",
        "marts/people",
        "marts/period_comparison",
        "marts/person_links",
        "marts/sla_breaches",
        "marts/source_performance",
        "marts/speed_to_lead",
        "marts/stage_funnel_daily",
        "marts/stage_velocity",
        "marts/stage_visits",
        "marts/stages",
        "marts/stale_leads",
        "marts/target_progress",
        "seeds/identifier_strengths",
        "seeds/stage_limits",
        "seeds/targets",
    }
    assert {key for key in keys if key.startswith("staging/")} >= {"staging/stg_leads"}
    assert {key for key in keys if key.startswith("intermediate/")} >= {
        "intermediate/int_lead_owners"
    }
    assert models.keys_by_input_name.keys()
    assert set(models.dependency_keys) - set(models.keys) == SOURCES
    assert set(models.group_names_by_key.values()) == {"marts"}
    assert published.dependency_keys == models.keys
    assert {spec.asset_key for spec in models.check_specs} >= SOURCES


def test_every_data_test_is_a_check(assets: list[AssetsDefinition]) -> None:
    manifest = dbt_project.load_manifest()
    tests = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    assert {spec.name for spec in assets[0].check_specs} == tests


def test_build_publishes_and_reports_rows_and_coverage(built: Built) -> None:
    assert built.result.success
    metadata = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in built.result.get_asset_materialization_events()
        if event.asset_key
    }
    assert metadata["marts/lead_facts"]["dagster/row_count"].value == 4
    assert "| vorel | engaged | 1 |" in str(metadata["marts/lead_facts"]["leads_by_stage"].value)
    assert metadata["bi/published"]["rows/marts.lead_facts"].value == 4
    assert metadata["bi/published"]["leads"].value == 4
    summary = str(metadata["bi/published"]["summary"].value)
    assert summary.splitlines()[0] == "| stage | mega | vorel |"
    assert summary.splitlines()[-1] == "| all stages | 1 | 3 |"
    assert metadata["bi/published"]["path"].value == str(built.home.published)
    report = built.home.published.with_name("report.html")
    assert metadata["bi/published"]["report"].value == report.as_uri()
    assert report.read_text("utf-8").startswith("<!doctype html>")
    assert built.rows("select run_id from meta.build") == [(built.result.run_id,)]


def sources_of(built: Built, asset: str, column: str) -> set[tuple[str, str]]:
    """The columns of the normalized tables that a column is made of, over all models between."""
    lineages = {
        event.asset_key.to_user_string(): event.materialization.metadata["dagster/column_lineage"]
        for event in built.result.get_asset_materialization_events()
        if event.asset_key and "dagster/column_lineage" in event.materialization.metadata
    }
    if asset.startswith("normalized/"):
        return {(asset, column)}
    lineage = lineages[asset].value
    assert isinstance(lineage, TableColumnLineage)
    return {
        source
        for dep in lineage.deps_by_column[column]
        for source in sources_of(built, dep.asset_key.to_user_string(), dep.column_name)
    }


@pytest.mark.parametrize(
    ("mart", "column", "source"),
    [
        ("marts/leads", "email", ("normalized/leads", "email")),
        ("marts/leads", "first_engaged_at", ("normalized/lead_stage_history", "entered_at")),
        ("marts/lead_stage_history", "evidence", ("normalized/lead_stage_history", "evidence")),
        ("marts/stale_leads", "owner_name", ("normalized/leads", "owner_name")),
    ],
)
def test_column_of_a_mart_is_followed_to_the_normalized_tables(
    mart: str, column: str, source: tuple[str, str], built: Built
) -> None:
    assert source in sources_of(built, mart, column)


def test_every_column_of_every_mart_has_a_lineage(built: Built) -> None:
    known = set()
    for event in built.result.get_asset_materialization_events():
        if event.asset_key and event.asset_key.path[0] == "marts":
            lineage = event.materialization.metadata["dagster/column_lineage"].value
            assert isinstance(lineage, TableColumnLineage)
            known |= {(event.asset_key.path[1], column) for column in lineage.deps_by_column}
    columns = "select table_name, column_name from duckdb_columns() where schema_name = 'marts'"
    assert known == set(built.rows(columns))


def test_models_are_described_in_their_own_words_and_link_to_their_file(
    assets: list[AssetsDefinition],
) -> None:
    [spec] = [spec for spec in assets[0].specs if spec.key == AssetKey(["marts", "lead_facts"])]
    assert (spec.description or "").startswith("One row per lead of any provider")
    assert [s.key for s in assets[0].specs if "```" in (s.description or "")] == []
    references = spec.metadata["dagster/code_references"].code_references
    paths = [r.file_path for r in references if isinstance(r, LocalFileCodeReference)]
    assert paths[0].endswith("dbt_project/models/marts/lead_facts.sql")
    assert Path(paths[0]).exists()


def test_build_does_not_parse_the_project_a_second_time(built: Built) -> None:
    # dbt writes this file whenever it has parsed.
    assert not (built.home.candidate.parent / "dbt" / "partial_parse.msgpack").exists()


def test_leads_mart_tells_stage_and_since_when(built: Built) -> None:
    noon = {day: datetime(2026, 1, day, 12, tzinfo=UTC) for day in range(1, 6)}
    assert built.rows(
        "select lead_key, stage, previous_stage, stage_entered_at, days_in_stage, stage_changes,"
        " first_engaged_at, is_missing from marts.lead_facts order by lead_key"
    ) == [
        ("mega:1", "unmapped", None, noon[5], 0, 0, None, False),
        # The newest change in Vorel is of the 4th.
        ("vorel:1", "new", None, noon[1], 3, 0, None, False),
        # From contacted to replied it stayed engaged.
        ("vorel:2", "engaged", "new", noon[3], 1, 1, noon[3], False),
        ("vorel:3", "won", "new", noon[2], 2, 1, None, True),
    ]


def test_funnel_counts_every_day_up_to_the_last_change(built: Built) -> None:
    funnel = built.rows(
        "select date_day, stage, leads_in_stage from marts.stage_funnel_daily"
        " where account = 'vorel' and stage <> 'engaged' order by all"
    )
    assert funnel == [
        (date(2026, 1, 1), "new", 2),
        (date(2026, 1, 1), "won", 0),
        (date(2026, 1, 2), "new", 2),
        (date(2026, 1, 2), "won", 1),
        (date(2026, 1, 3), "new", 1),
        (date(2026, 1, 3), "won", 1),
        (date(2026, 1, 4), "new", 1),
        (date(2026, 1, 4), "won", 1),
        (date(2026, 1, 5), "new", 1),
        (date(2026, 1, 5), "won", 1),
    ]


def test_funnel_tells_no_entries_of_an_account_that_nobody_watched(built: Built) -> None:
    assert built.rows(
        "select count(leads_entered), count(leads_exited_upper) from marts.stage_funnel_daily"
    ) == [(0, 0)]


def test_every_table_and_column_of_the_published_file_is_described(built: Built) -> None:
    assert built.rows(
        "select table_name from duckdb_tables() where coalesce(comment, '') = ''"
        " union all select schema_name || '.' || table_name || '.' || column_name"
        " from duckdb_columns() where not internal and coalesce(comment, '') = ''"
    ) == []  # fmt: skip


def test_oldest_promised_reader_reads_what_dbt_wrote(built: Built) -> None:
    oldest = CLIENTS_BY_NAME["oldest Python"]
    oldest.skip_where_missing()
    query = (
        "select concat_ws(', ', custom_fields->>'$.planted_key', created_at::varchar,"
        " (select count(comment) > 0 from duckdb_columns())::varchar)"
        " from marts.leads where lead_key = 'vorel:1'"
    )
    told = oldest.ask(built.home.published, query)
    assert told == "planted value, 2026-01-01 12:00:00+00, true"


@pytest.mark.long
def test_fresh_install_without_leads_builds_and_publishes(home: Home) -> None:
    home.load(())
    assert home.run().success
    assert read(home.published, "select sum(row_count) from meta.tables"
                " where schema_name in ('normalized', 'marts')") == [(0,)]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "test"),
    [
        (
            "update normalized.leads set stage = 'lost' where lead_id = '2'",
            "newest_history_row_agrees_with_lead",
        ),
        pytest.param(
            "delete from normalized.lead_stage_history where lead_id = '2' and is_current",
            "stage_intervals_are_contiguous",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "insert into normalized.lead_stage_history"
            " from normalized.lead_stage_history where lead_id = '2' and is_current",
            "lead_stage_history_key_is_unique",
            marks=pytest.mark.long,
        ),
        *(
            pytest.param(
                f"update normalized.lead_stage_history set {change} where lead_id = '2'",  # noqa: S608
                "stage_intervals_are_contiguous",
                marks=pytest.mark.long,
            )
            for change in (
                "exited_at = exited_at - interval 1 second",
                "entered_after = entered_at + interval 1 second",
                "entered_after = entered_at - interval 1 second, evidence = 'created'",
                "stage_number = stage_number + 1",
                "is_current = true",
            )
        ),
    ],
)
def test_failed_test_is_named_with_its_leads_and_readers_keep_the_last_file(
    home: Home, statement: str, test: str
) -> None:
    home.published.parent.mkdir()
    home.published.write_bytes(b"the last good file")
    home.load(SAMPLE)
    with closing(connect_utc(home.path / "warehouse.duckdb")) as connection:
        connection.execute(statement)
    result = home.run()
    assert not result.success
    message = error_of(result)
    assert PublishError.__name__ in message
    assert f"test {test}: Got " in message
    assert "(first: vorel:2)" in message
    assert "dbt.log" in message
    assert not home.candidate.exists()
    assert home.published.read_bytes() == b"the last good file"
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert test in {check.check_name for check in failed}


def test_build_with_a_row_count_drop_is_refused_until_the_run_says_that_it_is_meant(
    built: Built, home: Home
) -> None:
    good = built.copy_to(home)
    home.load(tuple(lead for lead in SAMPLE if lead.lead_id != "2"))
    assert "vorel 1 of 3 in normalized.leads (33 %)" in error_of(home.run())
    assert run_of(home.published) == good
    meant = home.run(
        AssetSelection.assets(AssetKey(["bi", "published"])),
        config=publish_config(allow_row_count_drop=True),
    )
    assert meant.success
    assert run_of(home.published) == meant.run_id


def test_masked_run_leaves_no_personal_data_and_no_key_below_the_folder_of_readers(
    built: Built,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    built.copy_to(home)
    assert found_below(home.published.parent) == set(PERSONAL.values())
    plain = without_personal_data(home.published)
    left_by_a_killed_build(home.candidate)
    capfd.readouterr()
    monkeypatch.setenv("LEAD_PIPELINE_MASKING", "true")
    monkeypatch.setenv("LEAD_PIPELINE_MASKING_KEY", KEY)
    result = home.run()
    assert result.success
    assert without_personal_data(home.published) == plain
    assert found_below(home.published.parent) == set()
    written = [path for path in home.published.parent.rglob("*") if path.is_file()]
    assert any(path.name == "dbt.log" for path in written)
    assert [path for path in written if KEY.encode() in path.read_bytes()] == []
    told = capfd.readouterr()
    assert [value for value in (KEY, *PERSONAL.values()) if value in told.out + told.err] == []
    assert KEY not in "".join(str(event) for event in result.all_events)
    assert read(home.published, "select distinct masking_key_id from meta.publish") == [
        (MASK.key_id,)
    ]


def left_by_a_killed_build(candidate: Path) -> None:
    """Everything that a build which was not masked can leave, with a plain value in each."""
    for path in (
        candidate,
        candidate.with_name("leads.duckdb.wal"),
        candidate.with_name("leads.duckdb.tmp") / "duckdb_temp_storage_DEFAULT-0.tmp",
        candidate.with_name("finished.leads.duckdb"),
        candidate.with_name("finished.leads.duckdb.wal"),
        candidate.parent / "dbt" / "dbt.log.1",
        candidate.parent.parent / ".sources" / ".leads.duckdb.tmp",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PERSONAL["email"])


def without_personal_data(published: Path) -> dict[str, list[Any]]:
    """Every mart, without the columns that masking changes: the same, masked or not."""
    # The key of an owner is made of the account and the owner's id.
    masked = (*PERSONAL, "owner_key")
    columns: dict[str, list[str]] = {}
    for table, column in read(
        published,
        "select table_name, column_name from duckdb_columns() where schema_name = 'marts'",
    ):
        columns.setdefault(table, []).extend([] if column in masked else [column])
    return {
        table: read(published, f"select {', '.join(names)} from marts.{table} order by all")  # noqa: S608
        for table, names in columns.items()
    }


def test_selecting_one_model_builds_all_and_reports_one(home: Home) -> None:
    home.load(SAMPLE)
    key = AssetKey(["marts", "leads"])
    result = home.run(AssetSelection.assets(key))
    assert result.success
    assert [event.asset_key for event in result.get_asset_materialization_events()] == [key]
    assert read(home.candidate, "select count(*) > 0 from marts.stage_funnel_daily") == [(True,)]


CHECK_OF_MARTS = AssetCheckKey(
    AssetKey(["marts", "lead_day_segments"]), "daily_history_agrees_with_funnel"
)
CHECK_OF_SOURCES = AssetCheckKey(
    AssetKey(["staging", "stg_lead_stage_history"]), "newest_history_row_agrees_with_lead"
)


def everything_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check_alone(home: Home, keys: Sequence[AssetCheckKey]) -> ExecuteInProcessResult:
    return home.run(AssetSelection.checks(*keys))


def test_single_check_builds_nothing_and_leaves_every_file_as_it_is(
    built: Built, home: Home
) -> None:
    built.copy_to(home)
    before = everything_below(home.path / "bi")
    # A newer load, which a build would take up.
    home.load(())
    result = check_alone(home, [CHECK_OF_MARTS])
    assert result.success
    assert [(c.check_name, c.passed) for c in result.get_asset_check_evaluations()] == [
        (CHECK_OF_MARTS.name, True)
    ]
    assert result.get_asset_materialization_events() == []
    assert everything_below(home.path / "bi") == before


@pytest.mark.long
def test_single_check_that_fails_is_named_by_the_run_and_readers_keep_their_file(
    built: Built, home: Home
) -> None:
    built.copy_to(home)
    # Loaded since: not published, and by no fault of what readers have.
    with closing(connect_utc(home.path / "warehouse.duckdb")) as connection:
        connection.execute("update normalized.leads set stage = 'lost' where lead_id = '2'")
    before = everything_below(home.path / "bi")
    result = check_alone(home, [CHECK_OF_MARTS, CHECK_OF_SOURCES])
    assert not result.success
    found = {c.check_name: c.passed for c in result.get_asset_check_evaluations()}
    assert found == {CHECK_OF_MARTS.name: True, CHECK_OF_SOURCES.name: False}
    assert everything_below(home.path / "bi") == before


def test_tables_that_are_only_loaded_are_checked_without_a_build(
    home: Home, assets: list[AssetsDefinition]
) -> None:
    home.load(SAMPLE)
    of_tables = [spec.key for spec in assets[0].check_specs if spec.asset_key in SOURCES]
    result = check_alone(home, of_tables)
    assert result.success
    assert {c.check_name for c in result.get_asset_check_evaluations()} == {
        key.name for key in of_tables
    }
    assert everything_below(home.path / "bi") == {}


def test_check_of_marts_before_the_first_publication_says_what_to_do(home: Home) -> None:
    home.load(SAMPLE)
    message = error_of(check_alone(home, [CHECK_OF_MARTS]))
    assert "There are no marts to check" in message
    assert "lead-pipeline publish" in message


@pytest.mark.long
def test_check_does_not_wait_for_a_build(built: Built, home: Home) -> None:
    built.copy_to(home)
    with held(home.path / ".locks" / "publish", "a build that takes long"):
        assert check_alone(home, [CHECK_OF_MARTS]).success


def test_missing_warehouse_says_what_to_do(home: Home) -> None:
    assert "lead-pipeline run" in error_of(home.run())


@pytest.fixture
def project_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project without its models, which take most of the time of a parse."""
    copy = tmp_path / "dbt_project"
    shutil.copytree(
        dbt_project.PROJECT_DIR,
        copy,
        ignore=shutil.ignore_patterns("target", "logs", ".user.yml", "models", "seeds", "tests"),
    )
    copy.joinpath("models", "marts").mkdir(parents=True)
    monkeypatch.setattr(dbt_project, "PROJECT_DIR", copy)
    monkeypatch.setattr(dbt_project, "TARGET_DIR", copy / "target")
    return copy


@pytest.mark.long
def test_project_is_parsed_once_by_many_and_again_after_a_change(
    project_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parses: list[str] = []
    parse = dbt_project._parse

    def counted_parse(project: dbt_project.DbtProject, digest: str) -> None:
        parses.append(digest)
        parse(project, digest)

    monkeypatch.setattr(dbt_project, "_parse", counted_parse)
    threads = [threading.Thread(target=dbt_project.load_manifest) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(parses) == 1
    # A change that dbt cannot parse, which is named, and one that it can.
    model = project_copy / "models" / "marts" / "new.sql"
    model.write_text("select * from {{ ref('nowhere') }}")
    with pytest.raises(ConfigurationError, match=r"new.*nowhere"):
        dbt_project.load_manifest()
    model.write_text("select 1 as one")
    assert "model.lead_pipeline.new" in dbt_project.load_manifest()["nodes"]
    assert len(parses) == 3


def test_installation_without_the_project_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_project, "PROJECT_DIR", tmp_path)
    with pytest.raises(ConfigurationError, match="pip install -e"):
        dbt_project.load_manifest()
