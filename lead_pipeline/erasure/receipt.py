"""Receipts of erasures: what was done and what the search found, without personal data.

    <home>/erasures/<time>-<reference>.json

Belongs here: the form of a receipt, and where it lies. Does not belong here: doing what it says.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from lead_pipeline.landing.erasures import ErasedLanding, PendingErasure, Reason
from lead_pipeline.settings import Settings
from lead_pipeline.storage.seams import seams_of

Outcome = Literal["clean", "found", "not_evaluated"]
"""`clean`: nothing that was looked for is left. `found`: some is. `not_evaluated`: it was not known what
to look for, since the command was resumed after landing had been erased."""


class FoundIn(msgspec.Struct, frozen=True):
    """A file that still holds something; what, is told by kinds alone."""

    file: str
    kinds: list[str]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What the search through the whole home came to."""

    outcome: Outcome
    files: int = 0
    bytes: int = 0
    looked_for: dict[str, int] = {}
    """How many texts of each kind were looked for in bytes."""
    too_short: int = 0
    """Texts of fewer than eight bytes, which are found anywhere by chance: not looked for in bytes."""
    landing_rows: int = 0
    """Rows of landing that are still of an erased lead, by its hash."""
    found: list[FoundIn] = []
    held_by_others: list[FoundIn] = []
    """Files of landing in which records of other leads hold the same texts: they stay."""
    unread: list[str] = []
    """Files that could not be looked through whole."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One erasure. Paths are relative to the home; times are UTC."""

    erasure: str
    reason: Reason
    reference: str | None
    began_at: datetime
    ended_at: datetime
    resumed: int
    """How often it was interrupted; files that were done before are then not listed."""
    key_id: str
    blocks_contact: bool
    leads: dict[str, int]
    """How many leads of each account have a tombstone by it."""
    landing: list[ErasedLanding]
    warehouse: Literal["rebuilt", "none"]
    published: Literal["replaced", "none"]
    published_sha256: str | None
    removed: list[str]
    overwritten: list[str]
    not_searched: list[str]
    """Where a person may be that no command of ours reaches, in words."""
    proof: Proof


def write_receipt(settings: Settings, receipt: Receipt) -> Path:
    """Write the receipt; it is on disk on return."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", receipt.reference or "").strip("-.")
    path = settings.erasures_path / f"{receipt.erasure}{f'-{name[:60]}' if name else ''}.json"
    content = msgspec.json.format(msgspec.json.encode(receipt), indent=1)
    seams_of(settings).landing.write(path, content)
    return path


def receipts(settings: Settings) -> list[Receipt]:
    """All receipts of the home, the oldest first; what cannot be read is left out."""
    found = []
    for path in sorted(settings.erasures_path.glob("[0-9]*.json")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Receipt))
        except (OSError, msgspec.DecodeError):
            continue
    return found


def leads_of(pending: PendingErasure) -> dict[str, int]:
    """How many leads of each account an erasure is about."""
    return {account: len(leads) for account, leads in sorted(pending.leads.items())}
