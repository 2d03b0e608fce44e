"""The code location, loaded exactly as production loads it."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value

from lead_pipeline import definitions
from lead_pipeline.landing.files import RECORD_SCHEMA
from lead_pipeline.sandbox import Sandbox, World, tenants
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.orchestration.evaluating import evaluated

CREDENTIALS: Mapping[str, str] = {
    "MEGA_TOKEN": tenants.MEGA_TOKEN,
    "MEGA_CUSTOMER_ID": tenants.MEGA_CUSTOMER_ID,
    "EXPERT_AI_LABS_API_KEY": tenants.EXPERT_AI_LABS_API_KEY,
    "VOREL_API_KEY": tenants.VOREL_API_KEY,
}
SECRETS = [CREDENTIALS[name] for name in CREDENTIALS if name != "MEGA_CUSTOMER_ID"]
LANDING = {
    "landing/mega/leads",
    "landing/expert_ai_labs/lead_events",
    "landing/expert_ai_labs/leads",
    "landing/expert_ai_labs/lead_details",
    "landing/vorel/leads",
    "landing/vorel/stale_leads",
}
NORMALIZED = {"normalized/lead_versions", "normalized/leads", "normalized/lead_stage_history"}


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return definitions.defs()


def asset_keys(loaded: dg.Definitions) -> set[str]:
    return {key.to_user_string() for key in loaded.resolve_asset_graph().get_all_asset_keys()}


def test_who_only_looks_at_definitions_imports_nothing_that_builds() -> None:
    program = "import sys, lead_pipeline.definitions; print(*sys.modules)"
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    builders = {"dbt.cli.main", "sqlalchemy", "pandas", "altair", "networkx"}
    assert builders & set(ran.stdout.split()) == set()


def test_assets_have_the_promised_keys(loaded: dg.Definitions) -> None:
    promised = LANDING | NORMALIZED | {"marts/leads", "marts/stage_funnel_daily", "bi/published"}
    assert promised - asset_keys(loaded) == set()


def test_assets_are_in_the_group_of_their_layer(loaded: dg.Definitions) -> None:
    graph = loaded.resolve_asset_graph()
    groups = {node.group_name for node in graph.asset_nodes if node.key.path[0] == "landing"}
    assert groups == {"landing"}
    assert {node.group_name for node in graph.asset_nodes} == {
        "landing",
        "normalized",
        "marts",
        "bi",
    }


def test_everything_leads_to_the_published_file(loaded: dg.Definitions) -> None:
    graph = loaded.resolve_asset_graph()
    selection = dg.AssetSelection.assets("bi/published").upstream()
    assert selection.resolve(graph) == graph.get_all_asset_keys()


def test_landing_of_an_account_shares_one_pool(loaded: dg.Definitions) -> None:
    graph = loaded.resolve_asset_graph()
    pools = {node.key.path[1]: node.pools for node in graph.asset_nodes if node.is_partitioned}
    assert pools == {name: {name} for name in ("mega", "expert_ai_labs", "vorel")}


def test_a_backfill_of_landing_is_one_run(loaded: dg.Definitions) -> None:
    graph = loaded.resolve_asset_graph()
    policies = {node.backfill_policy for node in graph.asset_nodes if node.is_partitioned}
    assert policies == {dg.BackfillPolicy.single_run()}


def specs_of(loaded: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in loaded.resolve_all_asset_specs()}


@pytest.mark.parametrize(
    ("asset", "tags"),
    [
        ("landing/vorel/leads", {"layer": "landing", "provider": "vorel", "pii": ""}),
        ("normalized/leads", {"layer": "normalized", "pii": ""}),
        ("marts/leads", {"layer": "marts", "pii": ""}),
        ("marts/stage_funnel_daily", {"layer": "marts"}),
        ("bi/published", {"layer": "bi", "pii": ""}),
    ],
)
def test_tags_tell_layer_provider_and_personal_data(
    asset: str, tags: dict[str, str], loaded: dg.Definitions
) -> None:
    shown = specs_of(loaded)[asset].tags
    assert {key: shown[key] for key in shown if key in ("layer", "provider", "pii")} == tags


def test_masked_marts_are_not_tagged_as_personal_data(
    loaded: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_MASKING", "true")
    monkeypatch.setenv("LEAD_PIPELINE_MASKING_KEY", "a key that nobody can guess, really")
    personal = {key for key, spec in specs_of(definitions.defs()).items() if "pii" in spec.tags}
    assert personal == LANDING | {"normalized/leads", "normalized/lead_versions"}
    assert "marts/leads" in {key for key, spec in specs_of(loaded).items() if "pii" in spec.tags}


@pytest.mark.parametrize("owner", ["team:data", "ada@example.com"])
def test_owner_of_the_settings_answers_for_every_asset(
    owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_OWNER", owner)
    assert {tuple(s.owners) for s in specs_of(definitions.defs()).values()} == {(owner,)}


def test_without_the_setting_assets_have_no_owner(loaded: dg.Definitions) -> None:
    assert {tuple(spec.owners) for spec in specs_of(loaded).values()} == {()}


def test_every_asset_links_to_its_source_code(loaded: dg.Definitions) -> None:
    for key, spec in specs_of(loaded).items():
        references = spec.metadata["dagster/code_references"].code_references
        files = [r.file_path for r in references if isinstance(r, dg.LocalFileCodeReference)]
        assert files, key
        assert [file for file in files if not Path(file).exists()] == []


def test_columns_of_landing_are_those_of_its_files_and_described(loaded: dg.Definitions) -> None:
    schema = specs_of(loaded)["landing/mega/leads"].metadata["dagster/column_schema"]
    assert [column.name for column in schema.columns] == RECORD_SCHEMA.names
    assert [column.name for column in schema.columns if not column.description] == []


def test_job_and_schedules_have_the_promised_names(loaded: dg.Definitions) -> None:
    assert loaded.resolve_job_def("daily_leads").name == "daily_leads"
    names = {schedule.name for schedule in loaded.get_repository_def().schedule_defs}
    assert {"daily_leads_schedule", "intraday_leads_schedule"} - names == set()


@pytest.mark.parametrize(
    ("schedule", "status"),
    [
        ("daily_leads_schedule", dg.DefaultScheduleStatus.RUNNING),
        ("hourly_polls_schedule", dg.DefaultScheduleStatus.RUNNING),
        ("intraday_leads_schedule", dg.DefaultScheduleStatus.STOPPED),
        ("weekly_full_leads_schedule", dg.DefaultScheduleStatus.STOPPED),
    ],
)
def test_only_nights_and_polls_are_on(
    loaded: dg.Definitions, schedule: str, status: dg.DefaultScheduleStatus
) -> None:
    assert loaded.resolve_schedule_def(schedule).default_status == status


def test_weekly_full_schedule_is_on_where_nights_stop_at_a_horizon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "key")
    monkeypatch.setenv("VOREL_HORIZON_DAYS", "90")
    schedule = definitions.defs().resolve_schedule_def("weekly_full_leads_schedule")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_day_before_the_first_partition_is_skipped(loaded: dg.Definitions) -> None:
    at = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
    assert evaluated(loaded, "daily_leads_schedule", at) == []


def test_intraday_asks_for_today(loaded: dg.Definitions) -> None:
    requests = evaluated(
        loaded, "intraday_leads_schedule", datetime(2026, 1, 15, 12, 15, tzinfo=UTC)
    )
    assert {request.partition_key for request in requests} == {"2026-01-15"}


def test_weekly_full_run_tells_landing_to_read_everything(loaded: dg.Definitions) -> None:
    requests = evaluated(
        loaded, "weekly_full_leads_schedule", datetime(2026, 1, 18, 4, 30, tzinfo=UTC)
    )
    [of_mega] = (r for r in requests if r.tags["lead_pipeline/account"] == "mega")
    assert of_mega.run_config == {"ops": {"landing__mega__leads": {"config": {"full": True}}}}


def test_code_location_loads_without_credentials() -> None:
    keys = asset_keys(definitions.defs())
    assert NORMALIZED | {"bi/published"} <= keys
    assert [key for key in keys if key.startswith("landing/")] == []


@pytest.fixture
def without_key(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two declared accounts, of which one has its key."""
    path = tmp_path_factory.mktemp("accounts") / "accounts.toml"
    path.write_text(
        '[accounts.salon]\nprovider = "vorel"\napi_key = "a-key"\n'
        '[accounts.agency]\nprovider = "vorel"\napi_key_env = "AGENCY_KEY"\n'
    )
    monkeypatch.setenv("LEAD_PIPELINE_ACCOUNTS", str(path))


@pytest.mark.usefixtures("without_key")
def test_declared_account_without_its_key_has_assets() -> None:
    keys = asset_keys(definitions.defs())
    assert {"landing/agency/leads", "landing/salon/leads"} <= keys


@pytest.mark.usefixtures("without_key")
@pytest.mark.parametrize("schedule", ["daily_leads_schedule", "weekly_full_leads_schedule"])
def test_schedules_ask_for_a_declared_account_without_its_key(schedule: str) -> None:
    at = datetime(2026, 1, 18, 2, 30, tzinfo=UTC)
    requests = evaluated(definitions.defs(), schedule, at)
    assert {r.tags["lead_pipeline/account"] for r in requests} == {"salon", "agency"}


@pytest.mark.usefixtures("without_key")
def test_run_of_a_declared_account_without_its_key_fails_with_its_name_and_does_nothing_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(home))
    loaded = definitions.defs()
    request = evaluated(loaded, "daily_leads_schedule", datetime(2026, 1, 2, 2, 30, tzinfo=UTC))[-1]
    with instance_of(home) as instance:
        result = loaded.resolve_job_def("daily_leads").execute_in_process(
            instance=instance,
            asset_selection=list(request.asset_selection or []),
            partition_key=request.partition_key,
            tags=dict(request.tags),
            raise_on_error=False,
        )
    assert request.tags["lead_pipeline/account"] == "agency"
    said = {
        event.step_failure_data.user_failure_data.description
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data is not None
    }
    [message] = [text for text in said if text]
    assert message.startswith("Account agency cannot be used: set the variable AGENCY_KEY (")
    assert not (home / "warehouse.duckdb").exists()
    assert not (home / "bi").exists()


@pytest.mark.usefixtures("without_key")
def test_key_that_is_set_later_counts_from_the_next_run_on_without_a_reload(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = definitions.defs()
    with Sandbox(World(leads_per_day=2, leads_at_start=5), limits=False) as sandbox:
        sandbox.set_clock(datetime(2026, 1, 2, 2, 30, tzinfo=UTC))
        monkeypatch.setenv("LEAD_PIPELINE_HOME", str(home))
        variables = sandbox.environment()
        path = Path(os.environ["LEAD_PIPELINE_ACCOUNTS"])
        path.write_text(f'{path.read_text()}base_url = "{variables["VOREL_BASE_URL"]}"\n')
        monkeypatch.setenv("AGENCY_KEY", variables["VOREL_API_KEY"])
        with instance_of(home) as instance:
            result = loaded.resolve_job_def("daily_leads").execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(["landing", "agency", "leads"])],
                partition_key="2026-01-01",
            )
    assert result.success
    assert list((home / "landing" / "agency" / "leads").glob("date=*/*.parquet"))


def test_schedules_without_credentials_ask_for_nothing() -> None:
    at = datetime(2026, 1, 15, 2, 30, tzinfo=UTC)
    assert evaluated(definitions.defs(), "daily_leads_schedule", at) == []


def test_two_accounts_of_a_provider_have_their_own_assets(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("accounts") / "accounts.toml"
    entry = '[[accounts]]\nname = "{}"\nprovider = "vorel"\napi_key = "a-key"\n'
    path.write_text(entry.format("vorel_eu") + entry.format("vorel_us"))
    monkeypatch.setenv("LEAD_PIPELINE_ACCOUNTS", str(path))
    keys = asset_keys(definitions.defs())
    assert {"landing/vorel_eu/leads", "landing/vorel_us/leads"} <= keys


# Dagster's own snapshot reads a property that Dagster has deprecated.
@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`")
def test_no_secret_is_in_what_the_code_location_tells_dagster(loaded: dg.Definitions) -> None:
    snapshot = serialize_value(RepositorySnap.from_def(loaded.get_repository_def()))
    assert "landing__mega__leads" in snapshot
    assert [secret for secret in SECRETS if secret in snapshot] == []


def test_loading_warns_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        definitions.defs()


def test_definitions_for_one_account_have_all_that_its_run_executes(
    loaded: dg.Definitions,
) -> None:
    narrowed = definitions.load_definitions(only="vorel")
    assert asset_keys(narrowed) == asset_keys(loaded) - {
        key for key in LANDING if not key.startswith("landing/vorel/")
    }
    steps = [
        set(
            definition.resolve_job_def("daily_leads")
            .get_subset(asset_selection={dg.AssetKey(["landing", "vorel", "leads"])})
            .nodes_in_topological_order
        )
        for definition in (loaded, narrowed)
    ]
    assert [{node.name for node in nodes} for nodes in steps] == [
        {"landing__vorel__leads", "landing__vorel__leads_data_is_fresh"}
    ] * 2
