"""What is moved: every file of landing and of erasures, with its digest.

Belongs here: which files there are, and whether they are whole. Does not belong here: where they go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.chain import check_chain
from lead_pipeline.landing.commits import accounts_with_landing, commit_records
from lead_pipeline.landing.places import Places
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.team.names import ERASURES, LANDING, is_copied

PURPOSE = "moving landing"


@dataclass(frozen=True)
class Moved:
    """What was moved."""

    accounts: int
    files: int
    bytes: int


@dataclass(frozen=True)
class Piece:
    """One file, as it is where it comes from."""

    name: str
    """Relative to the home."""
    bytes: int
    sha256: str


@contextmanager
def nobody_else(settings: Settings, accounts: set[str]) -> Iterator[None]:
    """Let no crawl, no load and no publication of the home run during the block.

    `accounts` are those that may begin to land.
    """
    names = sorted({*accounts_with_landing(settings.landing_path), *accounts})
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(held(settings.account_lock(name), PURPOSE))
        stack.enter_context(held(settings.publish_lock, PURPOSE))
        stack.enter_context(held(settings.warehouse_lock, PURPOSE))
        yield


def pieces_of(settings: Settings) -> dict[str, Piece]:
    """Every file of the home that is moved, read whole, by name.

    Raises `LoadError` where one is not what its crawl has written: damage is not moved.
    """
    home = settings.home
    expected = _expected(settings)
    found = {}
    for folder in (LANDING, ERASURES):
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and is_copied(path):
                piece = _piece(home, path)
                found[piece.name] = piece
    for name, sha256 in expected.items():
        if name not in found or (sha256 is not None and found[name].sha256 != sha256):
            raise LoadError(
                f"{home / name} is gone, or not what its crawl has written, so nothing was moved. "
                "lead-pipeline scrub names all that is damaged, and what to do about it."
            )
    return found


def _piece(home: Path, path: Path) -> Piece:
    with path.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    return Piece(path.relative_to(home).as_posix(), path.stat().st_size, sha256)


def _expected(settings: Settings) -> dict[str, str | None]:
    """The files whose rows count, with the digests that their commit records list."""
    landing = settings.landing_path
    expected: dict[str, str | None] = {}
    for account in accounts_with_landing(landing):
        check_chain(landing, account)
        records = list(commit_records(landing, account))
        places = Places(records)
        for file in (places.holder(file) for record in records for file in record.all_files):
            expected[f"{LANDING}/{file.path}"] = file.sha256
    return expected


def count(settings: Settings, pieces: dict[str, Piece]) -> Moved:
    """The figures of what was moved."""
    return Moved(
        len(accounts_with_landing(settings.landing_path)),
        len(pieces),
        sum(piece.bytes for piece in pieces.values()),
    )
