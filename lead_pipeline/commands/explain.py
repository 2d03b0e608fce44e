"""`lead-pipeline explain`: why a lead shows what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import error_console, fail, note, print_json, say, show_table
from lead_pipeline.commands.edge import settings_of_command

if TYPE_CHECKING:
    from lead_pipeline.explain.document import Answer, Explanation


def explain(
    lead: Annotated[
        str,
        typer.Argument(
            metavar="LEAD",
            help="A lead_key (account:id), a lead id, or an email, also a former one.",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document: everything, nothing shortened.")
    ] = False,
    with_linked: Annotated[
        bool,
        typer.Option(
            "--with-linked",
            help="Also the other leads of the person: with --json, all that is held of somebody.",
        ),
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Each observation, also those that repeat the one before.")
    ] = False,
) -> None:
    """Show why a lead shows what it shows: each observation of it, and what each changed.

    With --json --with-linked it is a complete export of what is held of a person: every landed payload,
    rejected record, event and sighting.
    Where every current value comes from, the stage intervals with their evidence, and in which
    landed file each record lies; and what joined it with other leads of the same person. Asks no
    API; reads landing, and warehouse and published file for a moment.
    What it prints is personal data.

    Example: lead-pipeline explain sales_us:0b9c…
    """
    from lead_pipeline.explain.answer import answer

    settings = settings_of_command()
    with error_console.status("Reading landed files …"):
        found = answer(settings, lead, note, with_linked=with_linked)
    if as_json:
        print_json(found)
    else:
        _show(found, every=every)
    if found.lead is None and not found.erased:
        fail(
            f"lead-pipeline: {len(found.matches):,} leads match. Explain one by its lead_key: "
            f"lead-pipeline explain {found.matches[0].lead_key}"
        )
        raise typer.Exit(1)


def _show(found: Answer, *, every: bool) -> None:
    from lead_pipeline.explain import tables

    for erased in found.erased:
        request = f", as {erased.reference} asked for" if erased.reference else ""
        say(
            f"{erased.account}: erased on {erased.erased_at:%Y-%m-%d %H:%M}Z{request}. Nothing of it is "
            "kept, and it is not landed again."
        )
    if found.erased:
        return
    if found.lead is None:
        show_table("Leads", tables.MATCH_COLUMNS, tables.match_rows(found.matches))
        return
    _show_lead(found, every=every)
    for linked in found.linked:
        say(f"The same person: {linked.lead_key}")
        _show_entries(linked, every=every)
    if found.not_linked:
        say(f"Note: {found.not_linked}")


def _show_lead(found: Answer, *, every: bool) -> None:
    from lead_pipeline.explain import tables

    lead = found.lead
    if lead is None:
        return
    match = found.matches[0]
    say(tables.headline(lead, match))
    _show_entries(lead, every=every)


def _show_entries(lead: Explanation, *, every: bool) -> None:
    from lead_pipeline.explain import tables

    if lead.current_values:
        show_table("Current values", tables.VALUE_COLUMNS, tables.value_rows(lead))
    if lead.stage_intervals:
        show_table("Stage intervals", tables.INTERVAL_COLUMNS, tables.interval_rows(lead))
    if lead.person_links:
        title = f"The same person: {len(lead.person_links):,} other leads"
        show_table(title, tables.PERSON_COLUMNS, tables.person_rows(lead, every=every))
    shown = tables.folded(lead.timeline, every=every)
    show_table("Timeline, as it came", tables.ENTRY_COLUMNS, tables.entry_rows(shown))
    show_table(
        f"Where it lies, below landing/{lead.account}/",
        tables.PLACE_COLUMNS,
        tables.place_rows(shown),
    )
    for text in lead.notes:
        say(f"Note: {text}")
