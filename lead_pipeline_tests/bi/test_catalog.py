"""What stands beside the file: a contract that other tools take, and dbt's artifacts of the same build."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest
import yaml
from dbt.artifacts.schemas.catalog import CatalogArtifact
from dbt.artifacts.schemas.manifest import WritableManifest
from dbt.artifacts.schemas.run import RunResultsArtifact
from open_data_contract_standard.model import (
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)

from lead_pipeline.bi.builds import read_build
from lead_pipeline.bi.candidate import mark_tested
from lead_pipeline.bi.catalog.artifacts import PII
from lead_pipeline.bi.catalog.described import describe
from lead_pipeline.bi.catalog.shown import show_catalog_again
from lead_pipeline.bi.catalog.write import write_catalog
from lead_pipeline.bi.column_lineage import column_lineage, columns_of
from lead_pipeline.bi.dbt_project import PROJECT_DIR, dbt_folder, keep_manifest, load_manifest
from lead_pipeline.bi.masking import treatments
from lead_pipeline.bi.publish import publish
from lead_pipeline.bi.retained_builds import name_of
from lead_pipeline.bi.rollback import roll_back
from lead_pipeline.errors import PublishError
from lead_pipeline.settings import Settings
from lead_pipeline.storage.catalogs import CATALOG_FILES, shown_catalog
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.building import BuiltWorld
from lead_pipeline_tests.sample_builds import read

CONTRACT_CLIENT = Path(__file__).parent / "clients" / "contract_client.py"


def build(settings: Settings, world: BuiltWorld, run_id: str) -> str:
    """Publish the built world as that run, as the pipeline does, and return the name of the build."""
    target = dbt_folder(settings.candidate_path)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy(world.candidate, settings.candidate_path)
    shutil.copy(world.candidate.parent / "target" / "run_results.json", target)
    load_manifest()
    keep_manifest(target)
    mark_tested(settings.candidate_path, run_id=run_id, tests_passed=1)
    publish(settings.candidate_path, settings.published_path, run_id=run_id)
    build = read_build(settings.published_path)
    assert build is not None
    return name_of(build)


@pytest.fixture(scope="module")
def settings_of_module(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        home=tmp_path_factory.mktemp("home"),
        owner="team:revenue",
        bi_url="https://bi.example.com/leads",
        missing_days=90,
    )


@pytest.fixture(scope="module")
def published(settings_of_module: Settings, built_world: BuiltWorld) -> Settings:
    """A home with a build and its catalog."""
    build(settings_of_module, built_world, "run-1")
    write_catalog(settings_of_module, dbt_folder(settings_of_module.candidate_path))
    return settings_of_module


@pytest.fixture(scope="module")
def catalog(published: Settings) -> Path:
    return shown_catalog(published.published_path)


@pytest.fixture(scope="module")
def contract(catalog: Path) -> OpenDataContractStandard:
    return OpenDataContractStandard.from_file(str(catalog / "contract.odcs.yaml"))


def table(contract: OpenDataContractStandard, name: str) -> SchemaObject:
    return next(found for found in contract.schema_ or () if found.name == name)


def column(contract: OpenDataContractStandard, of: str, name: str) -> SchemaProperty:
    columns = table(contract, of).properties or ()
    return next(found for found in columns if found.name == name)


def rules(of: SchemaObject | SchemaProperty) -> dict[str, DataQuality]:
    return {str(rule.name): rule for rule in of.quality or ()}


def custom(of: OpenDataContractStandard | SchemaObject) -> dict[str, Any]:
    return {str(found.property): found.value for found in of.customProperties or ()}


# The contract --------------------------------------------------------------------------------


def test_contract_follows_the_schema_of_the_standard(catalog: Path) -> None:
    document = yaml.safe_load((catalog / "contract.odcs.yaml").read_text("utf-8"))
    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_bytes())
    jsonschema.validate(document, schema)
    assert document["apiVersion"] == schema["properties"]["apiVersion"]["default"]


def test_contract_has_every_table_and_column_of_the_file_with_its_type_and_text(
    published: Settings, contract: OpenDataContractStandard
) -> None:
    promised = {
        (custom(found)["server"], found.physicalName, of.name, of.physicalType, of.description)
        for found in contract.schema_ or ()
        for of in found.properties or ()
    }
    assert promised == set(
        read(
            published.published_path,
            "select schema_name, table_name, column_name, data_type, comment from duckdb_columns()"
            " where not internal",
        )
    )
    assert {found.server for found in contract.servers or ()} == {"marts", "meta", "normalized"}


def test_keys_and_tests_of_the_yaml_are_promised(contract: OpenDataContractStandard) -> None:
    key = column(contract, "marts_lead_facts", "lead_key")
    assert (key.primaryKey, key.primaryKeyPosition, key.unique, key.required) == (
        True,
        1,
        True,
        True,
    )
    [duplicates] = [rule for rule in key.quality or () if rule.metric == "duplicateValues"]
    assert duplicates.mustBe == 0

    stage = column(contract, "normalized_leads", "stage")
    valid = rules(stage)["normalized_leads_stage_is_canonical"]
    assert (valid.metric, valid.mustBe) == ("invalidValues", 0)
    assert "won" in (valid.arguments or {})["validValues"]

    together = rules(table(contract, "normalized_lead_stage_history"))
    unique = together["lead_stage_history_key_is_unique"]
    assert (unique.metric, unique.arguments) == (
        "duplicateValues",
        {"properties": ["lead_key", "stage_number"]},
    )
    told = together["stage_intervals_are_contiguous"]
    assert told.type == "text"
    assert str(told.description).startswith(
        "Each returned row is a stage interval that does not end"
    )


def test_key_with_a_column_that_can_be_null_is_no_primary_key(
    contract: OpenDataContractStandard,
) -> None:
    for name in ("cohort_week", "source", "provider"):
        assert column(contract, "marts_funnel_by_cohort", name).primaryKey is None
    assert any(
        rule.metric == "duplicateValues"
        for rule in table(contract, "marts_funnel_by_cohort").quality or ()
    )


def test_references_are_told(contract: OpenDataContractStandard) -> None:
    key = column(contract, "marts_stage_visits", "lead_key")
    assert [found.to for found in key.relationships or ()] == ["marts_lead_facts.lead_key"]


def test_every_grain_is_told(contract: OpenDataContractStandard) -> None:
    for found in contract.schema_ or ():
        assert str(found.dataGranularityDescription).startswith("One row"), found.name


def test_contract_says_who_answers_for_it_and_what_is_promised_of_time(
    contract: OpenDataContractStandard,
) -> None:
    assert contract.team is not None
    assert not isinstance(contract.team, list)
    assert contract.team.name == "revenue"
    levels = [(found.property, found.value, found.unit) for found in contract.slaProperties or ()]
    assert levels == [("freshness", 30, "h"), ("retention", 3, "d"), ("retention", 90, "d")]


def test_what_a_later_version_does_without_is_told(published: Settings, tmp_path: Path) -> None:
    path = tmp_path / "leads.duckdb"
    shutil.copy(published.published_path, path)
    path.chmod(0o600)
    with closing(connect_utc(path)) as connection:
        connection.execute(
            "create or replace table meta.deprecations (schema_name varchar, table_name varchar,"
            " column_name varchar, replacement varchar, deprecated_in varchar, removed_in varchar,"
            " note varchar); insert into meta.deprecations values"
            " ('marts', 'people', null, 'marts.persons', '0.2.0', '0.3.0', null),"
            " ('marts', 'leads', 'score', 'marts.leads.rating', '0.2.0', '0.3.0', 'Another scale.')"
        )
    found = describe(path).deprecations
    assert found[("marts", "people", None)].replacement == "marts.persons"
    assert found[("marts", "leads", "score")].note == "Another scale."


@pytest.mark.parametrize(
    ("checked", "at_least"),
    [
        (["lint"], 1),
        (["test", "normalized_leads", "marts_lead_facts", "meta_publish"], 150),
        pytest.param(["test"], 500, marks=pytest.mark.long),
    ],
    ids=["lint", "a table of each schema", "all tables"],
)
def test_contract_tool_takes_the_contract_and_finds_it_kept(
    checked: list[str], at_least: int, published: Settings
) -> None:
    python = Path(__file__).parents[2] / ".venv-contract" / "bin" / "python"
    if not python.exists():
        pytest.skip("datacontract-cli is not installed: make .venv-contract/.installed")
    # The addresses in the contract begin at the folder of the published file.
    ran = subprocess.run(  # noqa: S603 - installed by make
        [python, CONTRACT_CLIENT, "catalog/contract.odcs.yaml", *checked],
        cwd=published.published_path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    evaluated = [line for line in ran.stdout.splitlines() if not line.startswith("not evaluated")]
    failed = [line for line in evaluated if not line.startswith("passed")]
    assert failed == []
    assert len(evaluated) >= at_least


# dbt's artifacts -----------------------------------------------------------------------------


def test_dbt_itself_reads_the_artifacts(catalog: Path) -> None:
    manifest = WritableManifest.read_and_check_versions(str(catalog / "manifest.json"))
    tables = CatalogArtifact.read_and_check_versions(str(catalog / "catalog.json"))
    results = RunResultsArtifact.read_and_check_versions(str(catalog / "run_results.json"))
    assert {node for node in tables.nodes if node not in manifest.nodes} == set()
    assert {source for source in tables.sources if source not in manifest.sources} == set()
    ran = {result.unique_id for result in results.results}
    assert ran <= manifest.nodes.keys() | manifest.unit_tests.keys() | manifest.exposures.keys()


def test_catalog_has_the_columns_and_rows_of_the_file(published: Settings, catalog: Path) -> None:
    tables = json.loads((catalog / "catalog.json").read_bytes())
    found = tables["nodes"]["model.lead_pipeline.leads"]
    [(rows,)] = read(published.published_path, "select count(*) from marts.leads")
    assert found["stats"]["num_rows"]["value"] == rows
    columns = read(
        published.published_path,
        "select column_name, data_type, column_index from duckdb_columns()"
        " where (schema_name, table_name) = ('marts', 'leads') order by column_index",
    )
    assert [(c["name"], c["type"], c["index"]) for c in found["columns"].values()] == columns
    # Readers do not have them.
    assert not any("stg_" in name or "int_" in name for name in tables["nodes"])


def test_all_files_name_the_build_that_readers_have(published: Settings, catalog: Path) -> None:
    build = read_build(published.published_path)
    assert build is not None
    assert sorted(path.name for path in catalog.iterdir()) == sorted(CATALOG_FILES)
    for name in CATALOG_FILES:
        if name.endswith(".json"):
            metadata = json.loads((catalog / name).read_bytes())["metadata"]
            assert metadata["env"]["lead_pipeline_build"] == name_of(build), name
    contract = OpenDataContractStandard.from_file(str(catalog / "contract.odcs.yaml"))
    assert custom(contract)["build"] == name_of(build)
    assert custom(contract)["personalData"] == "as served"


def test_nothing_of_this_machine_and_nobodys_data_is_in_them(
    published: Settings, catalog: Path, built_world: BuiltWorld
) -> None:
    everything = b"".join((catalog / name).read_bytes() for name in CATALOG_FILES).decode()
    for path in (
        published.home,
        built_world.candidate.parent,
        Path(__file__).parents[2],
        Path.home(),
    ):
        assert str(path) not in everything
    values = {
        str(value)
        for row in read(
            published.published_path,
            "select full_name, email, phone, phone_e164, owner_name from normalized.leads",
        )
        for value in row
        if value is not None and len(str(value)) > 5
    }
    assert len(values) > 400
    # Examples of the project's unit tests, which are invented, too.
    invented = "".join(path.read_text("utf-8") for path in PROJECT_DIR.glob("models/**/*.yml"))
    assert [value for value in values if value in everything and value not in invented] == []
    results = json.loads((catalog / "run_results.json").read_bytes())
    assert results["args"].keys() <= {"which", "select", "exclude", "exclude_resource_types"}


def test_exposures_have_addresses_where_a_server_is_set_and_invent_none(
    published: Settings, catalog: Path
) -> None:
    def urls(document: Mapping[str, Any]) -> dict[str, str | None]:
        return {found["name"]: found["url"] for found in document["exposures"].values()}

    shown = urls(json.loads((catalog / "manifest.json").read_bytes()))
    assert shown["published_file"] == "https://bi.example.com/leads/leads.duckdb"
    assert shown["report"] == "https://bi.example.com/leads/report.html"
    assert set(urls(load_manifest()).values()) == {None}


# Personal data -------------------------------------------------------------------------------


def test_columns_that_masking_treats_are_those_that_the_yaml_calls_personal() -> None:
    treated = {(line.table, line.column) for line in treatments() if line.treatment != "keep"}
    tagged = {
        (source["name"], name)
        for source in load_manifest()["sources"].values()
        for name, said in source["columns"].items()
        if PII in said["tags"]
    }
    assert tagged == treated


def test_personal_columns_of_marts_are_tagged_by_their_names(
    contract: OpenDataContractStandard,
) -> None:
    email = column(contract, "marts_leads", "email")
    assert (email.tags, email.classification) == ([PII], "personal data")
    assert column(contract, "marts_leads", "stage").classification is None


NOT_PERSONAL = {
    # Made of the addresses that join leads, and tells none of them.
    "person_key",
    # Which lead, and by what kind of address.
    "other_lead_key",
    "identifier_kind",
}


def test_texts_that_are_made_of_personal_columns_are_tagged_too(
    catalog: Path, built_world: BuiltWorld, tmp_path: Path
) -> None:
    manifest = json.loads((catalog / "manifest.json").read_bytes())
    with closing(connect_utc(built_world.candidate, read_only=True)) as connection:
        columns = columns_of(connection)
    lineage = column_lineage(manifest, built_world.candidate.parent / "target", columns, tmp_path)

    def is_personal(unique_id: str, name: str, seen: frozenset[tuple[str, str]]) -> bool:
        """Whether the column is a text that comes from a column that the YAML calls personal."""
        node = manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
        if node["resource_type"] == "source":
            return PII in node["columns"][name]["tags"]
        kind = columns.get((node["schema"], node["name"]), {}).get(name)
        if kind not in ("VARCHAR", "JSON") or (unique_id, name) in seen:
            return False
        parents = lineage.get(unique_id, {}).get(name, [])
        return any(is_personal(*parent, seen | {(unique_id, name)}) for parent in parents)

    untagged = [
        f"{node['name']}.{name}"
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node["schema"] == "marts"
        for name, said in node["columns"].items()
        if PII not in said["tags"]
        and name not in NOT_PERSONAL
        and is_personal(unique_id, name, frozenset())
    ]
    assert untagged == []


# Publications --------------------------------------------------------------------------------


def contract_build(settings: Settings) -> str:
    path = shown_catalog(settings.published_path) / "contract.odcs.yaml"
    return str(custom(OpenDataContractStandard.from_file(str(path)))["build"])


@pytest.mark.usefixtures("published")
def test_rollback_brings_the_catalog_of_its_build_back(
    settings: Settings, built_world: BuiltWorld
) -> None:
    target = dbt_folder(settings.candidate_path)
    first = build(settings, built_world, "run-1")
    write_catalog(settings, target)
    second = build(settings, built_world, "run-2")
    write_catalog(settings, target)
    assert contract_build(settings) == second

    roll_back(settings.published_path, to=first, masking_key_id=None)
    show_catalog_again(settings)

    assert contract_build(settings) == first


def test_build_without_a_catalog_has_none_rather_than_that_of_another(
    settings: Settings, built_world: BuiltWorld
) -> None:
    first = build(settings, built_world, "run-1")
    build(settings, built_world, "run-2")
    write_catalog(settings, dbt_folder(settings.candidate_path))
    roll_back(settings.published_path, to=first, masking_key_id=None)
    show_catalog_again(settings)
    assert not shown_catalog(settings.published_path).exists()


def test_catalogs_go_with_their_builds(settings: Settings, built_world: BuiltWorld) -> None:
    one_day = settings.model_copy(update={"retained_builds": 1})
    for run in ("run-1", "run-2", "run-3"):
        newest = build(one_day, built_world, run)
        write_catalog(one_day, dbt_folder(one_day.candidate_path))
    folders = {path.name for path in one_day.published_path.with_name(".catalogs").iterdir()}
    kept = {path.stem for path in (one_day.published_path.parent / ".builds").glob("*.duckdb")}
    assert folders == kept | {newest}


def test_catalog_that_cannot_be_made_leaves_readers_the_file_and_no_other_catalog(
    settings: Settings, built_world: BuiltWorld
) -> None:
    target = dbt_folder(settings.candidate_path)
    build(settings, built_world, "run-1")
    write_catalog(settings, target)
    build(settings, built_world, "run-2")
    target.joinpath("run_results.json").unlink()
    with pytest.raises(PublishError, match="its catalog could not be made"):
        write_catalog(settings, target)
    assert read(settings.published_path, "select distinct run_id from meta.publish") == [("run-2",)]
    assert not shown_catalog(settings.published_path).exists()


def test_file_that_cannot_be_read_has_no_catalog(tmp_path: Path) -> None:
    path = tmp_path / "leads.duckdb"
    duckdb.connect(str(path)).close()
    with pytest.raises(PublishError, match="cannot be read"):
        describe(path)
