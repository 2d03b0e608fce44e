"""How many leads reach each stage of the path, and which share of the stage before goes on."""

from __future__ import annotations

from typing import Any

from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline.report import values
from lead_pipeline.report.published_file import PublishedFile
from lead_pipeline.report.tables import Cell, Section, Table

PATH = tuple(stage.stage for stage in CANONICAL_STAGES.values() if stage.is_on_path)
"""Stages from a new lead to a won one, in their order."""


def section(file: PublishedFile) -> Section:
    """The funnel of all accounts, and the shares of each."""
    rows = file.rows("funnel")
    tables = []
    if rows:
        tables = [_of_all(rows[0]), _of_accounts(rows[1:])]
    return Section(
        "funnel",
        "Funnel",
        "Leads that are watched since their creation and were seen in a stage or one further along. Two "
        "numbers are bounds: between two polls more of them can have been there.",
        tables,
        if_empty="No lead is watched since its creation yet: of the others nobody knows where they were.",
    )


def _of_all(row: Any) -> Table:
    rows = []
    for place, stage in enumerate(PATH):
        lower, upper = _reached(row, stage)
        before = _reached(row, PATH[place - 1]) if place else None
        rows.append(
            (
                Cell(stage),
                Cell(values.bounded(lower, upper), bar=lower / row.new, bar_upper=upper / row.new),
                Cell(values.bounded_share(lower / row.new, upper / row.new)),
                Cell("" if before is None else _passed((lower, upper), before)),
            )
        )
    return Table(
        "All accounts", ("stage", "leads", "of all", "of the stage before"), rows, is_narrow=True
    )


def _of_accounts(rows: list[Any]) -> Table:
    return Table(
        "Share that reached the stage, by account",
        ("account", "watched", *PATH[1:]),
        [
            (
                Cell(row.account),
                Cell(values.number(row.new)),
                *(
                    Cell(values.bounded_share(*(count / row.new for count in _reached(row, stage))))
                    for stage in PATH[1:]
                ),
            )
            for row in rows
        ],
    )


def _reached(row: Any, stage: str) -> tuple[int, int]:
    return getattr(row, stage), getattr(row, f"{stage}_upper")


def _passed(reached: tuple[int, int], before: tuple[int, int]) -> str:
    """The share of those in the stage before that went on, with bounds."""
    if not before[1]:
        return values.NOTHING
    # Whoever is in a stage has been in the one before.
    upper = min(1.0, reached[1] / before[0]) if before[0] else 1.0
    return values.bounded_share(reached[0] / before[1], upper)
