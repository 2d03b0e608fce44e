"""New leads per day."""

from __future__ import annotations

from lead_pipeline.report import values
from lead_pipeline.report.published_file import PublishedFile
from lead_pipeline.report.tables import Cell, Columns, Section, Table

DAYS = 56
"""Eight weeks."""


def section(file: PublishedFile) -> Section:
    """A column per day, those that are not over for all accounts told apart."""
    known_until = [found.last_day for found in file.accounts]
    rows = [] if file.last_day is None else file.rows("created", day=file.last_day, days=DAYS)
    over = (
        None if None in known_until or not known_until else min(day for day in known_until if day)
    )
    points = [
        (values.day(row.date_day), row.leads, over is not None and row.date_day <= over)
        for row in rows
    ]
    table = Table(
        "New leads per day",
        ("day", "new leads"),
        [
            (Cell(day), Cell(values.number(leads) if whole else f"at least {leads:,}"))
            for day, leads, whole in reversed(points)
        ],
    )
    return Section(
        "created",
        "New leads per day",
        f"By the day on which their provider created them, {file.zone}.",
        [table],
        is_wide=True,
        chart=Columns("New leads per day", points),
    )
