"""Accounts: which sets of credentials there are, and what is missing.

Without `LEAD_PIPELINE_ACCOUNTS` each provider has at most one account, named after it, from
the variables `<PROVIDER>_BASE_URL`, `<PROVIDER>_LEAD_URL`, `<PROVIDER>_<CREDENTIAL>` and
`<PROVIDER>_<OPTION>`. With it, the TOML file lists them:

    [[accounts]]
    name = "sales_us"
    provider = "…"                       # a provider's slug
    token_env = "SALES_US_TOKEN"         # or  token = "…", for each of its credentials
    base_url = "https://…"               # optional
    requests_per_minute = 30             # optional, a limit of your own
    lead_url = "https://…/{lead_id}"     # optional, where the report's links to a lead lead
    …                                    # and the options that the provider declares

An account of the file is declared; without the file, one of which at least one variable is set.
A declared account without all its credentials is a failure that names it, after the others are
done. A provider of which nothing is set is left out.

Belongs here: reading and validating accounts. Does not belong here: asking an API whether the
credentials work (`lead_pipeline.landing.check`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lead_pipeline.addresses import LOOPBACK, lead_address
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account, Option, Provider
from lead_pipeline.settings import Settings, environment_variables

_SLUG = re.compile(r"[a-z][a-z0-9_]*")
LEAD_URL = "lead_url"
_KEYS = {"name", "provider", "base_url", "requests_per_minute", LEAD_URL}


@dataclass(frozen=True)
class UnusableAccount:
    """An account that cannot be pulled because credentials are not set; `reason` says which."""

    name: str
    provider: str
    reason: str

    @property
    def failure(self) -> str:
        """One sentence that names the account and what to set."""
        return f"Account {self.name} cannot be used: {self.reason}"


@dataclass(frozen=True)
class Accounts:
    """The accounts that can be pulled, those that are declared and cannot, and all others."""

    usable: tuple[Account, ...]
    incomplete: tuple[UnusableAccount, ...] = ()
    """Declared, but not all credentials are set."""
    left_out: tuple[UnusableAccount, ...] = ()
    """Providers of which nothing is set: nobody asked for them."""

    @property
    def declared(self) -> tuple[Account | UnusableAccount, ...]:
        """The accounts that users expect to be pulled."""
        return (*self.usable, *self.incomplete)

    @property
    def lead_urls(self) -> dict[str, str]:
        """Where a lead's page is, with `{lead_id}`, by account; without those of which nobody said it."""
        return {found.name: found.lead_url for found in self.usable if found.lead_url is not None}

    def chosen(self, name: str | None) -> tuple[Account, ...]:
        """The usable account of that name, or all of them.

        Raises `ConfigurationError` that says what to set where there is none.
        """
        if name is not None:
            return (self.named(name),)
        if self.usable:
            return self.usable
        if self.incomplete:
            raise ConfigurationError(" ".join(account.failure for account in self.incomplete))
        raise ConfigurationError(
            "No account has credentials. `lead-pipeline check` says what to set; "
            "`lead-pipeline demo` needs none."
        )

    def named(self, name: str) -> Account:
        """The usable account of that name. Raises `ConfigurationError` if there is none."""
        for usable in self.usable:
            if usable.name == name:
                return usable
        for account in (*self.incomplete, *self.left_out):
            if account.name == name:
                raise ConfigurationError(account.failure)
        names = ", ".join(account.name for account in self.usable) or "none"
        raise ConfigurationError(
            f"There is no account {name!r}. Accounts with credentials: {names}."
        )


def load_accounts(settings: Settings, given: Mapping[str, str | None] | None = None) -> Accounts:
    """All accounts, from the TOML file or from variables (the environment over `.env`).

    Variables that are `given` win over both; None: as if it were not set. Raises
    `ConfigurationError` that names the variable or the line's key, and the remedy. Values of
    credentials are never part of a message.
    """
    variables = {**environment_variables(), **(given or {})}
    environment = {name: value for name, value in variables.items() if value is not None}
    if settings.accounts is None:
        return _from_variables(environment)
    return _from_file(settings.accounts, environment)


def account_variables(file: Path | None) -> list[str]:
    """The names of all variables that accounts can be read from, set or not.

    With a TOML `file`, those that it names; raises `ConfigurationError` when it cannot be read.
    """
    if file is not None:
        entries = _entries(file)
        return [str(entry[key]) for entry in entries for key in entry if key.endswith("_env")]
    return [variable for provider in PROVIDERS.values() for variable in _variables_of(provider)]


def _variables_of(provider: Provider) -> Iterator[str]:
    yield variable_name(provider, "base_url")
    yield variable_name(provider, LEAD_URL)
    for credential in provider.credentials:
        yield variable_name(provider, credential.name)
    for option in provider.options:
        yield variable_name(provider, option.name)
        yield from option.former_variables


def variable_name(provider: Provider, field: str) -> str:
    """The environment variable of a provider's field, `<PROVIDER>_<FIELD>`."""
    return f"{provider.slug}_{field}".upper()


def _from_variables(environment: Mapping[str, str]) -> Accounts:
    usable: list[Account] = []
    incomplete: list[UnusableAccount] = []
    left_out: list[UnusableAccount] = []
    for provider in PROVIDERS.values():
        names = {item.name: variable_name(provider, item.name) for item in provider.credentials}
        base_url_variable = variable_name(provider, "base_url")
        absent = [name for name in names.values() if name not in environment]
        if absent:
            reason = f"set {' and '.join(absent)} in the environment or in .env."
            is_declared = any(name in environment for name in (*names.values(), base_url_variable))
            (incomplete if is_declared else left_out).append(
                UnusableAccount(provider.slug, provider.slug, reason)
            )
            continue
        usable.append(
            Account(
                name=provider.slug,
                provider=provider.slug,
                base_url=_origin(
                    environment.get(base_url_variable, provider.default_base_url), base_url_variable
                ),
                credentials={
                    field: _header_safe(environment[name], name) for field, name in names.items()
                },
                credential_names=tuple(names.values()),
                options=_options_from_variables(provider, environment),
                lead_url=_lead_url_from_variables(provider, environment),
            )
        )
    return Accounts(tuple(usable), tuple(incomplete), tuple(left_out))


def _options_from_variables(
    provider: Provider, environment: Mapping[str, str]
) -> dict[str, int | None]:
    options: dict[str, int | None] = {}
    for option in provider.options:
        for variable in (variable_name(provider, option.name), *option.former_variables):
            if variable in environment:
                options[option.name] = _in_range(option, environment[variable], variable)
                break
    return options


def _lead_url_from_variables(provider: Provider, environment: Mapping[str, str]) -> str | None:
    variable = variable_name(provider, LEAD_URL)
    return _lead_url(environment[variable], variable) if variable in environment else None


def _lead_url(value: object, where: str) -> str:
    """The address. Raises `ConfigurationError` that says how to write it, and shows nothing of it."""
    try:
        return lead_address(str(value))
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}.") from None


def _in_range(option: Option, value: object, where: str) -> int:
    """The option's value. Raises `ConfigurationError` that says what it takes."""
    text = str(value).strip()
    number = int(text) if re.fullmatch("[0-9]{1,9}", text) and value is not True else -1
    if number < option.minimum or (option.maximum is not None and number > option.maximum):
        highest = "on" if option.maximum is None else f"to {option.maximum:,}"
        raise ConfigurationError(
            f"{where}: must be a whole number from {option.minimum:,} {highest}. "
            f"{option.description}"
        )
    return number


def _from_file(path: Path, environment: Mapping[str, str]) -> Accounts:
    usable: list[Account] = []
    incomplete: list[UnusableAccount] = []
    seen: set[str] = set()
    for number, entry in enumerate(_entries(path), start=1):
        where = f"{path}, account {number}"
        account = _account(entry, environment, where)
        if account.name in seen:
            raise ConfigurationError(
                f"{where}: the name {account.name!r} is taken; give each account its own `name`."
            )
        seen.add(account.name)
        if isinstance(account, Account):
            usable.append(account)
        else:
            incomplete.append(account)
    return Accounts(tuple(usable), tuple(incomplete))


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"LEAD_PIPELINE_ACCOUNTS names {path}, which cannot be read ({error.strerror}). "
            "Correct the path, or unset the variable to take accounts from variables."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = str(error).rsplit("(", 1)[-1].rstrip(")") if "(" in str(error) else "unknown place"
        raise ConfigurationError(f"{path} is not valid TOML ({where}).") from None
    accounts = document.get("accounts", [])
    if isinstance(accounts, dict):
        # [accounts.sales] says the same as [[accounts]] name = "sales".
        accounts = [
            {"name": name, **entry} if isinstance(entry, dict) else entry
            for name, entry in accounts.items()
        ]
    if not isinstance(accounts, list) or not all(isinstance(entry, dict) for entry in accounts):
        raise ConfigurationError(f"{path}: write each account as a table [[accounts]].")
    return accounts


def _account(
    entry: Mapping[str, Any], environment: Mapping[str, str], where: str
) -> Account | UnusableAccount:
    provider = PROVIDERS.get(str(entry.get("provider")))
    if provider is None:
        raise ConfigurationError(f"{where}: `provider` must be one of {', '.join(PROVIDERS)}.")
    name = entry.get("name", provider.slug)
    if not isinstance(name, str) or not _SLUG.fullmatch(name):
        raise ConfigurationError(
            f"{where}: `name` must be a slug: lower-case letters, digits and underscores, "
            "starting with a letter."
        )
    fields = [credential.name for credential in provider.credentials]
    options = {option.name: option for option in provider.options}
    allowed = _KEYS | set(fields) | {f"{field}_env" for field in fields} | options.keys()
    unknown = sorted(set(entry) - allowed)
    if unknown:
        raise ConfigurationError(
            f"{where} ({name}): unknown key {unknown[0]!r}; known keys are "
            f"{', '.join(sorted(allowed))}."
        )
    credentials: dict[str, str] = {}
    remedies: list[str] = []
    for field in fields:
        variable = entry.get(f"{field}_env")
        value = environment.get(str(variable)) if variable else entry.get(field)
        if not value or not str(value).strip():
            remedies.append(
                f"set the variable {variable}" if variable else f"add `{field}` or `{field}_env`"
            )
            continue
        credentials[field] = _header_safe(str(value), f"{where}: {variable or field}")
    if remedies:
        return UnusableAccount(name, provider.slug, f"{' and '.join(remedies)} ({where}).")
    return Account(
        name=name,
        provider=provider.slug,
        base_url=_origin(
            str(entry.get("base_url", provider.default_base_url)), f"{where}: base_url"
        ),
        credentials=credentials,
        requests_per_minute=_positive(entry.get("requests_per_minute"), where),
        credential_names=tuple(str(entry.get(f"{field}_env", field)) for field in fields),
        options=_options_from_variables(provider, environment)
        | {
            key: _in_range(options[key], value, f"{where} ({name}): {key}")
            for key, value in entry.items()
            if key in options
        },
        lead_url=(
            _lead_url(entry[LEAD_URL], f"{where} ({name}): {LEAD_URL}")
            if LEAD_URL in entry
            else _lead_url_from_variables(provider, environment)
        ),
    )


def _positive(value: object, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(
            f"{where}: `requests_per_minute` must be a whole number from 1 on."
        )
    return value


def _header_safe(value: str, where: str) -> str:
    """Credentials travel in headers: a line break or a stray blank there is a mistake."""
    value = value.strip()
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(
            f"{where} holds characters that cannot be sent in a header; paste the value again."
        )
    return value


def _origin(url: str, where: str) -> str:
    """The origin of `url`, without a path. Plain http is refused unless the host is loopback."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"{where} must be an origin such as https://example.com.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(f"{where} must be an origin only: no user, query or fragment.")
    if parts.path.strip("/"):
        raise ConfigurationError(
            f"{where} must be an origin only, without the path {parts.path!r}: the paths are the "
            "provider's."
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ConfigurationError(
            f"{where} uses plain http, which would send the key unencrypted. Use https "
            "(http is taken for localhost only)."
        )
    del port
    return f"{parts.scheme}://{parts.netloc}"
