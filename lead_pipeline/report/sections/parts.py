"""The same figures by owner and by source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lead_pipeline.report import values
from lead_pipeline.report.published_file import PublishedFile
from lead_pipeline.report.tables import Cell, Scale, Section, Table

SHOWN = 10
"""Rows of each table; the explore page has all of them."""


def owners(file: PublishedFile) -> Section:
    """Who has what, who answers how fast, and who wins."""
    rows = file.rows("owners", day=file.last_day)
    scale = Scale([row.open for row in rows[:SHOWN]])
    table = Table(
        "Leads by owner",
        (
            "owner",
            "new in 7 days",
            "open",
            "unanswered",
            "stale",
            "over limit",
            "won in 28 days",
            "won of decided",
            "time to answer",
        ),
        [
            (
                Cell(file.owner(row.owner_id, row.owner_name, row.owner_role), below=row.account),
                _compared(row),
                Cell(values.number(row.open), bar=scale.of(row.open)),
                Cell(values.number(row.unanswered)),
                Cell(values.number(row.stale)),
                Cell(values.number(row.over_limit)),
                Cell(values.bounded(row.won, row.won_upper)),
                Cell(values.share(row.win_rate)),
                Cell(values.bounded_length(row.response_seconds_lower, row.response_seconds_upper)),
            )
            for row in rows[:SHOWN]
        ],
    )
    return Section(
        "owners",
        "By owner",
        "Those that nobody has first, then by open leads; new ones with the change to the seven days before. The time to answer is the median of all leads, with "
        f"those that still wait.{_left_out(rows)}",
        [table],
        is_wide=True,
    )


def sources(file: PublishedFile) -> Section:
    """Where new leads come from, and how far those of each source get."""
    rows = file.rows("sources", day=file.last_day)
    scale = Scale([row.created for row in rows[:SHOWN]])
    table = Table(
        "Leads by source",
        ("source", "new in 7 days", "open", "qualified", "won of decided"),
        [
            (
                Cell(row.source),
                _compared(row, bar=scale.of(row.created)),
                Cell(values.number(row.open)),
                Cell(
                    values.bounded_share(
                        _of(row.qualified, row.watched), _of(row.qualified_upper, row.watched)
                    ),
                    below=f"of {row.watched:,} watched",
                ),
                Cell(
                    values.share(_of(row.won, row.decided)), below=f"{row.won:,} of {row.decided:,}"
                ),
            )
            for row in rows[:SHOWN]
        ],
        is_narrow=True,
    )
    return Section(
        "sources",
        "By source",
        "New leads with the change to the seven days before. Qualified is the share of the leads that are watched since their creation, young ones included: they "
        f"may still get there.{_left_out(rows)}",
        [table],
    )


def _compared(row: Any, bar: float | None = None) -> Cell:
    difference = row.created - row.created_before
    tone = "more" if difference > 0 else "fewer" if difference < 0 else ""
    return Cell(values.number(row.created), values.signed(difference), tone, bar)


def _left_out(rows: Sequence[object]) -> str:
    more = len(rows) - SHOWN
    return f" {more:,} more: see the explore page." if more > 0 else ""


def _of(part: int, whole: int) -> float | None:
    return part / whole if whole else None
