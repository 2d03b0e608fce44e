"""Erasures that are under way: what a killed one still has to do, known without knowing of whom.

    <home>/erasures/pending-<erasure>.json     keyed hashes; removed with the receipt

Belongs here: noting how far an erasure has come, and keeping others from loading meanwhile. Does not
belong here: what it does (`lead_pipeline/erasure/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.rewriting import RewrittenFile
from lead_pipeline.settings import Settings
from lead_pipeline.storage.seams import seams_of

_PREFIX = "pending-"

Reason = Literal["request", "retention"]


class ErasedLanding(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken out of the landing of one account."""

    account: str
    leads: int
    rows: int
    closed_crawls: int
    files: list[RewrittenFile] = []
    removed: list[str] = []
    """Files without a commit record that held some of them."""


class PendingErasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure that has begun. No personal data: hashes with the key of the tombstones."""

    erasure: str
    """Its name; sorts by when it began."""
    began_at: datetime
    reason: Reason = "request"
    reference: str | None = None
    key_id: str
    blocks_contact: bool = False
    leads: dict[str, list[str]]
    """Hashes of leads, by account."""
    contacts: list[str] = []
    """Hashes of their addresses and numbers: rejected records may hold nothing else of them."""
    texts: list[str] = []
    """Hashes of all texts that are looked for outside of landing."""
    landing: list[ErasedLanding] = []
    """The accounts that are done."""
    resumed: int = 0

    @property
    def accounts_left(self) -> list[str]:
        """The accounts whose landing may still hold somebody."""
        done = {account.account for account in self.landing}
        return [account for account in sorted(self.leads) if account not in done]


def pending_erasures(settings: Settings) -> list[PendingErasure]:
    """The erasures that are under way, the oldest first. Raises `LoadError` naming a damaged note."""
    return [_read(path) for path in sorted(settings.erasures_path.glob(f"{_PREFIX}*.json"))]


def save_pending(settings: Settings, pending: PendingErasure) -> None:
    """Note how far an erasure has come; it is on disk on return."""
    content = msgspec.json.format(msgspec.json.encode(pending), indent=1)
    seams_of(settings).landing.write(_path(settings, pending), content)


def forget_pending(settings: Settings, pending: PendingErasure) -> None:
    """The erasure is complete, and its receipt written."""
    seams_of(settings).landing.remove(_path(settings, pending))


def must_rebuild(settings: Settings) -> bool:
    """Whether the tables may still hold persons that are being erased.

    Raises `LoadError` while landing does: what would be loaded is about to change.
    """
    pending = pending_erasures(settings)
    refuse_half_erased(pending)
    return bool(pending)


def refuse_half_erased(pending: Sequence[PendingErasure]) -> None:
    """Raise `LoadError` where the landing of some account may still hold somebody."""
    if left := sorted({account for erasure in pending for account in erasure.accounts_left}):
        raise LoadError(
            f"Persons are being erased from the landing of {', '.join(left)}. Wait for the command "
            "that does it; if it was interrupted: lead-pipeline forget --resume."
        )


def refuse_to_go_back(settings: Settings) -> None:
    """Raise `LoadError` while an erasure is under way: an earlier build can hold who is erased."""
    if pending_erasures(settings):
        raise LoadError(
            "Persons are being erased, and an earlier build can hold them. Wait for the command that "
            "does it; if it was interrupted: lead-pipeline forget --resume."
        )


def _path(settings: Settings, pending: PendingErasure) -> Path:
    return settings.erasures_path / f"{_PREFIX}{pending.erasure}.json"


def _read(path: Path) -> PendingErasure:
    try:
        return msgspec.json.decode(path.read_bytes(), type=PendingErasure)
    except (OSError, msgspec.DecodeError) as error:
        raise LoadError(
            f"The note of an erasure that is under way, {path}, cannot be read "
            f"({type(error).__name__}). Give the same lead-pipeline forget again, then remove it."
        ) from None
