"""How leads of one week do at the same age: cohorts that are too young for an age have no figure there."""

from __future__ import annotations

from lead_pipeline.report import values
from lead_pipeline.report.published_file import PublishedFile
from lead_pipeline.report.tables import Cell, Section, Table

AGES = (7, 14, 30, 90)
"""Days after the creation of a lead."""
WEEKS = 8


def section(file: PublishedFile) -> Section:
    """A row per week of creation, a column per age, for two stages."""
    rows = file.rows("cohorts", weeks=WEEKS, accounts=file.current)
    tables = [
        Table(
            f"Share {stage} within so many days of creation",
            ("week of", "watched", *(f"{age} d" for age in AGES)),
            [
                (
                    Cell(values.short_day(row.cohort_starts_on)),
                    Cell(values.number(row.leads_watched)),
                    *(_cell(row.leads_watched, getattr(row, stage)[age]) for age in AGES),
                )
                for row in rows
            ],
            is_narrow=True,
        )
        for stage in ("qualified", "won")
        if rows
    ]
    return Section(
        "cohorts",
        "Cohorts at the same age",
        "Of the leads created in a week and watched since, the share that had got so far after so many days. A "
        "week is shown at an age once its last lead has reached it; accounts that are behind are left out.",
        tables,
        is_wide=True,
        if_empty="No week of leads is watched from its beginning yet.",
    )


def _cell(leads: int, reached: list[int] | None) -> Cell:
    if reached is None:
        return Cell("not yet", tone="unknown")
    first, last = (count / leads for count in reached)
    return Cell(values.bounded_share(first, last), bar=first, bar_upper=last)
