"""Ten leads that wait for somebody, by key and, where the settings say so, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lead_pipeline.report import values
from lead_pipeline.report.published_file import PublishedFile
from lead_pipeline.report.tables import Cell, Section, Table


def section(file: PublishedFile) -> Section:
    """At most ten leads, with why they are shown."""
    last_day = file.last_day
    rows = [] if last_day is None else file.rows("calls", day=last_day)
    has_names = file.names == "all" and not file.is_masked
    columns = ("lead", "stage", "source", "owner", "score")
    texts = frozenset(columns[:-1])
    return Section(
        "calls",
        "Ten leads to call",
        "Half of them are the newest that nobody has answered, within a week of their creation. The other "
        "half were qualified or booked and are quiet for two days to a month: those furthest along first, "
        "the higher score of their account before the lower.",
        [
            Table(
                "Leads to call",
                columns,
                [_row(file, row, has_name=has_names) for row in rows],
                texts,
            )
        ],
        is_wide=True,
        if_empty="No open lead waits.",
    )


def _row(file: PublishedFile, row: Any, *, has_name: bool) -> tuple[Cell, ...]:
    name = row.full_name if has_name and row.full_name else ""
    return (
        Cell(
            name or row.lead_key,
            below=", ".join((*([row.lead_key] if name else []), *_why(row))),
            link=file.link(row.account, row.lead_id),
        ),
        Cell(row.stage),
        Cell(row.source),
        Cell(file.owner(row.owner_id, row.owner_name, row.owner_role)),
        Cell(values.NOTHING if row.score is None else f"{row.score:,.0f}"),
    )


def _why(row: Any) -> Iterator[str]:
    if row.reason == "unanswered":
        yield f"nobody has answered for {values.length(row.seconds_since_creation)}"
    else:
        yield f"quiet for {row.days_quiet:,} days"
    if row.has_open_breach:
        yield "over the limit of its stage"
