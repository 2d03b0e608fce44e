"""Own models built, tested and published with ours: real dbt, real Dagster, one small warehouse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import AssetKey, ExecuteInProcessResult, LocalFileCodeReference

from lead_pipeline.accounts import Accounts
from lead_pipeline.bi.own_problem import own_problem
from lead_pipeline.definitions import load_definitions
from lead_pipeline.health.findings import find
from lead_pipeline.orchestration.dbt_assets import build_dbt_assets
from lead_pipeline.orchestration.published_asset import build_published_asset
from lead_pipeline_tests.orchestration.test_dbt_assets import Home, error_of
from lead_pipeline_tests.own_models.folders import home_with
from lead_pipeline_tests.sample_builds import read
from lead_pipeline_tests.sample_warehouse import SAMPLE

pytestmark = pytest.mark.timeout(600)

OURS = Path(__file__).parents[2] / "dbt_project"

OWN = {
    # A mart of their own, in the zone of the file, over a seed and a macro of their own.
    "models/leads_by_day.sql": (
        "select leads.account, {{ local_date('created_at') }} as created_day, count(*) as leads,"
        " {{ var('stale_after_days') }} as stale_days, any_value(owner) as region_owner\n"
        "from {{ ref('leads') }} as leads join {{ ref('regions') }} as regions using (account)\n"
        "group by all order by all"
    ),
    "models/leads_by_day.yml": (
        "models:\n  - name: leads_by_day\n    description: Leads by the day they came.\n"
        "    columns:\n      - name: leads\n        data_tests: [not_null]\n"
    ),
    "models/intermediate/int_mine.sql": "select 1 as one",
    # One of ours, with a column more.
    "models/stages.sql": (
        (OURS / "models" / "marts" / "stages.sql").read_text()
        + "-- What follows is theirs.\n"
    ).replace("select *\nfrom final", "select *, upper(stage) as label\nfrom final"),
    "seeds/regions.csv": "account,owner\nvorel,North\nmega,South\n",
    "seeds/stage_limits.csv": "provider,stage,limit_hours\n,new,0.5\n",
    "macros/days_of.sql": "{% macro days_of(seconds) -%} ({{ seconds }}) / 86400.0 {%- endmacro %}",
    "tests/leads_came_on_known_days.sql": "select * from {{ ref('leads_by_day') }} where created_day is null",
    "vars.yml": "vars:\n  stale_after_days: 3\n",
}  # fmt: skip


def home_of(path: Path, files: Mapping[str, str]) -> Home:
    """A home whose definitions are made with these own models."""
    models = build_dbt_assets(home_with(path, files))
    return Home(path, [models, build_published_asset(models.keys)])


@dataclass(frozen=True)
class Built:
    home: Home
    result: ExecuteInProcessResult


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    path = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAD_PIPELINE_HOME", str(path))
        patch.setenv("LEAD_PIPELINE_TIMEZONE", "Pacific/Kiritimati")
        home = home_of(path, OWN)
        home.load(SAMPLE)
        yield Built(home, home.run())


def test_own_mart_is_published_with_ours_in_the_zone_of_the_file(built: Built) -> None:
    assert built.result.success
    days = "select account, created_day::varchar, leads, stale_days, region_owner from marts.leads_by_day"
    # Noon of the 1st in UTC is the 2nd in Kiritimati, fourteen hours ahead.
    rows = read(built.home.published, f"{days} order by all")
    assert ("vorel", "2026-01-02", 2, 3, "North") in rows
    assert sum(row[2] for row in rows) == 4


def test_own_mart_is_described_for_readers(built: Built) -> None:
    said = "select description from meta.tables where table_name = 'leads_by_day'"
    assert read(built.home.published, said) == [("Leads by the day they came.",)]


def test_model_in_place_of_ours_has_our_columns_and_its_own(built: Built) -> None:
    columns = (
        "select column_name from duckdb_columns()"
        " where schema_name = 'marts' and table_name = 'stages' order by column_index"
    )
    names = [name for (name,) in read(built.home.published, columns)]
    assert names[-1] == "label"
    assert {"account", "stage", "place"} <= set(names)


def test_own_seed_and_variable_count_for_our_models(built: Built) -> None:
    limits = "select distinct stage, limit_seconds from marts.stage_visits where limit_seconds is not null"
    # Half an hour; our own limits are of all stages.
    assert read(built.home.published, limits) == [("new", 1800)]


def test_what_is_not_in_marts_reaches_no_reader(built: Built) -> None:
    schemas = "select distinct schema_name from duckdb_tables() order by all"
    assert read(built.home.published, schemas) == [("marts",), ("meta",), ("normalized",)]


def test_own_models_and_tests_are_assets_and_checks_with_links_to_their_files(
    built: Built,
) -> None:
    models = built.home.assets[0]
    keys = {key.to_user_string() for key in models.keys}
    assert {"marts/leads_by_day", "intermediate/int_mine", "seeds/regions"} <= keys
    [spec] = [s for s in models.specs if s.key == AssetKey(["marts", "leads_by_day"])]
    [reference] = spec.metadata["dagster/code_references"].code_references
    assert isinstance(reference, LocalFileCodeReference)
    assert reference.file_path == str(built.home.path / "dbt" / "models" / "leads_by_day.sql")
    checks = {evaluation.check_name for evaluation in built.result.get_asset_check_evaluations()}
    assert {"not_null_leads_by_day_leads", "leads_came_on_known_days"} <= checks
    with_rows = {
        event.asset_key.to_user_string()
        for event in built.result.get_asset_materialization_events()
        if event.asset_key and "dagster/row_count" in event.materialization.metadata
    }
    assert "marts/leads_by_day" in with_rows


def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str]) -> Home:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(tmp_path))
    home = home_of(tmp_path, files)
    home.load(SAMPLE)
    home.published.parent.mkdir(exist_ok=True)
    home.published.write_text("what readers have")
    return home


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("models/bad.sql", "select * from {{ ref('nowhere') }}", "depends on a node named 'nowhere'"),
        ("models/coverage.sql", "select 1 as one", "has the name of the table meta.coverage"),
        *(
            pytest.param(*case, marks=pytest.mark.long)
            for case in (
                ("models/bad.yml", "models:\n  - name: x\n   y: [", "Error reading"),
                ("models/bad.sql", "{{ config(schema='finance') }} select 1 as one", "is in schema finance"),
                ("models/bad.sql", "{{ config(materialized='view') }} select 1 as one", "readers get tables only"),
            )
        ),
    ],
)  # fmt: skip
def test_model_that_cannot_be_taken_stops_the_build_by_name_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, text: str, message: str
) -> None:
    home = broken(tmp_path, monkeypatch, {path: text})
    told = error_of(home.run())
    assert message in told
    assert str(tmp_path / "dbt" / path) in told
    assert "readers keep the last file" in told
    assert home.published.read_text() == "what readers have"
    # The whole code location is there, ours and landing.
    keys = load_definitions().resolve_asset_graph().get_all_asset_keys()
    assert AssetKey(["marts", "leads"]) in keys
    # Who only looks is told the same, until the file is another.
    settings = home_with(tmp_path, {})
    found = [f for f in find(settings, Accounts(()), datetime.now(UTC)) if f.kind == "own-models"]
    assert [str(tmp_path / "dbt" / path) in finding.what for finding in found] == [True]
    (tmp_path / "dbt" / path).write_text("-- being mended")
    assert own_problem(settings) is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"models/stages.sql": "select 1 as stage"},
            "models/stages.sql) It takes the place of a model of lead-pipeline and breaks its promise:"
            " provider is missing",
        ),
        ({"models/bad.sql": "select no_such_column from {{ ref('leads') }}"}, "models/bad.sql)"),
        (
            {"models/fine.sql": "select 1 as one", "tests/bad.sql": "select * from {{ ref('fine') }}"},
            "test bad: Got 1 result, configured to fail if != 0",
        ),
    ],
)  # fmt: skip
@pytest.mark.long
def test_model_that_cannot_be_built_is_named_and_holds_the_publication_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], message: str
) -> None:
    home = broken(tmp_path, monkeypatch, files)
    told = error_of(home.run())
    assert message in told
    assert f"To publish without your models, move them out of {tmp_path}/dbt." in told
    assert home.published.read_text() == "what readers have"
    problem = own_problem(home_with(tmp_path, {}))
    assert problem is not None
    assert message in problem.what


PARSING = (
    "import os, signal, sys; from pathlib import Path; from lead_pipeline.bi import dbt_project as d\n"
    "from lead_pipeline.bi.merged_project import project_of\n"
    "from lead_pipeline.settings import load_settings\n"
    "home, is_killed = Path(sys.argv[1]), sys.argv[2:] == ['killed']\n"
    "run = d.subprocess.run\n"
    "def parse(*arguments, **options):\n"
    "    print('parsed', flush=True)\n"
    "    result = run(*arguments, **options)\n"
    "    if is_killed: os.kill(os.getpid(), signal.SIGKILL)\n"
    "    return result\n"
    "d.subprocess.run = parse\n"
    "print('model.lead_pipeline.x' in d.load_manifest(project_of(load_settings({'home': home})))['nodes'])"
)
"""Ask for what dbt knows; says when it parses, and is killed after that if it should be."""


@pytest.mark.long
def test_processes_that_ask_at_once_parse_once_also_after_one_was_killed_before_its_mark(
    tmp_path: Path,
) -> None:
    home_with(tmp_path, {"models/x.sql": "select 1 as one"})
    asked = [sys.executable, "-c", PARSING, str(tmp_path)]
    killed = subprocess.run([*asked, "killed"], check=False)  # noqa: S603
    assert killed.returncode == -9
    together = [
        subprocess.Popen(asked, stdout=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(3)
    ]
    said = [process.communicate(timeout=500)[0].split() for process in together]
    assert [words[-1] for words in said] == ["True"] * 3
    assert sum("parsed" in words for words in said) == 1
