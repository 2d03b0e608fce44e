"""Whom a record names, whatever the provider calls the fields.

    record, as its bytes came ──identity, logged event──▶ ids of leads
                              ──contract.csv──▶ e-mail address, phone number

Belongs here: reading a record for it. Does not belong here: what follows from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Literal

import msgspec

from lead_pipeline.contacts.emails import normalized_email
from lead_pipeline.contacts.phones import read_phone
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Provider, UnusableRecord
from lead_pipeline.providers.contract import known_fields
from lead_pipeline.providers.payload import read_json

ContactKind = Literal["email", "phone"]
Contact = tuple[ContactKind, str]
"""A kind, and the form in which all ways of writing the same address or number agree."""

_CONTACT_COLUMNS: tuple[ContactKind, ...] = ("email", "phone")


def named_leads(provider: Provider, stream: str, payload: bytes) -> set[str]:
    """The leads that a record is about, as far as it can be read: its own id, or an event's lead."""
    event = provider.logged_event(payload.decode(errors="replace"))
    named = set() if event is None else {event.lead_id}
    if provider.stream(stream).kind == "events" and event is not None:
        return named
    try:
        named.add(provider.identity(stream, msgspec.Raw(payload)).record_id)
    except UnusableRecord as error:
        if error.record_id is not None:
            named.add(error.record_id)
    return named


def contacts_of(provider: Provider, payload: bytes, phone_region: str) -> set[Contact]:
    """The addresses and numbers of a lead's record that the tables would show as the lead's own."""
    try:
        content = read_json(payload.decode(errors="replace"))
    except (ValueError, RecursionError):
        return set()
    found = set()
    for kind, path in _contact_fields(provider.slug):
        if isinstance(text := _value(content, path), str) and (
            contact := contact_of(kind, text, phone_region)
        ):
            found.add(contact)
    return found


def contact_of(kind: ContactKind, text: str, phone_region: str) -> Contact | None:
    """The normalized form of one address or number; None where it is no certain one."""
    form = normalized_email(text) if kind == "email" else read_phone(text, phone_region).e164
    return None if form is None else (kind, form)


def mentioned_texts(payload: bytes) -> set[str]:
    """Each text in quotes, each number, and all that looks like an address, in bytes of any kind."""
    text = payload.decode(errors="replace")
    return {
        *(unescaped(found[1]) for found in _QUOTED.finditer(text)),
        *_NUMBER.findall(text),
        *_ADDRESS.findall(text),
    }


def mentioned_contacts(texts: Iterable[str], phone_region: str) -> set[Contact]:
    """The addresses and numbers among texts."""
    found = set()
    for text in texts:
        if "@" in text and (contact := contact_of("email", text, phone_region)):
            found.add(contact)
        can_be_number = (
            len(text) <= _LONGEST_NUMBER and sum(map(str.isdigit, text)) >= _FEWEST_DIGITS
        )
        if can_be_number and (contact := contact_of("phone", text, phone_region)):
            found.add(contact)
    return found


_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NUMBER = re.compile(r"\d+")
_ADDRESS = re.compile(r"[^\s\"'<>(),;:\\]+@[^\s\"'<>(),;:\\]+")
_FEWEST_DIGITS = 7
_LONGEST_NUMBER = 40


def unescaped(written: str) -> str:
    """A text as it stands in JSON between its quotes, without escapes."""
    if "\\" not in written:
        return written
    try:
        return str(json.loads(f'"{written}"'))
    except ValueError:
        return written


def written_forms(texts: Iterable[str]) -> list[str]:
    """The texts as they can stand in JSON between quotes: as they are, and with escapes."""
    return sorted({form for text in texts for form in (text, json.dumps(text)[1:-1])})


@cache
def _contact_fields(slug: str) -> Sequence[tuple[ContactKind, tuple[str, ...]]]:
    return tuple(dict.fromkeys(_read_contact_fields(PROVIDERS[slug])))


def _read_contact_fields(provider: Provider) -> Iterator[tuple[ContactKind, tuple[str, ...]]]:
    for known in known_fields(provider):
        for kind in _CONTACT_COLUMNS:
            if known.column == kind:
                yield kind, tuple(known.field.split("."))


def _value(content: Any, path: Sequence[str]) -> Any:
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content
