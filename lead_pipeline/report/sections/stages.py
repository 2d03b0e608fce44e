"""Where open leads wait, and how long leads stay in a stage."""

from __future__ import annotations

from lead_pipeline.report import values
from lead_pipeline.report.published_file import PublishedFile
from lead_pipeline.report.tables import Cell, Scale, Section, Table


def section(file: PublishedFile) -> Section:
    """A row per account and stage in which there are open leads."""
    rows = file.rows("stages")
    scale = Scale([row.open for row in rows])
    table = Table(
        "Open leads by stage",
        ("stage", "open", "stale", "over limit", "median", "90% within"),
        [
            (
                Cell(row.stage, below=row.account),
                Cell(values.number(row.open), bar=scale.of(row.open)),
                Cell(
                    values.number(row.stale),
                    below=f"its own list: {row.stale_for_provider:,}"
                    if row.stale_for_provider
                    else "",
                ),
                Cell(values.number(row.over_limit)),
                Cell(values.bounded_days(row.p50_days_lower, row.p50_days_upper)),
                Cell(values.days(row.p90_days)),
            )
            for row in rows
        ],
        is_narrow=True,
    )
    return Section(
        "stages",
        "Where leads wait",
        "Open leads by account and stage. Lengths are days of all visits of the stage, those that still last "
        "included; without a number, what was seen does not tell.",
        [table],
        is_wide=True,
    )
