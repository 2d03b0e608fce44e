"""Tombstones of erased persons: who must not land, load or show again, known by keyed hashes alone.

    landing/<account>/_erased/<erasure>.json
    <home>/erasures/tombstones/<account>/<erasure>.json     the same, for when an older landing is restored

A tombstone counts from the moment it is written, before anything is removed. Belongs here: writing
tombstones, and asking whether somebody has one. Does not belong here: removing anything
(`rewriting.py`), the key (`storage/erasure_key.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import accounts_with_landing
from lead_pipeline.landing.naming import (
    Contact,
    contacts_of,
    mentioned_contacts,
    mentioned_texts,
    named_leads,
)
from lead_pipeline.landing.vanished import digest_of
from lead_pipeline.providers.base import Provider
from lead_pipeline.settings import Settings
from lead_pipeline.storage.erasure_key import ErasureKey, read_key
from lead_pipeline.storage.seams import seams_of

FOLDER = "_erased"
_NOTED_DIGITS = 16


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """What one erasure left of the persons of an account. No personal data."""

    erased_at: datetime
    reference: str | None = None
    """What whoever asked for it calls it."""
    key_id: str
    """The key of the hashes."""
    leads: list[str]
    """Keyed hashes of account and lead id."""
    contacts: list[str] = []
    """Keyed hashes of addresses and numbers with which no new lead may land either."""


@dataclass(frozen=True)
class Erased:
    """The erased persons of one account."""

    account: str
    key: ErasureKey | None = None
    leads: Mapping[str, Tombstone] = field(default_factory=dict)
    """By hash."""
    contacts: Mapping[str, Tombstone] = field(default_factory=dict)
    """By hash: addresses and numbers with which nobody lands."""
    phone_region: str = ""

    def __bool__(self) -> bool:
        return bool(self.leads or self.contacts)

    def tombstone(self, lead_id: str) -> Tombstone | None:
        """The tombstone of a lead; None where it has none."""
        if self.key is None:
            return None
        return self.leads.get(lead_hash(self.key, self.account, lead_id))

    def has(self, lead_id: str) -> bool:
        """Whether the lead has been erased."""
        return self.tombstone(lead_id) is not None

    def among(self, lead_ids: Iterable[str]) -> set[str]:
        """Those of the leads that have been erased."""
        return {lead_id for lead_id in lead_ids if self.has(lead_id)}

    def digest(self, lead_id: str) -> str:
        """By what a lead that is not held is noted: nobody can guess that of an erased one."""
        if self.key is not None and self.has(lead_id):
            return lead_hash(self.key, self.account, lead_id)[:_NOTED_DIGITS]
        return digest_of(lead_id)

    def has_contact(self, contacts: Iterable[Contact]) -> bool:
        """Whether one of the addresses and numbers must not land."""
        return self.contact_tombstone(contacts) is not None

    def contact_tombstone(self, contacts: Iterable[Contact]) -> Tombstone | None:
        """The tombstone of one of the addresses and numbers; None where none has one."""
        if self.key is None:
            return None
        found = (self.contacts.get(contact_hash(self.key, contact)) for contact in contacts)
        return next((stone for stone in found if stone is not None), None)

    def is_of(self, provider: Provider, stream: str, payload: bytes) -> bool:
        """Whether the record is one of an erased person."""
        if not self:
            return False
        if any(self.has(lead_id) for lead_id in named_leads(provider, stream, payload)):
            return True
        return bool(self.contacts) and self.has_contact(
            contacts_of(provider, payload, self.phone_region)
        )

    def is_mentioned_in(self, payload: bytes) -> bool:
        """Whether bytes that need not be JSON hold the id or a known contact of an erased person."""
        if not self:
            return False
        texts = mentioned_texts(payload)
        if self.among(texts):
            return True
        return bool(self.contacts) and self.has_contact(
            mentioned_contacts(texts, self.phone_region)
        )


def lead_hash(key: ErasureKey, account: str, lead_id: str) -> str:
    """By what a lead is known again."""
    return key.hash_of("lead", account, lead_id)


def contact_hash(key: ErasureKey, contact: Contact) -> str:
    """By what an address or a number is known again, in any account."""
    return key.hash_of(*contact)


def erased_of(settings: Settings, account: str) -> Erased:
    """The erased persons of an account, from landing and from the copy beside it.

    Raises `LoadError` where the key of their hashes is not there.
    """
    tombstones = [stone for _, stone in _read(settings, account)]
    if not tombstones:
        return Erased(account)
    key = read_key(settings)
    for stone in tombstones:
        _refuse_other_key(settings, account, stone, key)
    return Erased(
        account,
        key,
        {hashed: stone for stone in tombstones for hashed in stone.leads},
        {hashed: stone for stone in tombstones for hashed in stone.contacts},
        settings.phone_region,
    )


def erased_persons(settings: Settings) -> dict[str, Erased]:
    """The erased persons of every account that has landed anything, of those that have any."""
    found = (erased_of(settings, name) for name in accounts_with_landing(settings.landing_path))
    return {erased.account: erased for erased in found if erased}


def count_erased(settings: Settings, account: str) -> int:
    """How many leads of the account have a tombstone; for that no key is needed."""
    return len({hashed for _, stone in _read(settings, account) for hashed in stone.leads})


def write_tombstone(settings: Settings, account: str, erasure: str, stone: Tombstone) -> None:
    """Write both copies; they are on disk on return. Writing the same again changes nothing."""
    content = msgspec.json.format(msgspec.json.encode(stone), indent=1)
    for folder in folders_of(settings, account):
        seams_of(settings).landing.write(folder / f"{erasure}.json", content)


def folders_of(settings: Settings, account: str) -> tuple[Path, Path]:
    """Where an account's tombstones lie: in landing, and outside of it."""
    return (
        settings.landing_path / account / FOLDER,
        settings.erasures_path / "tombstones" / account,
    )


def lacks_tombstones(settings: Settings, account: str) -> bool:
    """Whether landing lacks a tombstone that there is: an older landing has been restored."""
    inside, outside = folders_of(settings, account)
    return bool({path.name for path in _files(outside)} - {path.name for path in _files(inside)})


def restore_tombstones(settings: Settings, account: str) -> None:
    """Write each tombstone where it is missing."""
    for erasure, stone in dict(_read(settings, account)).items():
        if not all(
            (folder / f"{erasure}.json").exists() for folder in folders_of(settings, account)
        ):
            write_tombstone(settings, account, erasure, stone)


def _read(settings: Settings, account: str) -> Iterator[tuple[str, Tombstone]]:
    """Each tombstone once, by the name of its erasure, the oldest first."""
    inside, outside = folders_of(settings, account)
    by_name = {path.stem: path for path in (*_files(outside), *_files(inside))}
    for name in sorted(by_name):
        yield name, _tombstone(by_name[name])


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("[!.]*.json") if path.is_file()]


def _tombstone(path: Path) -> Tombstone:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Tombstone)
    except (OSError, msgspec.DecodeError) as error:
        raise LoadError(
            f"The tombstone {path} cannot be read ({type(error).__name__}). A copy lies in landing or "
            "in erasures/tombstones of the home: restore it, since nobody else knows who was erased."
        ) from None


def _refuse_other_key(
    settings: Settings, account: str, stone: Tombstone, key: ErasureKey | None
) -> None:
    if key is None or key.key_id != stone.key_id:
        found = "is not there" if key is None else f"is another one ({key.key_id})"
        raise LoadError(
            f"Persons of {account} were erased with the key {stone.key_id}, which {found}, so nobody "
            f"can tell who they are. Restore {settings.erasure_key_path}, or set "
            "LEAD_PIPELINE_ERASURE_KEY to the key of then."
        )
