"""What assets are given from outside: settings, accounts, the warehouse.

    environment, .env ──▶ lead_settings ──▶ lead_warehouse ──lock──▶ warehouse.duckdb, read-only
                      └─▶ lead_accounts

The web interface shows them with the names of the variables that they read, and tests put others
in their place. A value is read when an asset asks for it, so a changed variable counts from the
next run on, and no value is ever part of a configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import dagster as dg
import duckdb
from dagster._utils.warnings import disable_dagster_warnings
from dagster_duckdb import DuckDBResource
from pydantic import Field, field_validator

from lead_pipeline.accounts import Accounts, account_variables, load_accounts
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import (
    WAREHOUSE_FILE,
    Settings,
    environment_variables,
    is_secret,
    load_settings,
    setting_variables,
)
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.warehouse import read_warehouse

SETTINGS = "lead_settings"
ACCOUNTS = "lead_accounts"
WAREHOUSE = "lead_warehouse"

# Not a ValueError, whose message pydantic would complete with the value.
_SHOWN = (
    "The value of {name} would be shown to everybody who sees the web interface. Put it into a "
    'variable, and name that: dg.EnvVar("…").'
)


class SettingsResource(dg.ConfigurableResource[Any]):
    """The settings of lead-pipeline, as the environment and `.env` have them when an asset runs."""

    # Any: Dagster would read an EnvVar at a run's start, and fail where the variable is not set.
    values: dict[str, Any] = Field(
        default={},
        description="By the name of a setting: the variable that it is read from, or its value. "
        "What is not named here is read from its own variable, LEAD_PIPELINE_….",
    )

    @field_validator("values")
    @classmethod
    def _known_and_no_secrets(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name, value in values.items():
            if name not in Settings.model_fields:
                raise ConfigurationError(
                    f"There is no setting {name!r}. Settings: {', '.join(Settings.model_fields)}."
                )
            if is_secret(name) and _variable_of(value) is None:
                raise ConfigurationError(_SHOWN.format(name=name))
        return values

    @classmethod
    def from_environment(cls) -> Self:
        """Each setting from its own variable, all of which the web interface then shows."""
        return cls(values={name: dg.EnvVar(text) for name, text in setting_variables().items()})

    def load(self) -> Settings:
        """The settings as they are now. Raises `ConfigurationError` that names what is wrong."""
        own = setting_variables()
        others = {name: v for name, v in self.values.items() if _variable_of(v) != own[name]}
        defaults = {name: Settings.model_fields[name].default for name in others}
        given = {name: value for name, value in _current(others).items() if value is not None}
        return load_settings(defaults | given)


class AccountsResource(dg.ConfigurableResource[Any]):
    """The accounts whose leads are pulled, with credentials that are read when an asset runs."""

    variables: dict[str, Any] = Field(
        default={},
        description="By the name of a variable that accounts are read from: the variable that is "
        "read in its place. What is not named here is read as it is.",
    )

    @field_validator("variables")
    @classmethod
    def _no_secrets(cls, variables: dict[str, Any]) -> dict[str, Any]:
        for name, value in variables.items():
            if _variable_of(value) is None:
                raise ConfigurationError(_SHOWN.format(name=name))
        return variables

    @classmethod
    def from_environment(cls, settings: Settings) -> Self:
        """Each variable as it is; the web interface shows all that accounts can be read from.

        Raises `ConfigurationError` when the file of accounts cannot be read.
        """
        return cls(variables={name: dg.EnvVar(name) for name in account_variables(settings)})

    def load(self, settings: Settings) -> Accounts:
        """The accounts as they are now. Raises `ConfigurationError` that names what is wrong."""
        return load_accounts(settings, _current(self.variables))


class WarehouseResource(DuckDBResource):
    """The warehouse, read-only; whoever reads it and the load take turns.

    Its tables hold personal data, unmasked. A load waits while the connection is open: take what
    you need, leave the block, then compute.
    """

    settings: SettingsResource
    database: str = Field(
        default=WAREHOUSE_FILE, description="The DuckDB file, below LEAD_PIPELINE_HOME."
    )

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection for the block, always closed; times of its session are UTC.

        Waits, and says for whom, while a load has the file. Raises `ConfigurationError` where
        nothing has been loaded yet, or another program has the file open for writing.
        """
        settings = self.settings.load()
        path = settings.home / self.database
        log = dg.get_dagster_logger()
        with held(settings.warehouse_lock, "reading the warehouse", log.info):
            if not path.exists():
                raise ConfigurationError(
                    f"There is no warehouse at {path} yet. Load leads first: lead-pipeline run. "
                    "If there are some, is LEAD_PIPELINE_HOME right?"
                )
            with _opened(path, self.connection_config) as connection:
                yield connection


@contextmanager
def _opened(path: Path, config: Mapping[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(read_warehouse(path, config))
        except duckdb.Error as error:
            raise ConfigurationError(
                f"The warehouse cannot be read: {str(error).partition(chr(10))[0]} Another program "
                "may have it open for writing; only lead-pipeline may."
            ) from error
        yield connection


class _AssetsWithDefaults(dg.AssetsDefinition):
    """Assets that bring their resources along, and take others of the same keys in their place.

    Dagster's own refuse the others, and assets that bring none cannot be materialized alone.
    """

    def with_resources(
        self, resource_defs: Mapping[str, dg.ResourceDefinition]
    ) -> dg.AssetsDefinition:
        """These assets with `resource_defs`, and their own where there is no other."""
        own = {key: value for key, value in self.resource_defs.items() if key not in resource_defs}
        # Dagster passes on arguments that are beta in its own words, and warns of those of others.
        with disable_dagster_warnings():
            bare = dg.AssetsDefinition(**{**self.get_attributes_dict(), "resource_defs": own})
        return bare.with_resources(resource_defs)


_DEFAULTS: Mapping[str, dg.ConfigurableResource[Any]] = {
    SETTINGS: SettingsResource(),
    ACCOUNTS: AccountsResource(),
}
"""Made once: assets of one run must have the same, not only equal ones."""


def with_default_resources(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """`assets`, which read settings and accounts from the environment unless told otherwise."""
    [bound] = dg.with_resources([assets], _DEFAULTS)
    with disable_dagster_warnings():
        return _AssetsWithDefaults(**bound.get_attributes_dict())


def _variable_of(value: object) -> str | None:
    """The variable that an `EnvVar` names, in the form of Python or of a run's configuration."""
    if isinstance(value, dg.EnvVar):
        return value.env_var_name
    if isinstance(value, dict) and value.keys() == {"env"}:
        return str(value["env"])
    return None


def _current(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values`, with what their variables hold now: None where one is not set."""
    environment = environment_variables()
    variables = {name: _variable_of(value) for name, value in values.items()}
    return {
        name: value if variables[name] is None else environment.get(str(variables[name]))
        for name, value in values.items()
    }
