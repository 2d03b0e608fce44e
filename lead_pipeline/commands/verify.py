"""`lead-pipeline verify`: whether the tables are what landing says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.commands.console import (
    answer_in_json,
    fail,
    last_word,
    print_json,
    say,
    show_table,
    working,
)
from lead_pipeline.commands.edge import settings_of_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lead_pipeline.normalized.verify import TableComparison


def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Build the tables a second time from landing and compare them with the live ones.

    Loads first what has landed since the last load. Takes as long as a rebuild and as much disk
    as the warehouse, removed again. Loads wait meanwhile; readers of the BI file do not.

    Exit status 1 when a table differs; the first differing rows are named. Then rebuild
    the tables with `lead-pipeline rebuild`.
    """
    from lead_pipeline.normalized.verify import verify as compare

    if as_json:
        answer_in_json()
    with working("Comparing the tables with a rebuild from landing") as tell:
        comparisons = compare(settings_of_command(), tell)
    if as_json:
        print_json({"tables": [_document(comparison) for comparison in comparisons]})
    else:
        _show(comparisons)
    if differing := [comparison for comparison in comparisons if not comparison.is_equal]:
        names = ", ".join(comparison.table for comparison in differing)
        fail(
            f"lead-pipeline: {names} differ from what landing says. Landing is the truth: rebuild "
            "the tables with lead-pipeline rebuild, and report what differed."
        )
        raise typer.Exit(1)
    last_word("All tables are what landing says.")


def _document(comparison: TableComparison) -> dict[str, object]:
    return {
        "table": comparison.table,
        "is_equal": comparison.is_equal,
        "live_rows": comparison.live_rows,
        "rebuilt_rows": comparison.rebuilt_rows,
        "live_digest": comparison.live_digest,
        "rebuilt_digest": comparison.rebuilt_digest,
        "first_differences": comparison.first_differences,
    }


def _show(comparisons: Sequence[TableComparison]) -> None:
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
    for comparison in comparisons:
        if comparison.is_equal:
            continue
        say(f"First rows of {comparison.table} that differ:")
        for difference in comparison.first_differences:
            say(f"  {difference.key}: {difference.columns}")
