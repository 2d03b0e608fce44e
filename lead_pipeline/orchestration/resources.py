"""What assets are given from outside: settings, accounts, the warehouse.

    environment, .env ──▶ lead_settings ──▶ lead_warehouse ──lock──▶ warehouse.duckdb, read-only
                      └─▶ lead_accounts

The web interface shows them with the names of the variables that they read, and tests put others
in their place. A value is read when an asset asks for it, so a changed variable counts from the
next run on, and no secret is ever part of a configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import dagster as dg
import duckdb
from dagster._utils.warnings import disable_dagster_warnings
from dagster_duckdb import DuckDBResource
from pydantic import Field, create_model, model_validator

from lead_pipeline.accounts import Accounts, UnusableAccount, account_variables, load_accounts
from lead_pipeline.causes import cause_of, without_values
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.logs import log_of, use_format
from lead_pipeline.providers.base import Account
from lead_pipeline.settings import (
    WAREHOUSE_FILE,
    Settings,
    environment_variables,
    is_secret,
    load_settings,
    setting_variables,
)
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.permissions import readers_of, tighten
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.warehouse import read_warehouse, warehouse_at

_log = log_of(__name__)

SETTINGS = "lead_settings"
ACCOUNTS = "lead_accounts"
WAREHOUSE = "lead_warehouse"

_USUAL_NAME = re.compile("[A-Z][A-Z0-9_]*")
"""Variables that can be a field of a resource, and clash with none of its methods."""


def _variable_of(value: object) -> str | None:
    """The variable that an `EnvVar` names, in the form of Python or of a run's configuration."""
    if isinstance(value, dg.EnvVar):
        return value.env_var_name
    if isinstance(value, dict) and value.keys() == {"env"}:
        return str(value["env"])
    return None


class _ReadWhenAsked(dg.ConfigurableResource[Any]):
    """Values by name, of which those that are a `dg.EnvVar` are read when an asset asks.

    Dagster reads them when a run starts, fails where a variable is not set, and leaves values of the
    type Any alone; so the fields, which the web interface shows one by one, are of that type.
    """

    @classmethod
    def of(cls, **values: Any) -> Self:
        """A resource of these values. Raises `ConfigurationError` for one that is refused."""
        fields: dict[str, Any] = {
            name: (Any, Field(default=None, description=cls._description(name))) for name in values
        }
        model = create_model(
            cls.__name__, __base__=cls, __module__=cls.__module__, __doc__=cls.__doc__, **fields
        )
        return model(**values)

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, values: dict[str, Any]) -> dict[str, Any]:
        # Not a ValueError, whose message pydantic would complete with the value.
        for name, value in values.items():
            if name not in cls.model_fields:
                raise ConfigurationError(f"{name}: write {cls.__name__}.of({name}=…).")
            if cls._is_secret(name) and _variable_of(value) is None:
                raise ConfigurationError(
                    f"The value of {name} would be shown to everybody who sees the web interface. "
                    'Put it into a variable, and name that: dg.EnvVar("…").'
                )
        return values

    @classmethod
    def _description(cls, name: str) -> str | None:
        raise NotImplementedError

    @classmethod
    def _is_secret(cls, name: str) -> bool:
        raise NotImplementedError

    def _current(self) -> dict[str, Any]:
        """The values as they are now: None where a variable is not set."""
        environment = environment_variables()
        values = {name: getattr(self, name) for name in type(self).model_fields}
        variables = {name: _variable_of(value) for name, value in values.items()}
        return {
            name: value if variables[name] is None else environment.get(str(variables[name]))
            for name, value in values.items()
        }


class SettingsResource(_ReadWhenAsked):
    """The settings of lead-pipeline, as the environment and `.env` have them when an asset runs.

    What has no line here is read from its own variable, `LEAD_PIPELINE_…`.
    """

    @classmethod
    def from_environment(cls) -> Self:
        """Each setting from its own variable."""
        return cls.of(**{name: dg.EnvVar(text) for name, text in setting_variables().items()})

    @classmethod
    def _description(cls, name: str) -> str | None:
        if name not in Settings.model_fields:
            raise ConfigurationError(
                f"There is no setting {name!r}. Settings: {', '.join(Settings.model_fields)}."
            )
        return Settings.model_fields[name].description

    @classmethod
    def _is_secret(cls, name: str) -> bool:
        return is_secret(name)

    def load(self) -> Settings:
        """The settings as they are now, with the seams of their home.

        Raises `ConfigurationError` that names what is wrong, `StoreUnavailable` where a team's store
        does not answer.
        """
        own = setting_variables()
        given = {
            name: Settings.model_fields[name].default if value is None else value
            for name, value in self._current().items()
            # Its own variable is what a setting is read from anyway.
            if _variable_of(getattr(self, name)) != own[name]
        }
        settings = load_settings(given)
        seams_of(settings)
        return settings

    def load_refreshed(self) -> Settings:
        """The same, once the home has what landing has now: for whoever reads it without loading."""
        settings = self.load()
        seams_of(settings).landing.refresh()
        return settings


class AccountsResource(_ReadWhenAsked):
    """The accounts whose leads are pulled, with credentials that are read when an asset runs.

    A line is a variable that accounts are read from, and the one that is read in its place. What has
    no line here is read as it is.
    """

    @classmethod
    def from_environment(cls, settings: Settings) -> Self:
        """All variables that accounts can be read from, set or not, of the usual kind of name.

        First the setting that names the file of accounts. Raises `ConfigurationError` when that
        cannot be read.
        """
        names = [setting_variables()["accounts"], *account_variables(settings.accounts)]
        return cls.of(**{name: dg.EnvVar(name) for name in names if _USUAL_NAME.fullmatch(name)})

    @classmethod
    def _description(cls, name: str) -> str | None:
        return None

    @classmethod
    def _is_secret(cls, name: str) -> bool:
        return True

    def load(self, settings: Settings) -> Accounts:
        """The accounts as they are now. Raises `ConfigurationError` that names what is wrong."""
        return load_accounts(settings, self._current())


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
        nothing has been loaded yet, or another program has the file open for writing. Errors of
        DuckDB within the block keep their class and lose the values that they quote: Dagster keeps
        what an asset raises.
        """
        settings = self.settings.load()
        path = settings.home / self.database
        log = dg.get_dagster_logger()
        with held(settings.warehouse_lock, "reading the warehouse", log.info):
            if not warehouse_at(path).exists():
                raise ConfigurationError(
                    f"There is no warehouse at {path} yet. Load leads first: lead-pipeline run. "
                    "If there are some, is LEAD_PIPELINE_HOME right?"
                )
            with without_values(), _opened(path, self.connection_config) as connection:
                yield connection


@contextmanager
def _opened(path: Path, config: Mapping[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(read_warehouse(path, config))
        except duckdb.Error as error:
            raise ConfigurationError(
                f"The warehouse cannot be read: {cause_of(error)}. Another program "
                "may have it open for writing; only lead-pipeline may."
            ) from None
        yield connection


@dataclass(frozen=True)
class Surroundings:
    """What definitions are made in: settings, declared accounts, and the resources by their keys.

    Accounts without credentials are among them: their runs fail and say so, until somebody sets them.
    """

    settings: Settings
    accounts: Sequence[Account | UnusableAccount]
    resources: Mapping[str, Any]


def surroundings_of(given: Mapping[str, Any]) -> Surroundings:
    """As the environment has them now; `given` resources win over ours, by key.

    Closes a home that others can look into. Raises `ConfigurationError` that names what is wrong.
    """
    lead_settings = given.get(SETTINGS) or SettingsResource.from_environment()
    settings = lead_settings.load()
    use_format(settings.log_format)
    tighten(settings.home, readers_of(settings), _log.warning)
    lead_accounts = given.get(ACCOUNTS) or AccountsResource.from_environment(settings)
    ours = {
        SETTINGS: lead_settings,
        ACCOUNTS: lead_accounts,
        WAREHOUSE: WarehouseResource(settings=lead_settings),
    }
    return Surroundings(settings, lead_accounts.load(settings).declared, {**ours, **given})


class _AssetsWithDefaults(dg.AssetsDefinition):
    """Assets that bring their resources along, and take others of the same keys in their place.

    Dagster's own refuse the others, and assets that bring none cannot be materialized alone.
    """

    def with_resources(
        self, resource_defs: Mapping[str, dg.ResourceDefinition]
    ) -> dg.AssetsDefinition:
        """These assets with `resource_defs`, and their own where there is no other."""
        own = {key: value for key, value in self.resource_defs.items() if key not in resource_defs}
        # Of arguments that are beta Dagster warns all but itself.
        with disable_dagster_warnings():
            bare = dg.AssetsDefinition(**{**self.get_attributes_dict(), "resource_defs": own})
        return bare.with_resources(resource_defs)


_DEFAULTS: Mapping[str, dg.ConfigurableResource[Any]] = {
    SETTINGS: SettingsResource.from_environment(),
    ACCOUNTS: AccountsResource.of(**{name: dg.EnvVar(name) for name in account_variables(None)}),
}
"""Made once: assets of one run must have the same, not only equal ones."""


def with_default_resources(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """`assets`, which read settings and accounts from the environment unless told otherwise."""
    [bound] = dg.with_resources([assets], _DEFAULTS)
    return with_replaceable_resources(bound)


def with_replaceable_resources(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """`assets`, whose own resources yield to others of the same keys.

    Dagster forgets that of assets whose specifications have been changed.
    """
    with disable_dagster_warnings():
        return _AssetsWithDefaults(**assets.get_attributes_dict())
