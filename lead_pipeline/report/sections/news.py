"""What happened on the last whole day and in the week that ends with it, and what is not known of it."""

from __future__ import annotations

from typing import Any

from lead_pipeline.report import values
from lead_pipeline.report.published_file import AccountReach, PublishedFile
from lead_pipeline.report.tables import Cell, Section, Tile

WHAT = {
    "leads_created": "new leads",
    "leads_responded": "answered for the first time",
    "reached_qualified": "qualified",
    "reached_booked": "booked",
    "leads_won": "won",
    "leads_lost": "lost",
    "leads_reopened": "opened again",
    "leads_reassigned": "given to another owner",
}
NEUTRAL = frozenset({"leads_reopened", "leads_reassigned"})
"""Of which more is neither good news nor bad; told only where there were any."""


def section(file: PublishedFile) -> Section:
    """The news, each beside the same of the day or the week before."""
    found = {(row.metric, row.period): row for row in file.rows("news")}
    days = {row.ends_on for row in found.values()}
    if not days:
        return Section(
            "news",
            "What changed",
            "",
            notes=not_known(file),
            if_empty="No account's data is complete for a whole day yet.",
        )
    shown = [what for what in WHAT if what not in NEUTRAL or _is_any(found, what)]
    tiles = [
        Tile(
            WHAT[what],
            _against(found.get((what, "day")), "the day before"),
            [_against(found.get((what, "seven_days")), "the 7 before", "7 days: ")],
        )
        for what in shown
    ]
    return Section(
        "news",
        f"What changed on {values.day(max(days))}",
        "The last whole day and the seven days that end with it, beside those before. What is seen between "
        "two polls counts on the day of the second; where it can have been on another one, the bounds stand "
        "below.",
        tiles=tiles,
        notes=not_known(file),
        is_wide=True,
    )


def _is_any(found: dict[tuple[str, str], Any], what: str) -> bool:
    row = found.get((what, "seven_days"))
    return row is not None and bool(row.value_upper)


def _against(row: Any, before: str, title: str = "") -> Cell:
    """A figure of a period with its bounds, and by how much it differs from that of the one before."""
    if row is None or row.value is None:
        return Cell(f"{title}not known", tone="unknown")
    said = []
    if row.value_lower != row.value_upper:
        said.append(values.bounded(row.value_lower, row.value_upper))
    if row.difference_lower is None:
        return Cell(f"{title}{row.value:,}", "; ".join((*said, f"{before} not known")))
    by = values.change(row.difference_lower, row.difference_upper)
    compared = f"{by} against {before} ({row.previous_value:,})"
    if row.accounts_counted < row.accounts:
        # The figure above is that of all accounts, which cannot be read beside the one before.
        compared = f"{row.compared_value:,} in {row.accounts_counted:,} of {row.accounts:,} accounts, {compared}"
    said.append(compared)
    return Cell(f"{title}{row.value:,}", "; ".join(said), _tone(row))


def _tone(row: Any) -> str:
    """Whether there are more or fewer for certain, and whether that is welcome."""
    if row.metric in NEUTRAL or row.difference_lower <= 0 <= row.difference_upper:
        return ""
    tone = "more" if row.difference_lower > 0 else "fewer"
    return f"{tone} unwelcome" if row.metric == "leads_lost" else tone


def not_known(file: PublishedFile) -> list[str]:
    """What the figures of the last whole day lack, a sentence each."""
    last_day = file.last_day
    notes = [_behind(found) for found in file.behind]
    # What was before the watch is compared with nothing.
    since = file.days_before(13)
    watched_late = [
        f"{found.account} ({values.moment(found.watched_from)})"
        for found in file.accounts
        if found.first_watched_day is not None and since is not None
        if found.first_watched_day > since
    ]
    if watched_late:
        notes.append(
            f"Watched for less than two weeks: {', '.join(watched_late)}. What changed before is known only "
            "as far as the first poll showed it."
        )
    unwatched = [found.account for found in file.accounts if found.watched_from is None]
    if unwatched:
        notes.append(
            f"Not watched without a gap yet: {', '.join(unwatched)}. When leads changed is not known."
        )
    if last_day is not None:
        [row] = file.rows("uncertain", day=last_day, accounts=file.current)
        if row.uncertain:
            notes.append(
                f"Of {row.changes:,} changes on {values.day(last_day)}, {row.uncertain:,} can have been on an "
                "earlier day: they were seen at a poll that looked back further."
            )
    return notes


def _behind(found: AccountReach) -> str:
    if found.complete_through is None:
        return f"{found.account} is in none of these figures: nothing of it is complete yet."
    return (
        f"{found.account} is in none of these figures: it is complete through "
        f"{values.moment(found.complete_through)} only."
    )
