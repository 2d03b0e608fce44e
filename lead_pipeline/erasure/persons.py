"""From what a user typed to leads, and to all that is known of whom to look for.

    lead_key, id, e-mail address, phone number ──▶ every state that ever landed ──▶ Persons

Belongs here: finding, over landing itself, so that a former address finds a lead too. Does not belong
here: removing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import duckdb

from lead_pipeline.errors import ConfigurationError, LoadError
from lead_pipeline.explain.catalog import AccountFiles, read_catalog
from lead_pipeline.explain.find import LeadRef
from lead_pipeline.landing.erasing import leads_among
from lead_pipeline.landing.naming import Contact, ContactKind, contact_of
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.contract import known_fields
from lead_pipeline.providers.payload import read_json
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.publication import refreshed
from lead_pipeline.storage.sql import read_sql

TextKind = Literal["id", "email", "phone", "name"]
Text = tuple[TextKind, str]
"""A text that tells a person, and of which kind it is."""

_COLUMNS: Mapping[str, TextKind] = {"email": "email", "phone": "phone", "full_name": "name"}


@dataclass(frozen=True)
class Persons:
    """Whom an erasure is about."""

    leads: tuple[LeadRef, ...]
    contacts: frozenset[Contact]
    """Their addresses and numbers in normalized form, of every state that landed."""
    texts: frozenset[Text]
    """Their ids, addresses, numbers and names, as served and normalized."""
    others: tuple[str, ...]
    """Keys of other leads with one of these addresses or numbers: not asked for, and they stay."""
    unknown: tuple[int, ...]
    """Which of what was typed, from 1, nobody was found for."""

    @property
    def by_account(self) -> dict[str, list[str]]:
        """The ids of the leads, by account."""
        found: dict[str, list[str]] = {}
        for lead in self.leads:
            found.setdefault(lead.account, []).append(lead.lead_id)
        return found


class _Value(NamedTuple):
    lead: LeadRef
    kind: TextKind
    written: str


def find_persons(
    settings: Settings, asked: Sequence[str], *, account: str | None, with_linked: bool
) -> Persons:
    """Whom `asked` means: lead_keys, ids, addresses, numbers; of `account` alone where it is named.

    Raises `ConfigurationError` where nothing has landed, or linked leads cannot be told.
    """
    catalog = _catalog(settings, account)
    asked = [text.strip() for text in asked]
    known = {
        LeadRef(name, lead_id)
        for name in catalog
        for lead_id in leads_among(settings.landing_path, name, _possible_ids(asked, name))
    }
    found, unknown = _meant(settings, catalog, known, asked)
    if with_linked:
        found |= _linked(settings, found, set(catalog))
    own = _of_leads(settings, catalog, found)
    contacts = frozenset(_contacts(own, settings.phone_region))
    return Persons(
        tuple(sorted(found)),
        contacts,
        frozenset(_texts(found, own, contacts)),
        _others(settings, catalog, found, contacts),
        unknown,
    )


def texts_of_leads(settings: Settings, leads: set[LeadRef]) -> frozenset[Text]:
    """What tells these leads in landing: ids, addresses, numbers and names of all their states."""
    if not leads:
        return frozenset()
    own = _of_leads(settings, read_catalog(settings.landing_path), leads)
    return frozenset(_texts(leads, own, set(_contacts(own, settings.phone_region))))


def contacts_asked(asked: Iterable[str], phone_region: str) -> frozenset[Contact]:
    """The addresses and numbers among what was typed."""
    return frozenset(c for text in asked if (c := _contact(text.strip(), phone_region)))


def _catalog(settings: Settings, account: str | None) -> Mapping[str, AccountFiles]:
    catalog = read_catalog(settings.landing_path)
    if account is None and catalog:
        return catalog
    if account is not None and account in catalog:
        return {account: catalog[account]}
    what = "Nothing" if account is None else f"Nothing of an account {account!r}"
    raise ConfigurationError(
        f"{what} has landed in {settings.landing_path}, so nobody can be forgotten. Is "
        "LEAD_PIPELINE_HOME right?"
    )


def _meant(
    settings: Settings,
    catalog: Mapping[str, AccountFiles],
    known: set[LeadRef],
    asked: Sequence[str],
) -> tuple[set[LeadRef], tuple[int, ...]]:
    """The leads, and the places of what nobody was found for. A key counts before an id."""
    found: set[LeadRef] = set()
    wanted: dict[Contact, list[int]] = {}
    answered: set[int] = set()
    for place, text in enumerate(asked, 1):
        name, _, lead_id = text.partition(":")
        refs = {LeadRef(name, lead_id)} & known or {LeadRef(a, text) for a in catalog} & known
        if refs:
            found |= refs
            answered.add(place)
        elif contact := _contact(text, settings.phone_region):
            wanted.setdefault(contact, []).append(place)
    for lead, contact in _leads_with(settings, catalog, set(wanted)):
        found.add(lead)
        answered.update(wanted[contact])
    return found, tuple(place for place in range(1, len(asked) + 1) if place not in answered)


def _possible_ids(asked: Sequence[str], account: str) -> set[str]:
    prefix = f"{account}:"
    return {*asked, *(text.removeprefix(prefix) for text in asked if text.startswith(prefix))}


def _contact(text: str, phone_region: str) -> Contact | None:
    return contact_of("email" if "@" in text else "phone", text, phone_region)


def _leads_with(
    settings: Settings, catalog: Mapping[str, AccountFiles], wanted: set[Contact]
) -> Iterator[tuple[LeadRef, Contact]]:
    """Leads that have or had one of the addresses and numbers, each once for each of them."""
    kinds = {kind for kind, _ in wanted}
    forms: dict[tuple[str, str], Contact | None] = {}
    for value in _values(catalog, kinds, None):
        if value.kind not in kinds:
            continue
        kind: ContactKind = "email" if value.kind == "email" else "phone"
        contact = forms.get((kind, value.written))
        if (kind, value.written) not in forms:
            contact = contact_of(kind, value.written, settings.phone_region)
            forms[kind, value.written] = contact
        if contact in wanted and contact is not None:
            yield value.lead, contact


def _of_leads(
    settings: Settings, catalog: Mapping[str, AccountFiles], leads: set[LeadRef]
) -> list[_Value]:
    ids = sorted({lead.lead_id for lead in leads})
    kinds = set(_COLUMNS.values())
    return [value for value in _values(catalog, kinds, ids) if value.lead in leads]


def _contacts(values: Iterable[_Value], phone_region: str) -> Iterator[Contact]:
    for value in values:
        if value.kind in ("email", "phone"):
            kind: ContactKind = "email" if value.kind == "email" else "phone"
            if contact := contact_of(kind, value.written, phone_region):
                yield contact


def _texts(
    leads: Iterable[LeadRef], values: Iterable[_Value], contacts: Iterable[Contact]
) -> Iterator[Text]:
    for lead in leads:
        yield "id", lead.lead_id
    for value in values:
        if value.written.strip():
            yield value.kind, value.written
    yield from contacts


def _others(
    settings: Settings,
    catalog: Mapping[str, AccountFiles],
    found: set[LeadRef],
    contacts: frozenset[Contact],
) -> tuple[str, ...]:
    if not contacts:
        return ()
    sharing = {lead for lead, _ in _leads_with(settings, catalog, set(contacts))}
    return tuple(sorted(lead.lead_key for lead in sharing - found))


def _values(
    catalog: Mapping[str, AccountFiles], kinds: set[Any], ids: Sequence[str] | None
) -> Iterator[_Value]:
    """What records have at the places that the columns of these kinds take, each once a lead."""
    with closing(duckdb.connect()) as connection:
        for files in catalog.values():
            provider = PROVIDERS[files.provider]
            columns = [(known.field, known.column or "") for known in known_fields(provider)]
            fields = {
                (field, _COLUMNS[column])
                for field, column in columns
                if column in _COLUMNS and _COLUMNS[column] in kinds
            }
            for field, kind in sorted(fields):
                yield from _values_at(connection, files, field, kind, ids)


def _values_at(
    connection: duckdb.DuckDBPyConnection,
    files: AccountFiles,
    field: str,
    kind: TextKind,
    ids: Sequence[str] | None,
) -> Iterator[_Value]:
    if not files.records:
        return
    path = "$" + "".join(f'."{name}"' for name in field.split("."))
    try:
        rows = connection.execute(
            read_sql("erasure", "written_values"),
            {"files": files.records, "path": path, "ids": ids},
        ).fetchall()
    except duckdb.Error as error:
        # Not its text, which can hold values.
        raise LoadError(
            f"Landed files of {files.account} cannot be read ({type(error).__name__}). lead-pipeline "
            "verify names the file; restore it from a backup, then run the command again."
        ) from None
    for account, lead_id, written, unread in rows:
        text = written if unread is None else _read(unread, field)
        if isinstance(text, str):
            yield _Value(LeadRef(account, lead_id), kind, text)


def _read(payload: str, field: str) -> Any:
    try:
        content = read_json(payload)
    except (ValueError, RecursionError):
        return None
    for name in field.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _linked(settings: Settings, leads: set[LeadRef], accounts: set[str]) -> set[LeadRef]:
    """The other leads of the same persons, as the published file says."""
    remedy = "Publish (lead-pipeline publish), or name the leads one by one without --with-linked."
    if not refreshed(settings.published_path).exists():
        raise ConfigurationError(
            f"Nothing is published, so it is not known which leads are the same person. {remedy}"
        )
    try:
        with closing(connect_utc(settings.published_path, read_only=True)) as connection:
            rows = connection.execute(
                read_sql("erasure", "leads_of_persons"),
                {"lead_keys": [lead.lead_key for lead in leads]},
            ).fetchall()
    except duckdb.Error as error:
        raise ConfigurationError(
            f"{settings.published_path} does not say which leads are the same person "
            f"({type(error).__name__}). {remedy}"
        ) from None
    found = {LeadRef(*key.split(":", 1)) for (key,) in rows}
    return {lead for lead in found if lead.account in accounts}
