"""An erasure from its tombstones to its receipt, one step after the other.

    begin ──▶ erase_landing ──▶ (load, dbt, publish) ──▶ erase_elsewhere ──▶ prove ──▶ receipt

Each step may be repeated, and the next one begins only after it: a killed erasure goes on from its note.
Belongs here: the order. Does not belong here: running dbt, which the command does in between.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lead_pipeline.erasure.elsewhere import (
    Elsewhere,
    clear_builds,
    digest_of_published,
    overwrite_logs,
    text_hash,
)
from lead_pipeline.erasure.needles import Needles
from lead_pipeline.erasure.persons import (
    Persons,
    Text,
    TextKind,
    contacts_asked,
    texts_of_leads,
)
from lead_pipeline.erasure.receipt import (
    FoundIn,
    Outcome,
    Proof,
    Receipt,
    leads_of,
    write_receipt,
)
from lead_pipeline.erasure.search import Found, search_folder
from lead_pipeline.errors import ErasureIncomplete, LoadError
from lead_pipeline.explain.find import LeadRef
from lead_pipeline.landing.chain import check_chain
from lead_pipeline.landing.erasing import LandingErasure, erase_records, find_rows
from lead_pipeline.landing.erasures import (
    ErasedLanding,
    PendingErasure,
    Reason,
    forget_pending,
    save_pending,
)
from lead_pipeline.landing.tombstones import (
    Erased,
    Tombstone,
    contact_hash,
    erased_of,
    erased_persons,
    lead_hash,
    restore_tombstones,
    write_tombstone,
)
from lead_pipeline.landing.turns import account_turn
from lead_pipeline.settings import Settings
from lead_pipeline.storage.erasure_key import ErasureKey, make_key, read_key
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.warehouse import warehouse_at

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """How persons are to be erased."""

    reference: str | None = None
    blocks_contact: bool = False
    reason: Reason = "request"


def begin(settings: Settings, persons: Persons, order: Order) -> PendingErasure:
    """Note the erasure, and write its tombstones: from here on nothing of the persons lands.

    Raises `LoadError` where landing is damaged, before anything is written.
    """
    # A key that is lost shows here, before another one would be made.
    erased_persons(settings)
    for account in persons.by_account:
        check_chain(settings.landing_path, account)
    key, now = make_key(settings), datetime.now(UTC)
    pending = PendingErasure(
        erasure=f"{now:%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(3)}",
        began_at=now,
        reason=order.reason,
        reference=order.reference,
        key_id=key.key_id,
        blocks_contact=order.blocks_contact,
        leads={
            account: sorted(lead_hash(key, account, lead) for lead in leads)
            for account, leads in persons.by_account.items()
        },
        contacts=sorted(contact_hash(key, contact) for contact in persons.contacts),
        texts=sorted(text_hash(key, form) for _, form in _forms(persons.texts)),
    )
    save_pending(settings, pending)
    write_tombstones(settings, pending)
    return pending


def _forms(texts: Iterable[Text]) -> set[Text]:
    return {form for kind, text in texts for form in ((kind, text), (kind, text.lower()))}


def write_tombstones(settings: Settings, pending: PendingErasure) -> None:
    """Write the tombstones of an erasure; those that are there stay as they are."""
    stone = tombstone_of(pending)
    for account, leads in pending.leads.items():
        own = msgspec.structs.replace(stone, leads=leads)
        write_tombstone(settings, account, pending.erasure, own)


def tombstone_of(pending: PendingErasure) -> Tombstone:
    """What its tombstones say, without the leads."""
    return Tombstone(
        erased_at=pending.began_at,
        reference=pending.reference,
        key_id=pending.key_id,
        leads=[],
        contacts=pending.contacts if pending.blocks_contact else [],
    )


def key_of(settings: Settings, pending: PendingErasure) -> ErasureKey:
    """The key of an erasure that has begun. Raises `LoadError` where it is not there any more."""
    key = read_key(settings)
    if key is None or key.key_id != pending.key_id:
        raise LoadError(
            f"An erasure was begun with the key {pending.key_id}, which is not there. Restore "
            f"{settings.erasure_key_path}, or set LEAD_PIPELINE_ERASURE_KEY to the key of then."
        )
    return key


def resumed(settings: Settings, pending: PendingErasure) -> PendingErasure:
    """Take up an erasure that was interrupted, wherever it was."""
    key_of(settings, pending)
    again = msgspec.structs.replace(pending, resumed=pending.resumed + 1)
    save_pending(settings, again)
    write_tombstones(settings, again)
    return again


def erase_landing(settings: Settings, pending: PendingErasure, tell: Tell) -> PendingErasure:
    """Take the persons out of landing, one account after the other; pulls of it wait meanwhile."""
    for account in pending.accounts_left:
        purpose = f"erasing persons of {account}"
        with account_turn(settings, account, purpose, tell):
            erased = _with_contacts(erased_of(settings, account), pending)
            done = erase_records(settings, account, erased)
            restore_tombstones(settings, account)
        tell(f"{account}: {done.rows:,} rows taken out of {len(done.files):,} files of landing.")
        part = _noted(account, done)
        pending = msgspec.structs.replace(pending, landing=[*pending.landing, part])
        save_pending(settings, pending)
    return pending


def _noted(account: str, done: LandingErasure) -> ErasedLanding:
    return ErasedLanding(
        account=account,
        leads=done.leads,
        rows=done.rows,
        closed_crawls=done.closed_crawls,
        files=list(done.files),
        removed=list(done.removed),
    )


def _with_contacts(erased: Erased, pending: PendingErasure) -> Erased:
    """Of rejected records often nothing but an address can be read."""
    stone = tombstone_of(pending)
    return replace(erased, contacts={**dict.fromkeys(pending.contacts, stone), **erased.contacts})


def erase_elsewhere(
    settings: Settings, pending: PendingErasure, texts: Iterable[Text], tell: Tell
) -> Elsewhere:
    """Remove or overwrite what holds the persons outside of landing; publications wait meanwhile.

    After the published file has been replaced: what was there is kept for a rollback until now.
    """
    key = key_of(settings, pending)
    wanted = frozenset(pending.texts)

    def is_wanted(text: str) -> bool:
        return text_hash(key, text) in wanted

    removed = clear_elsewhere(settings, tell)
    known = sorted({form for _, form in _forms(texts) if len(form) >= _LEAST_CHARACTERS})
    with held(settings.alerts_lock, "overwriting what tells erased persons", tell):
        try:
            changed = overwrite_logs(_log_folders(settings), is_wanted, known)
        except (OSError, sqlite3.Error) as error:
            raise ErasureIncomplete(
                f"A log of Dagster cannot be overwritten ({type(error).__name__}). Landing, tables and "
                "published file are done. Stop Dagster or make room, then: lead-pipeline forget "
                "--resume."
            ) from None
    return Elsewhere(
        tuple(removed), tuple(Path(os.path.relpath(p, settings.home)).as_posix() for p in changed)
    )


def clear_elsewhere(settings: Settings, tell: Tell) -> list[str]:
    """Remove all builds but the published one that hold erased persons; which files those were."""
    with ExitStack() as stack:
        purpose = "removing builds that hold erased persons"
        for lock in (settings.publish_lock, settings.checks_lock, settings.warehouse_lock):
            stack.enter_context(held(lock, purpose, tell))
        erased = erased_persons(settings)
        removed = clear_builds(settings, erased)
        if settings.lake is not None:
            from lead_pipeline.bi.lake_upkeep import forget_erased

            removed += forget_erased(settings, erased, tell)
        return removed


_LEAST_CHARACTERS = 6
"""Shorter texts stand in logs for something else, too."""


def _log_folders(settings: Settings) -> list[Path]:
    """Where Dagster and alerts keep theirs; nothing of landing, and no file of people's own."""
    home = os.environ.get("DAGSTER_HOME")
    folders = [settings.dagster_home, settings.home / ".locks"]
    if home and Path(home).resolve() != settings.dagster_home:
        folders.append(Path(home))
    return [folder for folder in folders if folder.exists()]


def prove(settings: Settings, pending: PendingErasure, texts: Iterable[Text]) -> Proof:
    """Look through the whole home for the persons: landing by their hashes, all files for `texts`.

    The home of a team is what its store has, by then.
    """
    seams_of(settings).landing.refresh()
    rows = 0
    for account in pending.leads:
        erased = _with_contacts(erased_of(settings, account), pending)
        found = find_rows(settings.landing_path, account, erased)
        rows += sum(len(change.dropped) for change in found.changes.values()) + len(found.unlisted)
    texts = frozenset(texts)
    if not texts:
        return Proof(outcome="found" if rows else "not_evaluated", landing_rows=rows)
    needles = Needles.of(texts)
    # Nobody loads meanwhile: DuckDB does not open a file that is open for writing.
    with held(settings.warehouse_lock, "looking for erased persons"):
        warehouse_at(settings.warehouse_path).check_out()
        return _searched(settings, needles, rows)


def _searched(settings: Settings, needles: Needles, rows: int) -> Proof:
    landing = search_folder(settings.landing_path, needles)
    # Whose rows these are, hashes have told above: other leads' records hold the same texts, and so
    # does everything that is made of them.
    others = [found for found in landing.found if found.path.suffix == ".parquet"]
    shared = {needle for found in others for needle in found.needles}
    rest = search_folder(
        settings.home,
        needles.without(shared),
        skip=frozenset(found.path for found in others),
    )
    found_in = _found_in(settings, rest.found, needles)
    unread = sorted({_relative(settings, u.path) for u in (*landing.unread, *rest.unread)})
    outcome: Outcome = "not_evaluated" if unread else "clean"
    return Proof(
        outcome="found" if found_in or rows else outcome,
        files=rest.files,
        bytes=rest.bytes,
        looked_for=_counts(needles),
        too_short=needles.too_short,
        landing_rows=rows,
        found=found_in,
        held_by_others=_found_in(settings, others, needles),
        unread=unread,
    )


def _found_in(settings: Settings, found_files: Iterable[Found], needles: Needles) -> list[FoundIn]:
    return [
        FoundIn(
            _relative(settings, found.path),
            sorted({kind for needle in found.needles for kind in needles.kinds[needle]}),
        )
        for found in found_files
    ]


def _counts(needles: Needles) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kinds in needles.kinds.values():
        for kind in kinds:
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def _relative(settings: Settings, path: Path) -> str:
    return Path(os.path.relpath(path, settings.home)).as_posix()


def conclude(
    settings: Settings, pending: PendingErasure, elsewhere: Elsewhere, proof: Proof
) -> tuple[Receipt, Path]:
    """Write the receipt, and let the erasure be over unless the search has found somebody."""
    receipt = Receipt(
        erasure=pending.erasure,
        reason=pending.reason,
        reference=pending.reference,
        began_at=pending.began_at,
        ended_at=datetime.now(UTC),
        resumed=pending.resumed,
        key_id=pending.key_id,
        blocks_contact=pending.blocks_contact,
        leads=leads_of(pending),
        landing=pending.landing,
        warehouse="rebuilt" if warehouse_at(settings.warehouse_path).exists() else "none",
        published="replaced" if settings.published_path.exists() else "none",
        published_sha256=digest_of_published(settings),
        removed=list(elsewhere.removed),
        overwritten=list(elsewhere.overwritten),
        not_searched=not_reached(settings),
        proof=proof,
    )
    path = write_receipt(settings, receipt)
    if proof.outcome != "found" and not proof.unread:
        forget_pending(settings, pending)
    return receipt, path


def not_reached(settings: Settings) -> list[str]:
    """Where copies can be that this command does not reach."""
    places = ["backups, and copies that readers have made of the published file"]
    config = settings.dagster_home / "dagster.yaml"
    is_elsewhere = config.exists() and "postgres" in config.read_text("utf-8")
    if is_elsewhere or settings.database is not None:
        places.append("the PostgreSQL database of Dagster")
    if settings.lake is not None:
        places.append(
            "backups of the lake's catalog, and versions that its bucket keeps of removed files"
        )
    if settings.shared is not None:
        places.append("homes of other workers, until each has run again (docs/team.md)")
        places.append("earlier versions of objects, where the bucket keeps them (docs/team.md)")
    return places


def texts_of(settings: Settings, pending: PendingErasure, asked: Sequence[str]) -> frozenset[Text]:
    """All that is still known of the persons of an interrupted erasure: from what is typed again, and
    from landing where that has not been erased yet."""
    typed: set[Text] = {
        (kind, form)
        for text in asked
        for form in (text, text.partition(":")[2], text.lower())
        if form
        for kind in _KINDS
    }
    typed |= contacts_asked(asked, settings.phone_region)
    leads = {
        LeadRef(account, lead)
        for account in pending.accounts_left
        for lead in find_rows(settings.landing_path, account, erased_of(settings, account)).ids
    }
    return frozenset(typed | texts_of_leads(settings, leads))


_KINDS: tuple[TextKind, ...] = ("id", "email", "phone", "name")


def remembered(key: ErasureKey, texts: Iterable[Text], pending: PendingErasure) -> frozenset[Text]:
    """Those of `texts` that the erasure looks for, each as one kind."""
    wanted = frozenset(pending.texts)
    by_form = {form: kind for kind, form in sorted(texts, reverse=True)}
    return frozenset(
        (kind, form) for form, kind in by_form.items() if text_hash(key, form) in wanted
    )


def are_meant(
    settings: Settings, interrupted: Sequence[PendingErasure], asked: Sequence[str]
) -> bool:
    """Whether all that is typed tells persons of the interrupted erasures."""
    if not (asked and interrupted):
        return False
    key = key_of(settings, interrupted[0])
    wanted = {text for pending in interrupted for text in pending.texts}

    def is_meant(text: str) -> bool:
        forms = {text, text.lower(), text.partition(":")[2]}
        forms |= {form for _, form in contacts_asked([text], settings.phone_region)}
        return any(text_hash(key, form) in wanted for form in forms)

    return all(is_meant(text) for text in asked)


@dataclass(frozen=True)
class Preview:
    """What an erasure would take out of the landing of an account."""

    account: str
    leads: int
    rows: int
    files: int


def preview(settings: Settings, persons: Persons) -> list[Preview]:
    """What an erasure would do to landing. Changes nothing, and makes no key."""
    key = ErasureKey.of(secrets.token_hex(32))
    found = []
    for account, leads in sorted(persons.by_account.items()):
        stone = Tombstone(erased_at=datetime.now(UTC), key_id=key.key_id, leads=[])
        erased = Erased(
            account,
            key,
            {lead_hash(key, account, lead): stone for lead in leads},
            {contact_hash(key, contact): stone for contact in persons.contacts},
            settings.phone_region,
        )
        rows = find_rows(settings.landing_path, account, erased)
        changes = rows.changes.values()
        dropped = sum(len(change.dropped) for change in changes)
        found.append(Preview(account, len(leads), dropped, len(changes) + len(rows.unlisted)))
    return found


def erase_again(settings: Settings, tell: Tell) -> list[ErasedLanding]:
    """Take persons out of landing again who were erased before: an older landing may be restored."""
    done = []
    for account, erased in sorted(erased_persons(settings).items()):
        with account_turn(settings, account, f"erasing persons of {account}", tell):
            found = erase_records(settings, account, erased)
            restore_tombstones(settings, account)
        if found:
            with held(settings.warehouse_lock, "erasing persons from the tables", tell):
                warehouse_at(settings.warehouse_path).discard()
            done.append(_noted(account, found))
    return done
