"""Where the present week and month stand against their targets."""

from __future__ import annotations

from typing import Any

from lead_pipeline.report import values
from lead_pipeline.report.published_file import PublishedFile
from lead_pipeline.report.sections.news import WHAT
from lead_pipeline.report.tables import Cell, Section, Table


def section(file: PublishedFile) -> Section | None:
    """A row per target; None where nobody has set one for these days."""
    last_day = file.last_day
    rows = [] if last_day is None else file.rows("targets", day=last_day)
    if not rows:
        return None
    return Section(
        "targets",
        "Against target",
        "Each week and month that is not over. The time that has passed is how much of its target an even pace "
        "would have reached.",
        [
            Table(
                "Targets",
                ("target of", "so far", "target", "reached", "time passed"),
                [_row(file, row) for row in rows],
                is_narrow=True,
            )
        ],
        is_wide=True,
    )


def _row(file: PublishedFile, row: Any) -> tuple[Cell, ...]:
    whose = "all accounts" if row.is_all_accounts else row.account
    if row.owner_id is not None:
        whose = f"{file.owner(row.owner_id, row.owner_name)}, {whose}"
    if row.accounts_left_out:
        whose = f"{whose}; {row.accounts_left_out:,} not known since its beginning"
    name = Cell(f"{WHAT[row.metric]} this {row.period}", below=whose)
    target = Cell(f"{row.target:,.0f}", below=f"by {values.day(row.ends_on)}")
    if row.value is None:
        return (
            name,
            Cell("not known", tone="unknown"),
            target,
            Cell("not known", tone="unknown"),
            Cell(values.NOTHING),
        )
    bounds = (
        ""
        if row.value_lower == row.value_upper
        else f"between {row.value_lower:,} and {row.value_upper:,}"
    )
    reached = row.value / row.target
    return (
        name,
        Cell(f"{row.value:,}", below=bounds),
        target,
        Cell(values.share(reached), bar=min(1.0, reached)),
        Cell(
            values.share(row.time_share), below=f"through {values.short_day(row.counted_through)}"
        ),
    )
