"""`lead-pipeline verify`: whether the tables are what landing says."""

from __future__ import annotations

import typer

from lead_pipeline.commands.console import fail, last_word, say, show_table, working


def verify() -> None:
    """Build the tables a second time from landing and compare them with the live ones.

    Loads first what has landed since the last load. Takes as long as a rebuild and as much disk
    as the warehouse, removed again. Loads wait meanwhile; readers of the BI file do not.

    Exit status 1 when a table differs; the first differing rows are named. Then build the tables
    anew with `lead-pipeline rebuild`.
    """
    from lead_pipeline.normalized.verify import verify as compare
    from lead_pipeline.settings import load_settings

    with working("Comparing the tables with a rebuild from landing") as tell:
        comparisons = compare(load_settings(), tell)
    show_table(
        "Live tables against a rebuild from landing",
        ["table", "rows", "rows rebuilt", "digest", "digest rebuilt", ""],
        [
            [
                comparison.table,
                comparison.live_rows,
                comparison.rebuilt_rows,
                comparison.live_digest[-12:],
                comparison.rebuilt_digest[-12:],
                "equal" if comparison.is_equal else "DIFFERS",
            ]
            for comparison in comparisons
        ],
    )
    differing = [comparison for comparison in comparisons if not comparison.is_equal]
    for comparison in differing:
        say(f"First rows of {comparison.table} that differ:")
        for difference in comparison.first_differences:
            say(f"  {difference.key}: {difference.columns}")
    if differing:
        names = ", ".join(comparison.table for comparison in differing)
        fail(
            f"lead-pipeline: {names} differ from what landing says. Landing is the truth: build "
            "the tables anew with lead-pipeline rebuild, and report what differed."
        )
        raise typer.Exit(1)
    last_word("All tables are what landing says.")
