"""Settings: where to write, from which day on, how to ask. Read and validated in one place.

Accounts and their credentials are in `lead_pipeline.accounts`.

Nothing is read at import. A command, a run's asset and a child process each call `load_settings()`
once and pass the result down, so that a changed variable counts from the next one on.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, get_args
from zoneinfo import available_timezones

import phonenumbers
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lead_pipeline.addresses import SmtpServer, mail_addresses, open_url, secure_url, smtp_server
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.logs import Format, Level
from lead_pipeline.working_time import parse_holidays, parse_working_hours

PREFIX = "LEAD_PIPELINE_"

WAREHOUSE_FILE = "warehouse.duckdb"
"""The file below `LEAD_PIPELINE_HOME` that only the pipeline writes to."""

ReportNames = Literal["none", "owners", "all"]
"""Whose names may be read on the pages beside the file: nobody's, those of owners, or of leads, too."""

SHORTEST_MASKING_KEY = 32
"""Characters. Names and phone numbers can be guessed; what keeps them secret is the key."""


DBT_PROJECT_DIR = (Path(__file__).parent / "dbt_project").resolve()
"""The dbt project, which a wheel carries; in a checkout, the folder beside the package."""


def snapshot_path(home: Path) -> Path:
    """A copy of what the last build below `home` read, for dbt's target `dev`."""
    return home / "bi" / ".sources" / "leads.duckdb"


_OWNER = r"^(team:\S+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7})$"
"""What Dagster takes as an owner of an asset."""

_SHARED = r"^(s3|gs|az)://[^/?#\s]+(/[^?#\s]*)?$"
"""A bucket or container, and what all names in it begin with."""

EARLIER_VARIABLES = {
    "LEAD_PIPELINE_KEPT_BUILDS": "retained_builds",
    "LEAD_PIPELINE_MAX_SHRINKAGE_PERCENT": "max_row_count_drop_percent",
}
"""What earlier releases called variables, by the setting: read where the variable of today is not set."""

_NOT_TEXT = ".env is not UTF-8 text. Save it as UTF-8."


class Settings(BaseSettings):
    """The `LEAD_PIPELINE_*` variables, from the environment or `.env` (the environment wins)."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    home: Path = Path("data")
    """Everything the pipeline writes lies below this folder."""
    start_date: date = date(2026, 1, 1)
    """The first daily partition."""
    accounts: Path | None = None
    """A TOML file with several accounts; unset: one account per provider, from variables."""
    overlap_minutes: Annotated[int, Field(ge=0, le=7 * 24 * 60)] = 60
    """How far before a window's start to ask again, for records that arrived late."""
    max_wait_seconds: Annotated[int, Field(ge=1)] = 600
    """The longest single wait for a quota inside a crawl; past it the run is retried later."""
    large_backfill_requests: Annotated[int, Field(ge=0)] = 300
    """A first backfill of more requests is not begun on a terminal without saying from which day."""
    publish_deadline_minutes: Annotated[float, Field(gt=0)] = 120
    """How long the first accounts of a batch wait for the others before they are published."""
    phone_region: str = "US"
    """The region of phone numbers written without a country code (ISO 3166, two letters)."""
    timezone: str = "UTC"
    """The zone whose days count in marts and report: a name of IANA's, such as Europe/Berlin."""
    working_hours: str | None = None
    """When people work, in that zone, such as `Mon-Fri 09:00-17:30`; unset: nobody has said so."""
    holidays: str | None = None
    """Country, or country and subdivision, whose public holidays are no working days, such as DE-BE."""
    stages: Path | None = None
    """A CSV whose rows win over those of our `stages.csv`; unset: `stages.csv` in `home`, if any."""
    value_field: str | None = None
    """The custom field that says what a lead is worth, as `custom_fields` names it."""
    loss_reason_field: str | None = None
    """The custom field that says why a lead was lost."""
    own_models: Path | None = None
    """A folder with dbt models, seeds, macros and tests of yours; unset: `dbt` in `home`, if any."""
    log_level: Level = "WARNING"
    """From which level on commands show log lines, on standard error; --verbose shows INFO."""
    log_format: Format = "text"
    """Whether a log line is text for people or JSON for programs."""
    memory_limit: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(MB|GB|MiB|GiB)$")] = "500MB"
    """What DuckDB may take while loading; what does not fit goes to a file beside the warehouse.

    Where it is not set, a load that finds it too little takes more."""
    retained_builds: Annotated[int, Field(ge=0, le=100)] = 3
    """Of how many days the last published file is kept for `lead-pipeline rollback`."""
    log_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """How many days the runs that Dagster shows are kept; the newest of each partition stays."""
    max_vanished_percent: Annotated[float, Field(ge=0, le=100)] = 50
    """A crawl with more than so many percent fewer records than the last list is not believed."""
    max_row_count_drop_percent: Annotated[float, Field(ge=0, le=100)] = 20
    """A build that takes more than so many percent of an account's leads away is not published."""
    owner: Annotated[str, Field(pattern=_OWNER)] | None = None
    """Who answers for the assets, shown in Dagster: `team:NAME` or an e-mail address."""
    bi_url: str | None = None
    """Where people open the folder `bi/`, if something serves it: https://…; unset: nothing does."""
    openlineage_url: SecretStr | None = None
    """The server that takes OpenLineage events; unset: none are sent."""
    openlineage_api_key: SecretStr | None = None
    """The key that it asks for, sent as a bearer token."""
    openlineage_namespace: Annotated[str, Field(min_length=1)] = "lead_pipeline"
    """Under which namespace jobs and tables stand there; another one for each home."""
    readers_group: str | None = None
    """The group, by name or number, that may read what is published; unset: only this user."""
    masking: bool | None = None
    """Whether the BI file holds keyed hashes in place of personal data."""
    masking_key: SecretStr | None = Field(default=None, validate_default=True)
    """The secret of those hashes; nobody without it can tell whose they are."""
    report_names: ReportNames = "none"
    """Whose names the report and the explore page show: none, those of owners, or all."""
    superseded_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """After how many days payloads of superseded states are reduced; unset: they are kept."""
    missing_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """After how many days leads that the provider no longer has are erased; unset: they are kept."""
    rejected_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """After how many days rejected records are removed; unset: they are kept."""
    erasure_key: SecretStr | None = None
    """The secret of the hashes by which erased persons are known again; unset: made once, in `home`."""
    shared: Annotated[str, Field(pattern=_SHARED)] | None = None
    """The team's object store, with a prefix: s3://…, gs://… or az://…; unset: the folder `home`."""
    database: SecretStr | None = None
    """The team's PostgreSQL: postgresql://user:password@host:5432/name."""
    lake: SecretStr | None = None
    """The DuckLake that each publication is also a snapshot of: its catalog in PostgreSQL."""
    lake_builds: Annotated[int, Field(ge=1, le=10_000)] = 30
    """How many publications the lake can be asked for."""
    alert_webhook: SecretStr | None = None
    """Where alerts are posted as JSON, in Slack's form. Who knows the URL can post there too."""
    alert_email: str | None = None
    """Who is sent alerts by e-mail: addresses, separated by commas."""
    alert_sender: str | None = None
    """The sender of those e-mails; unset: the user of the SMTP server, else the first recipient."""
    smtp_url: SecretStr | None = Field(default=None, validate_default=True)
    """The server that takes those e-mails: smtp://user:password@host:587 or smtps://…"""
    heartbeat_url: SecretStr | None = None
    """What is asked for after each good night; whoever watches it misses it after a bad one."""

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @field_validator("accounts", "stages", "own_models")
    @classmethod
    def _of_the_user(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser()

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_capitals(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @field_validator("log_format", mode="before")
    @classmethod
    def _in_small_letters(cls, form: object) -> object:
        return form.lower() if isinstance(form, str) else form

    @field_validator("start_date")
    @classmethod
    def _not_in_the_future(cls, start_date: date) -> date:
        if start_date > datetime.now(UTC).date():
            raise ValueError("must not lie in the future")
        return start_date

    @field_validator("phone_region")
    @classmethod
    def _known_region(cls, region: str) -> str:
        region = region.upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("must be a two-letter country code such as US or GB")
        return region

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        # The zone that the machine happens to be in is no zone that DuckDB knows.
        if name not in available_timezones() - {"localtime"}:
            raise ValueError("must be an IANA time zone such as Europe/Berlin or America/New_York")
        return name

    @field_validator("value_field", "loss_reason_field")
    @classmethod
    def _name_of_a_field(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[^\x00-\x1f\"'\\]+", name):
            raise ValueError("must be the name of one custom field, without quotes and backslashes")
        return name

    @field_validator("working_hours")
    @classmethod
    def _readable_hours(cls, text: str | None) -> str | None:
        return None if text is None else str(parse_working_hours(text))

    @field_validator("holidays")
    @classmethod
    def _known_holidays(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None:
            return None
        if info.data.get("working_hours", "") is None:
            raise ValueError(
                "is set although LEAD_PIPELINE_WORKING_HOURS is not: holidays take away working hours, and "
                "there are none"
            )
        return parse_holidays(text)

    @field_validator("masking_key")
    @classmethod
    def _fit_for_masking(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        masking = info.data.get("masking")
        remedy = (
            f"must be a secret of at least {SHORTEST_MASKING_KEY} characters, as from: "
            "openssl rand -hex 32"
        )
        if key is None:
            if masking:
                raise ValueError(f"is not set although LEAD_PIPELINE_MASKING is on; it {remedy}")
            return None
        if len(key.get_secret_value()) < SHORTEST_MASKING_KEY:
            raise ValueError(f"is too short; it {remedy}")
        if masking is None:
            raise ValueError(
                "is set, but masks nothing: set LEAD_PIPELINE_MASKING to true, or to false if that "
                "is meant"
            )
        return key

    @field_validator("report_names", mode="before")
    @classmethod
    def _of_yes_and_no(cls, names: object) -> object:
        text = str(names).strip().lower()
        return {"true": "all", "false": "none", "1": "all", "0": "none"}.get(text, text)

    @field_validator("report_names")
    @classmethod
    def _not_of_the_masked(cls, names: ReportNames, info: ValidationInfo) -> ReportNames:
        if names != "none" and info.data.get("masking"):
            raise ValueError(
                "must be none where LEAD_PIPELINE_MASKING is on: the file that the report is made of "
                "has no names. Unset one of the two"
            )
        return names

    @field_validator("erasure_key")
    @classmethod
    def _fit_for_erasures(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < SHORTEST_MASKING_KEY:
            raise ValueError(
                f"is too short; it must be a secret of at least {SHORTEST_MASKING_KEY} characters, "
                "as from: openssl rand -hex 32"
            )
        return key

    @field_validator("bi_url")
    @classmethod
    def _opened_by_people(cls, url: str | None) -> str | None:
        return None if url is None else open_url(url)

    @field_validator("alert_webhook", "heartbeat_url", "openlineage_url")
    @classmethod
    def _read_by_nobody_else(cls, url: SecretStr | None) -> SecretStr | None:
        return None if url is None else SecretStr(secure_url(url.get_secret_value()))

    @field_validator("alert_email")
    @classmethod
    def _of_somebody(cls, text: str | None) -> str | None:
        return None if text is None else ", ".join(mail_addresses(text))

    @field_validator("alert_sender")
    @classmethod
    def _of_one(cls, text: str | None) -> str | None:
        if text is None:
            return None
        addresses = mail_addresses(text)
        if len(addresses) > 1:
            raise ValueError("must be one e-mail address")
        return addresses[0]

    @field_validator("smtp_url")
    @classmethod
    def _takes_mail(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is None:
            if info.data.get("alert_email"):
                raise ValueError(
                    "is not set although LEAD_PIPELINE_ALERT_EMAIL is; it must be the server that "
                    "takes the e-mails, as smtp://user:password@host:587"
                )
            return None
        smtp_server(url.get_secret_value())
        return url

    @property
    def alert_recipients(self) -> tuple[str, ...]:
        """Who is sent alerts by e-mail."""
        return () if self.alert_email is None else mail_addresses(self.alert_email)

    @property
    def smtp_server(self) -> SmtpServer | None:
        """The server that takes e-mails; None where none is set."""
        return None if self.smtp_url is None else smtp_server(self.smtp_url.get_secret_value())

    @property
    def alerts_path(self) -> Path:
        """Which causes for alerts there are, and when who was told."""
        return self.home / "alerts.json"

    @property
    def alerts_lock(self) -> Path:
        """Held by whoever tells of causes, so that two do not tell the same."""
        return self.home / ".locks" / "alerts"

    @property
    def erasure_key_path(self) -> Path:
        """The key of erasures where no variable has it: apart from landing, which backups hold."""
        return self.home / "erasure.key"

    @property
    def erasures_path(self) -> Path:
        """Receipts of erasures, those that are under way, and a second copy of all tombstones."""
        return self.home / "erasures"

    @property
    def overlap(self) -> timedelta:
        """`overlap_minutes` as a duration."""
        return timedelta(minutes=self.overlap_minutes)

    @property
    def landing_path(self) -> Path:
        """Raw records and commit records, per account."""
        return self.home / "landing"

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file that only the pipeline opens."""
        return self.home / WAREHOUSE_FILE

    @property
    def scratch_warehouse_path(self) -> Path:
        """Where a warehouse is rebuilt before it takes the place of the old one."""
        return self.home / ".warehouse" / WAREHOUSE_FILE

    @property
    def stages_path(self) -> Path | None:
        """The users' stage mapping, if there is one."""
        if self.stages is not None:
            return self.stages
        path = self.home / "stages.csv"
        return path if path.exists() else None

    @property
    def own_models_path(self) -> Path:
        """The folder with the users' dbt models, whether there is one or not."""
        return self.home / "dbt" if self.own_models is None else self.own_models.resolve()

    @property
    def merged_dbt_path(self) -> Path:
        """Our dbt project with the users' models in it, in a folder for each state of both."""
        return self.home / ".dbt"

    @property
    def published_path(self) -> Path:
        """The DuckDB file that BI tools open; replaced, never written to."""
        return self.home / "bi" / "leads.duckdb"

    @property
    def report_path(self) -> Path:
        """The page beside the published file, rendered by each publication."""
        return self.home / "bi" / "report.html"

    @property
    def explore_path(self) -> Path:
        """The page beside it with figures to choose from, in a folder of its own."""
        return self.home / "bi" / "explore" / "index.html"

    @property
    def candidate_path(self) -> Path:
        """Where a build is made and tested. Its file name, and so its catalog, is the same."""
        return self.home / "bi" / ".candidate" / "leads.duckdb"

    @property
    def checks_path(self) -> Path:
        """A copy in which tests are run that nobody builds for; there only while they run."""
        return self.home / "bi" / ".checks" / "leads.duckdb"

    @property
    def checks_lock(self) -> Path:
        """Held by whoever runs tests in that copy."""
        return self.home / ".locks" / "checks"

    @property
    def snapshot_path(self) -> Path:
        """A copy of what the last build read, for dbt's target `dev`."""
        return snapshot_path(self.home)

    @property
    def dagster_home(self) -> Path:
        """`DAGSTER_HOME` where none is set."""
        return self.home / "dagster"

    @property
    def warehouse_lock(self) -> Path:
        """Held by whoever has `warehouse.duckdb` open."""
        return self.home / ".locks" / "warehouse"

    @property
    def publish_lock(self) -> Path:
        """Held from the making of a candidate until it is published."""
        return self.home / ".locks" / "publish"

    def account_lock(self, account: str) -> Path:
        """Held by whoever asks the account's API."""
        return self.home / ".locks" / f"account-{account}"


def _describe_settings() -> None:
    """Give each setting the text below it for a description.

    pydantic's `use_attribute_docstrings` does the same, and looks through all imported modules for the
    source of the class: a tenth of a second of whoever starts.
    """
    module = ast.parse(inspect.getsource(sys.modules[__name__]))
    [settings] = [
        node
        for node in module.body
        if isinstance(node, ast.ClassDef) and node.name == Settings.__name__
    ]
    for declared, text in pairwise(settings.body):
        match declared, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(words))):
                Settings.model_fields[name].description = inspect.cleandoc(words)


_describe_settings()


def setting_variables() -> dict[str, str]:
    """The variable that each setting is read from, by the setting's name."""
    return {name: f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


def is_secret(name: str) -> bool:
    """Whether the setting `name` must not be seen."""
    return SecretStr in get_args(Settings.model_fields[name].annotation)


def environment_variables() -> dict[str, str]:
    """The variables that are set and not blank, from the environment or `.env` (which yields).

    Raises `ConfigurationError` where `.env` cannot be read as text.
    """
    try:
        variables = {**dotenv_values(".env"), **os.environ}
    except UnicodeDecodeError:
        raise ConfigurationError(_NOT_TEXT) from None
    return {name: value for name, value in variables.items() if value and value.strip()}


def _by_earlier_variables() -> dict[str, object]:
    """Settings of which only the variable of an earlier release is set."""
    environment, own = environment_variables(), setting_variables()
    return {
        name: environment[earlier]
        for earlier, name in EARLIER_VARIABLES.items()
        if earlier in environment and own[name] not in environment
    }


def load_settings(given: Mapping[str, object] | None = None) -> Settings:
    """The settings as they are now; those `given`, by name, in place of their variables.

    Raises `ConfigurationError` that names each wrong variable and what it takes.
    """
    given = {**_by_earlier_variables(), **(given or {})}
    try:
        # By the names of pydantic-settings, which takes any field.
        return Settings(**given)  # type: ignore[arg-type]
    except UnicodeDecodeError:
        raise ConfigurationError(_NOT_TEXT) from None
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{'_'.join(str(part) for part in problem['loc']).upper()}: "
            f"{problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(
            f"Settings cannot be used: {problems}. Correct them in the environment or in .env "
            "(.env.example explains each)."
        ) from None
