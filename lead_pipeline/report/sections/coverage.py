"""How far each account's data reaches, and since when and how often it is looked at."""

from __future__ import annotations

from lead_pipeline.report import values
from lead_pipeline.report.published_file import AccountReach, PublishedFile
from lead_pipeline.report.tables import Cell, Section, Table


def section(file: PublishedFile) -> Section:
    """A row per account."""
    columns = (
        "account",
        "leads",
        "complete from",
        "complete through",
        "watched from",
        "hours between polls",
    )
    return Section(
        "coverage",
        "How far the data reaches",
        "Of each account, the stretch of time of which the last update of every lead is in the file. Of what "
        "was before the watch, and between two polls, only what the next poll showed is known.",
        [
            Table(
                "Coverage",
                columns,
                [_row(found) for found in file.accounts],
                frozenset(columns) - {"leads", "hours between polls"},
            )
        ],
        is_wide=True,
        if_empty="No account has been published yet.",
    )


def _row(found: AccountReach) -> tuple[Cell, ...]:
    hours = "not known" if found.poll_seconds is None else f"{found.poll_seconds / 3600:,.1f}"
    return (
        Cell(found.account, below=found.note or ""),
        Cell(values.number(found.leads)),
        Cell(
            "the beginning" if found.complete_from is None else values.moment(found.complete_from)
        ),
        Cell(
            "nothing yet"
            if found.complete_through is None
            else values.moment(found.complete_through)
        ),
        Cell("not yet" if found.watched_from is None else values.moment(found.watched_from)),
        Cell(hours),
    )
