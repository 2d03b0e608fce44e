"""Which canonical stage a provider's status or stage is: `stages.csv`, and the users' own rows.

    <provider>/stages.csv ──▶ rows by (account, provider, field, value) ◀──wins── the users' file

A row without an order or terminal flag of its own has those of its canonical stage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.accounts import load_accounts
from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import commit_records
from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline.normalized.stage_files import OWN_COLUMNS, lines_of, read_text
from lead_pipeline.normalized.stage_names import fold
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.settings import Settings

_FLAGS = {"true": True, "false": False}
_ORDER = re.compile("[0-9]{1,4}")

ProviderOf = Callable[[str], str | None]
"""The provider of an account; None where there is no account of that name."""


@dataclass(frozen=True)
class StageMapping:
    """One row: a provider's value, the canonical stage it is, its place, whether it ends a lead."""

    account: str | None
    """None: all accounts of the provider. A row for one account wins over it."""
    provider: str
    field: str
    """`status` or `stage`; a mapped status wins over the stage."""
    value: str
    """Folded (`stage_names.fold`)."""
    stage: str
    stage_order: int
    is_terminal: bool

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a file may map only once."""
        return self.account or "", self.provider, self.field, self.value


def stages_of(settings: Settings) -> list[StageMapping]:
    """The mapping that `settings` ask for; the accounts that it names must exist.

    Raises `LoadError` naming the file and line that cannot be used, `ConfigurationError` when an
    account is named and the accounts cannot be read.
    """
    return load_stages(settings.stages_path, lambda account: _provider_of(settings, account))


def load_stages(users: Path | None, provider_of: ProviderOf | None = None) -> list[StageMapping]:
    """Our rows, with those of the users' file (if any) in place of ours for the same value.

    Raises `LoadError` naming the file and line that cannot be used.
    """
    rows = {
        row.key: row
        for provider in PROVIDERS.values()
        for row in read_stages(
            provider.read_file("stages.csv"), f"stages.csv of {provider.slug}", of=provider.slug
        )
    }
    if users is not None:
        mine = read_stages(read_text(users), str(users), provider_of)
        rows |= {row.key: row for row in mine}
    return sorted(rows.values(), key=lambda row: row.key)


def read_stages(
    text: str, name: str, provider_of: ProviderOf | None = None, of: str | None = None
) -> list[StageMapping]:
    """The rows of a file called `name`. Raises `LoadError` naming the line that cannot be used.

    Without `provider_of`, accounts are taken as they are written. `of` is the provider whose own
    file it is, which then has no column `provider`.
    """
    rows: dict[tuple[str, str, str, str], StageMapping] = {}
    first: dict[tuple[str, str, str, str], tuple[int, str]] = {}
    required = ("provider", *OWN_COLUMNS) if of is None else OWN_COLUMNS
    for number, found in lines_of(text, name, required):
        cells = found if of is None else {**found, "provider": of}
        place = f"{name}, line {number}"
        entry = _entry(cells, place)
        if entry.account is not None and provider_of is not None:
            _check_account(entry, provider_of(entry.account), place)
        if entry.key in rows:
            line, value = first[entry.key]
            raise LoadError(
                f"{place}: {cells['value']!r} is mapped twice, first in line {line} as {value!r}: "
                "case, blanks and Unicode forms make no other name. Remove one of the two."
            )
        rows[entry.key], first[entry.key] = entry, (number, cells["value"])
    return list(rows.values())


def _entry(cells: Mapping[str, str], place: str) -> StageMapping:
    provider, field, stage = (fold(cells[name]) for name in ("provider", "field", "stage"))
    if provider not in PROVIDERS or field not in ("status", "stage"):
        raise LoadError(
            f"{place}: provider must be one of {', '.join(PROVIDERS)} and field status or stage."
        )
    canonical = CANONICAL_STAGES.get(stage)
    if canonical is None:
        raise LoadError(
            f"{place}: {cells['stage']!r} is no canonical stage; use one of "
            f"{', '.join(sorted(CANONICAL_STAGES))}."
        )
    order, flag = cells["stage_order"], cells["is_terminal"].lower()
    if (order and not _ORDER.fullmatch(order)) or (flag and flag not in _FLAGS):
        raise LoadError(
            f"{place}: stage_order is a whole number from 0 to 9999 and is_terminal true or false, "
            "or empty for those of the canonical stage."
        )
    return StageMapping(
        account=cells["account"] or None,
        provider=provider,
        field=field,
        value=fold(cells["value"]),
        stage=stage,
        stage_order=int(order) if order else canonical.stage_order,
        is_terminal=_FLAGS[flag] if flag else canonical.is_terminal,
    )


def _check_account(entry: StageMapping, provider: str | None, place: str) -> None:
    if provider is None:
        raise LoadError(
            f"{place}: there is no account {entry.account!r}, and nothing of it has landed. "
            "`lead-pipeline status` names the accounts; leave it empty for all of the provider."
        )
    if provider != entry.provider:
        raise LoadError(
            f"{place}: account {entry.account!r} is one of {provider}, not of {entry.provider}."
        )


def _provider_of(settings: Settings, name: str) -> str | None:
    accounts = load_accounts(settings)
    for account in (*accounts.declared, *accounts.left_out):
        if account.name == name:
            return account.provider
    # Landed leads are loaded also when their account is no longer configured.
    landed = next(commit_records(settings.landing_path, name), None)
    return None if landed is None else landed.provider
