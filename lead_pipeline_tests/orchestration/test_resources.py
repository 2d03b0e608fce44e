"""Resources: seen with their variables and never with secrets, read when asked, replaceable."""

import os
import subprocess
import sys
import threading
from contextlib import closing
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster._core.remote_representation.external_data import (
    RepositorySnap,
    ResourceConfigEnvVarSnap,
)
from dagster._serdes import serialize_value
from dagster_duckdb import DuckDBResource

from lead_pipeline.definitions import defs, load_definitions
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.landing.progress import Progress, subscribed
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.orchestration.normalized_assets import KEYS, LEADS, build_normalized_assets
from lead_pipeline.orchestration.resources import (
    AccountsResource,
    SettingsResource,
    WarehouseResource,
)
from lead_pipeline.orchestration.runner import PipelineRunner
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held, waits_heard
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.pulling import account_of, at, settings_in

pytestmark = [
    # Dagster reads properties that it has deprecated: for its snapshot, for resources in resources.
    pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`"),
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run"),
]

SECRETS = {
    "VOREL_API_KEY": "vapk_in_a_variable_0123456789",
    "LEAD_PIPELINE_MASKING_KEY": "masking_key_in_a_variable_0123456789",
}
IN_FILE = "vapk_in_the_file_of_accounts"
HOLD = """
import duckdb, sys, time
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
time.sleep(60)
"""


@pytest.fixture
def landing(settings: Settings) -> Landing:
    """A home in which one lead has landed, and which is not the environment's."""
    landing = Landing(settings)
    landing.leads("vorel", vorel_lead(1, at(1), at(1)))
    return landing


@pytest.fixture
def loaded(landing: Landing) -> Settings:
    """The home of a warehouse with that lead in it."""
    load_landing(landing.settings)
    return landing.settings


@pytest.fixture
def warehouse(loaded: Settings) -> WarehouseResource:
    return WarehouseResource(settings=SettingsResource.of(home=str(loaded.home)))


@pytest.fixture
def secret_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Secrets in variables and in the file of accounts; returns them."""
    for name, value in {**SECRETS, "LEAD_PIPELINE_MASKING": "false"}.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "accounts.toml"
    file.write_text(
        f'[accounts.salon]\nprovider = "vorel"\napi_key = "{IN_FILE}"\n'
        '[accounts.agency]\nprovider = "vorel"\napi_key_env = "VOREL_API_KEY"\n'
    )
    monkeypatch.setenv("LEAD_PIPELINE_ACCOUNTS", str(file))
    return [*SECRETS.values(), IN_FILE]


def snapshot() -> RepositorySnap:
    """What a code location tells the web interface."""
    return RepositorySnap.from_def(defs().get_repository_def())


def shown(name: str) -> dict[str, object]:
    """The configuration of a resource, line by line, as the web interface shows it."""
    [resource] = [resource for resource in snapshot().resources or [] if resource.name == name]
    assert {
        field.name for field in resource.config_field_snaps
    } == resource.configured_values.keys()
    return dict(resource.configured_values)


def variables(*names: str) -> dict[str, object]:
    """Lines of which each says that a value is read from the variable of the same name."""
    return {name: ResourceConfigEnvVarSnap(name=name) for name in names}


def test_web_interface_shows_which_variable_each_setting_is_read_from() -> None:
    settings = shown("lead_settings")
    assert settings.keys() == Settings.model_fields.keys()
    assert settings["home"] == ResourceConfigEnvVarSnap(name="LEAD_PIPELINE_HOME")
    assert settings["masking_key"] == ResourceConfigEnvVarSnap(name="LEAD_PIPELINE_MASKING_KEY")


def test_web_interface_explains_each_setting() -> None:
    [resource] = [r for r in snapshot().resources or [] if r.name == "lead_settings"]
    texts = {field.name: field.description for field in resource.config_field_snaps}
    assert texts["start_date"] == "The first daily partition."
    assert [name for name, text in texts.items() if not text] == []


def test_web_interface_shows_which_variables_accounts_are_read_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEGA_TOKEN", "a-token")
    assert shown("lead_accounts").items() >= variables("MEGA_TOKEN", "VOREL_BASE_URL").items()


@pytest.mark.usefixtures("secret_environment")
def test_web_interface_shows_the_variables_that_the_file_of_accounts_names() -> None:
    assert shown("lead_accounts") == variables("LEAD_PIPELINE_ACCOUNTS", "VOREL_API_KEY")


@pytest.mark.parametrize("name", ["_private", "load", "with-dash", "model_config"])
def test_account_with_an_unusual_variable_is_read_although_it_has_no_line(
    name: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "a-key")
    file = tmp_path / "accounts.toml"
    file.write_text(f'[accounts.salon]\nprovider = "vorel"\napi_key_env = "{name}"\n')
    with_file = settings_in(settings.home, accounts=file)
    loaded = AccountsResource.from_environment(with_file).load(with_file)
    assert loaded.named("salon").credentials == {"api_key": "a-key"}


def test_web_interface_shows_the_assets_that_use_a_resource_and_the_warehouse_that_uses_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "a-key")
    resources = {resource.name: resource for resource in snapshot().resources or []}
    used = {name: set(map(str, r.asset_keys_using)) for name, r in resources.items()}
    assert str(dg.AssetKey(["landing", "vorel", "leads"])) in used["lead_accounts"]
    assert {str(key) for key in KEYS} < used["lead_settings"]
    assert str(dg.AssetKey(["bi", "published"])) in used["lead_settings"]
    assert resources["lead_warehouse"].nested_resources["settings"].name == "lead_settings"


def test_no_secret_is_in_what_the_code_location_tells_dagster(
    secret_environment: list[str],
) -> None:
    told = serialize_value(snapshot())
    assert "landing__salon__leads" in told
    assert [secret for secret in secret_environment if secret in told] == []


def test_no_secret_is_in_what_a_run_writes_even_if_an_asset_prints_its_resources(
    secret_environment: list[str], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    @dg.asset
    def talkative(
        context: dg.AssetExecutionContext,
        lead_settings: SettingsResource,
        lead_accounts: AccountsResource,
        lead_warehouse: WarehouseResource,
    ) -> None:
        settings = lead_settings.load()
        accounts = lead_accounts.load(settings)
        for thing in (lead_settings, lead_accounts, lead_warehouse, settings, accounts):
            context.log.info(f"{thing!r} {thing!s}")
        assert [account.name for account in accounts.usable] == ["salon", "agency"]
        assert accounts.named("agency").credentials["api_key"] == SECRETS["VOREL_API_KEY"]

    with instance_of(home) as instance:
        result = dg.materialize([talkative], resources=defs().resources, instance=instance)
        run = instance.get_run_by_id(result.run_id)
        events = "".join(map(str, instance.all_logs(result.run_id)))
    output = capfd.readouterr()
    written = "".join((str(run), events, output.out, output.err))
    assert "LEAD_PIPELINE_MASKING_KEY" in written
    assert [secret for secret in secret_environment if secret in written] == []
    assert [
        path
        for path in home.rglob("*")
        if path.is_file()
        for secret in secret_environment
        if secret.encode() in path.read_bytes()
    ] == []


@pytest.mark.parametrize(
    ("resource", "name"), [(SettingsResource, "masking_key"), (AccountsResource, "VOREL_API_KEY")]
)
def test_secret_given_as_text_is_refused_without_being_repeated(
    resource: type[SettingsResource | AccountsResource], name: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name} would be shown.*EnvVar") as refusal:
        resource.of(**{name: "a-secret-as-text"})
    assert "a-secret-as-text" not in str(refusal.value)


@pytest.mark.filterwarnings("ignore:The `__fields__` attribute")
def test_value_without_its_field_is_refused_with_how_to_give_it() -> None:
    with pytest.raises(ConfigurationError, match=r"home: write SettingsResource.of\(home=…\)"):
        SettingsResource(home="data")  # type: ignore[call-arg]


def test_unknown_setting_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"no setting 'hom'. Settings: home, start_date"):
        SettingsResource.of(hom="data")


def test_setting_out_of_its_range_is_an_error_that_names_its_variable() -> None:
    with pytest.raises(ConfigurationError, match="LEAD_PIPELINE_OVERLAP_MINUTES: Input should be"):
        SettingsResource.of(overlap_minutes=-1).load()


def test_setting_can_be_read_from_another_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = SettingsResource.of(overlap_minutes=dg.EnvVar("OTHER"))
    monkeypatch.setenv("LEAD_PIPELINE_OVERLAP_MINUTES", "7")
    assert resource.load().overlap_minutes == 60
    monkeypatch.setenv("OTHER", "5")
    assert resource.load().overlap_minutes == 5


def test_account_of_another_variable_never_falls_back_to_the_usual_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "the-real-key")
    monkeypatch.setenv("VOREL_BASE_URL", "http://127.0.0.1:1")
    resource = AccountsResource.of(VOREL_API_KEY=dg.EnvVar("KEY_FOR_TESTS"))
    assert [account.name for account in resource.load(settings).incomplete] == ["vorel"]
    monkeypatch.setenv("KEY_FOR_TESTS", "a-test-key")
    assert resource.load(settings).named("vorel").credentials == {"api_key": "a-test-key"}


@pytest.mark.parametrize("change", ["variable set later", "variable unset later"])
def test_changed_variable_counts_from_the_next_run_on(
    change: str, landing: Landing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if change == "variable unset later":
        monkeypatch.setenv("LEAD_PIPELINE_HOME", str(tmp_path / "before"))
    job = defs().resolve_job_def("daily_leads")
    if change == "variable unset later":
        monkeypatch.delenv("LEAD_PIPELINE_HOME")
        expected = tmp_path / "data"
    else:
        monkeypatch.setenv("LEAD_PIPELINE_HOME", str(landing.settings.home))
        expected = landing.settings.home
    assert load_in(job).success
    assert (expected / "warehouse.duckdb").exists()


def load_in(job: dg.JobDefinition) -> dg.ExecuteInProcessResult:
    """A run of the load alone, whose instance is gone afterwards."""
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, asset_selection=list(KEYS))


@pytest.mark.long
def test_definitions_can_be_loaded_with_other_settings(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(tmp_path / "real"))
    other = SettingsResource.of(home=str(landing.settings.home))
    loaded = load_definitions({"lead_settings": other})
    assert load_in(loaded.resolve_job_def("daily_leads")).success
    assert landing.settings.warehouse_path.exists()
    assert not (tmp_path / "real").exists()


def test_assets_run_with_the_resources_that_a_test_gives_them(landing: Landing) -> None:
    other = SettingsResource.of(home=str(landing.settings.home))
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize(
            [build_normalized_assets([])], instance=instance, resources={"lead_settings": other}
        ).success
    assert landing.settings.warehouse_path.exists()


def test_assets_of_the_definitions_run_without_resources(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(landing.settings.home))
    assets = [
        assets
        for assets in defs().assets or []
        if isinstance(assets, dg.AssetsDefinition) and LEADS in assets.keys
    ]
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize(assets, instance=instance).success
    assert landing.settings.warehouse_path.exists()


def test_key_that_is_changed_while_a_run_waits_for_its_quota_counts_when_it_comes_back(
    limited: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def revoke(progress: Progress) -> None:
        if "comes back by itself" in progress.message:
            monkeypatch.setenv("MEGA_TOKEN", "another-token")

    with instance_of(home) as instance, subscribed(revoke):
        outcome = PipelineRunner(defs(), instance).land(
            account_of(limited, "mega"), date(2026, 1, 1), date(2026, 1, 3)
        )
    assert outcome.failure is not None
    assert "answered 401: the credentials (MEGA_TOKEN" in outcome.failure


def test_warehouse_is_read_in_utc(warehouse: WarehouseResource) -> None:
    with warehouse.get_connection() as connection:
        rows = connection.sql("select lead_key, updated_at::varchar from normalized.leads")
        assert rows.fetchall() == [(f"vorel:{vorel_lead(1)['id']}", "2026-01-01 00:00:00+00")]


@pytest.mark.parametrize("config", [{}, {"access_mode": "READ_WRITE"}])
def test_warehouse_cannot_be_written_to(loaded: Settings, config: dict[str, str]) -> None:
    settings = SettingsResource.of(home=str(loaded.home))
    warehouse = WarehouseResource(settings=settings, connection_config=config)
    with pytest.raises((duckdb.Error, ConfigurationError)), warehouse.get_connection() as writer:
        writer.sql("delete from normalized.leads")
    load_landing(loaded)
    with closing(duckdb.connect(str(loaded.warehouse_path), read_only=True)) as connection:
        assert connection.sql("select count(*) from normalized.leads").fetchall() == [(1,)]


def test_options_of_duckdb_reach_the_connection(loaded: Settings) -> None:
    settings = SettingsResource.of(home=str(loaded.home))
    warehouse = WarehouseResource(settings=settings, connection_config={"threads": 1})
    with warehouse.get_connection() as connection:
        assert connection.sql("select current_setting('threads')").fetchall() == [(1,)]


def test_connection_is_closed_and_the_lock_free_when_the_block_raises(
    warehouse: WarehouseResource, loaded: Settings
) -> None:
    with pytest.raises(duckdb.CatalogException), warehouse.get_connection() as connection:
        connection.sql("from normalized.no_such_table")
    with pytest.raises(duckdb.ConnectionException):
        connection.sql("select 1")
    assert load_landing(loaded, rebuild=True).table_rows["leads"] == 1


def test_reader_waits_for_a_load_and_the_run_says_for_whom(
    warehouse: WarehouseResource, loaded: Settings
) -> None:
    """The load of another process has the file until the run has said that it waits."""

    @dg.asset
    def leads_counted(context: dg.AssetExecutionContext, lead_warehouse: DuckDBResource) -> int:
        with lead_warehouse.get_connection() as connection:
            return len(connection.sql("from normalized.leads").fetchall())

    has_lock, may_end = threading.Event(), threading.Event()

    def load() -> None:
        with held(loaded.warehouse_lock, "loading landed files"):
            has_lock.set()
            may_end.wait(30)

    loading = threading.Thread(target=load)
    loading.start()
    assert has_lock.wait(30)
    with (
        waits_heard(lambda message: may_end.set()),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        result = dg.materialize(
            [leads_counted], instance=instance, resources={"lead_warehouse": warehouse}
        )
        log = [entry.user_message for entry in instance.all_logs(result.run_id)]
    loading.join()
    assert result.output_for_node("leads_counted") == 1
    assert [line for line in log if f"Waiting for process {os.getpid()} (loading" in line]


def test_load_waits_for_a_reader_and_says_for_whom(
    warehouse: WarehouseResource, landing: Landing, loaded: Settings
) -> None:
    landing.leads("vorel", vorel_lead(2, at(2), at(2)))
    told: list[str] = []
    rows: list[int] = []
    loading = threading.Thread(
        target=lambda: rows.append(load_landing(loaded, tell=told.append).table_rows["leads"])
    )
    with warehouse.get_connection() as connection:
        loading.start()
        loading.join(1.5)
        assert loading.is_alive()
        assert connection.sql("select count(*) from normalized.leads").fetchall() == [(1,)]
    loading.join(30)
    assert rows == [2]
    assert [line for line in told if "(reading the warehouse" in line]


def test_block_inside_of_another_is_refused_instead_of_waiting_for_itself(
    warehouse: WarehouseResource,
) -> None:
    with warehouse.get_connection(), pytest.raises(RuntimeError, match="wait for ever"):  # noqa: SIM117
        with warehouse.get_connection():
            pass


def test_warehouse_that_is_not_there_says_what_to_do(home: Path) -> None:
    warehouse = WarehouseResource(settings=SettingsResource.of(home=str(home)))
    with (
        pytest.raises(ConfigurationError, match=r"no warehouse at .* yet.*lead-pipeline run"),
        warehouse.get_connection(),
    ):
        pass
    assert not (home / "warehouse.duckdb").exists()


def test_warehouse_that_another_program_has_open_says_so(
    warehouse: WarehouseResource, loaded: Settings
) -> None:
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", HOLD, str(loaded.warehouse_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with (
            pytest.raises(ConfigurationError, match="Another program may have it open"),
            warehouse.get_connection(),
        ):
            pass
        other.kill()
    with warehouse.get_connection() as connection:
        assert connection.sql("select count(*) from normalized.leads").fetchall() == [(1,)]
