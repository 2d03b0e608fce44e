"""`lead-pipeline forget`: a person taken out of everything, and never landed again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import (
    answer_in_json,
    fail,
    last_word,
    note,
    print_json,
    say,
    show_table,
    working,
)
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.commands.outcome import published_now
from lead_pipeline.errors import ConfigurationError, ErasureIncomplete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lead_pipeline.erasure.erase import Order
    from lead_pipeline.erasure.persons import Persons, Text
    from lead_pipeline.erasure.receipt import Receipt
    from lead_pipeline.landing.erasures import PendingErasure
    from lead_pipeline.settings import Settings


def forget(
    who: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHO",
            help="Leads: a lead_key (account:id), a lead id, an e-mail address or a phone number, also "
            "a former one.",
        ),
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Only leads of this account.")
    ] = None,
    with_linked: Annotated[
        bool,
        typer.Option(
            "--with-linked", help="Also the other leads of the same persons (marts.person_links)."
        ),
    ] = False,
    block_contact: Annotated[
        bool,
        typer.Option(
            "--block-contact",
            help="A new lead with the same e-mail address or phone number is not landed either.",
        ),
    ] = False,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="TICKET",
            help="What the request is called: a ticket, never a name.",
        ),
    ] = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from-file", help="A text file with one WHO a line.", metavar="FILE"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be erased; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Complete an erasure that was interrupted, or repeat all after a backup was restored.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the receipts as one JSON document.")
    ] = False,
) -> None:
    """Forget persons: erase their leads from landing, tables, published file, retained builds and logs.

    A tombstone (keyed hashes, no personal data) is written first, so later pulls, restored backups and
    rebuilds do not bring them back. Then every file is looked through for them, and a receipt is written
    to erasures/ of the home. It cannot be undone. Safe to kill: the same command, or --resume,
    completes it. Ask the provider to delete the lead, too: this command asks no API.

    Example: lead-pipeline forget jane@example.com --reference TICKET-7 --dry-run
    """
    from lead_pipeline.erasure.erase import Order

    settings = settings_of_command()
    asked = _asked(who, from_file)
    if resume == bool(asked):
        raise typer.BadParameter("Say who is to be forgotten (WHO or --from-file), or --resume.")
    if as_json:
        answer_in_json()
    are_done, receipts = (False, []) if dry_run else _complete_pending(settings, asked)
    if resume:
        _repeat(settings)
    elif not are_done:
        persons = _found(settings, asked, account, with_linked=with_linked)
        _show(settings, persons)
        if dry_run:
            last_word("Nothing was changed.")
            return
        _confirm(persons, yes=yes)
        receipts.append(erase_persons(settings, persons, Order(reference, block_contact)))
    if as_json:
        print_json({"receipts": receipts})
    _conclude(settings, receipts)


def _asked(who: Sequence[str] | None, from_file: Path | None) -> list[str]:
    lines: list[str] = []
    if from_file is not None:
        try:
            lines = from_file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{from_file} cannot be read ({type(error).__name__}): it must be UTF-8 text with one "
                "WHO a line."
            ) from None
    return [text.strip() for text in (*(who or ()), *lines) if text.strip()]


def _found(
    settings: Settings, asked: Sequence[str], account: str | None, *, with_linked: bool
) -> Persons:
    from lead_pipeline.erasure.persons import find_persons

    with working("Looking for leads in landing"):
        persons = find_persons(settings, asked, account=account, with_linked=with_linked)
    if persons.unknown:
        # What was typed is somebody's: only its place is told.
        places = ", ".join(f"{place:,}" for place in persons.unknown[:10])
        raise ConfigurationError(
            f"Of {len(asked):,} persons asked for, nobody was found for number {places}: searched as "
            "lead_key (account:id), lead id, e-mail address and phone number, also former ones. "
            "Nothing was erased. lead-pipeline explain says whether a lead was erased before."
        )
    return persons


def _show(settings: Settings, persons: Persons) -> None:
    from lead_pipeline.erasure.erase import preview

    rows = [[p.account, p.leads, p.rows, p.files] for p in preview(settings, persons)]
    show_table("To be erased", ["account", "leads", "landed rows", "landed files"], rows)
    if persons.others:
        say(
            f"{len(persons.others):,} other leads have one of these addresses or numbers, and stay: "
            f"{', '.join(persons.others[:10])}. --with-linked adds those that marts.person_links "
            "joins; or name them."
        )


def _confirm(persons: Persons, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "Erasing cannot be undone, and nobody can be asked here. Look with --dry-run, then say "
            "--yes."
        )
    typer.confirm(f"Erase {len(persons.leads):,} leads? It cannot be undone.", abort=True)


def erase_persons(settings: Settings, persons: Persons, order: Order) -> Receipt:
    """Erase persons, from their tombstones to the receipt. Raises `ErasureIncomplete`."""
    from lead_pipeline.erasure.erase import begin

    pending = begin(settings, persons, order)
    return _go_on(settings, pending, persons.texts)


def _complete_pending(settings: Settings, asked: Sequence[str]) -> tuple[bool, list[Receipt]]:
    """Complete what was interrupted before anything else; what was typed says again of whom it is.

    Whether that is all that was asked for, and the receipts.
    """
    from lead_pipeline.erasure.erase import are_meant, key_of, remembered, resumed, texts_of
    from lead_pipeline.landing.erasures import pending_erasures

    done: list[Receipt] = []
    interrupted = pending_erasures(settings)
    are_all = are_meant(settings, interrupted, asked)
    for pending in interrupted:
        note(f"Completing the erasure {pending.erasure}, which was interrupted.")
        texts = remembered(key_of(settings, pending), texts_of(settings, pending, asked), pending)
        done.append(_go_on(settings, resumed(settings, pending), texts))
    return are_all, done


def _go_on(settings: Settings, pending: PendingErasure, texts: frozenset[Text]) -> Receipt:
    from lead_pipeline.erasure.erase import conclude, erase_elsewhere, erase_landing, prove

    with working("Erasing from landing") as tell:
        pending = erase_landing(settings, pending, tell)
    rewrite_tables(settings)
    with working("Removing what holds them elsewhere, and looking through the home") as tell:
        elsewhere = erase_elsewhere(settings, pending, texts, tell)
        proof = prove(settings, pending, texts)
    receipt, path = conclude(settings, pending, elsewhere, proof)
    _show_receipt(receipt, path)
    return receipt


def _show_receipt(receipt: Receipt, path: Path) -> None:
    rows = [[part.account, part.leads, part.rows, len(part.files)] for part in receipt.landing]
    show_table("Erased from landing", ["account", "leads", "rows", "files"], rows)
    proof = receipt.proof
    say(
        f"{len(receipt.removed):,} builds and other files were removed, {len(receipt.overwritten):,} "
        f"logs overwritten; {proof.files:,} files were looked through."
    )
    if proof.held_by_others:
        say(
            "Records of other leads hold some of the same texts, and stay: "
            + ", ".join(
                f"{item.file} ({', '.join(item.kinds)})" for item in proof.held_by_others[:5]
            )
        )
    say(f"Out of reach: {'; '.join(receipt.not_searched)}. Receipt: {path}")


def rewrite_tables(settings: Settings) -> None:
    """Tables and published file in new files, where there were any before."""
    from lead_pipeline.normalized.load import load_landing
    from lead_pipeline.storage.publication import refreshed
    from lead_pipeline.storage.warehouse import warehouse_at

    if not refreshed(settings.published_path).exists():
        if warehouse_at(settings.warehouse_path).exists():
            with working("Building the tables again") as tell:
                load_landing(settings, rebuild=True, tell=tell)
        return
    # That leads are gone is what was asked for.
    if failure := published_now(settings, allow_row_count_drop=True).failure:
        raise ErasureIncomplete(
            f"Landing is done, but the published file still holds who is erased: {failure} Then the "
            "same command, or lead-pipeline forget --resume, completes it."
        )


def _repeat(settings: Settings) -> None:
    """Erase again whoever was erased before and is in landing again."""
    from lead_pipeline.erasure.erase import clear_elsewhere, erase_again

    with working("Looking for erased persons in landing and builds") as tell:
        again = erase_again(settings, tell)
        for path in clear_elsewhere(settings, tell):
            say(f"Removed {path}.")
    for part in again:
        say(f"{part.account}: {part.rows:,} rows of erased persons were in landing again.")
    if again:
        rewrite_tables(settings)


def _conclude(settings: Settings, receipts: Sequence[Receipt]) -> None:
    found = [receipt for receipt in receipts if receipt.proof.outcome == "found"]
    if found:
        files = sorted({item.file for receipt in found for item in receipt.proof.found})
        where = ", ".join(files[:5]) or "landing"
        fail(
            f"lead-pipeline: what was erased is still in {len(files):,} files below {settings.home}: "
            f"{where}. Remove those that are not ours, or close what has them open; then the same "
            "command looks again."
        )
        raise typer.Exit(1)
    if unread := sorted({file for receipt in receipts for file in receipt.proof.unread}):
        fail(
            f"lead-pipeline: {len(unread):,} files below {settings.home} could not be looked through: "
            f"{', '.join(unread[:5])}. Close what has them open, or remove them; then the same command "
            "looks again."
        )
        raise typer.Exit(1)
    leads = sum(sum(receipt.leads.values()) for receipt in receipts)
    if not receipts:
        last_word("No erasure was interrupted, and nobody who was erased is in landing again.")
    elif any(receipt.proof.outcome == "not_evaluated" for receipt in receipts):
        last_word(
            f"Erased {leads:,} leads. Landing holds nothing of them; other files were not looked through "
            "for their names and addresses, since nobody said again who they are."
        )
    else:
        last_word(
            f"Erased {leads:,} leads; the search through {settings.home} found nothing of them."
        )
