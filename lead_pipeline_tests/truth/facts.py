"""`lead_facts`, `stage_visits` and `lead_changes` against the known courses of leads.

Of a moment, `x_at` is the latest and `x_after` the earliest. What polls did not show cannot be in a row, so
that a row is true where something that truly happened fits it, and nothing that polls showed may be lacking.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

import duckdb

from lead_pipeline_tests.truth.comparison import Finding, Key, Row, compare
from lead_pipeline_tests.truth.course import CLOSED, PATH, Change, place_of
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead, owner_id_of
from lead_pipeline_tests.truth.reading import rows_of
from lead_pipeline_tests.truth.tally import Tally

Known = Mapping[str, Knowledge]
TOLERANCE = timedelta(seconds=1.5)
"""The header `Date`, by which polls know when they were answered, has whole seconds."""
MILESTONES = ("engaged", "qualified", "booked", "won", "lost")


def check_facts(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """Milestones, response, outcome and reopening of each lead."""
    rows = {row["lead_key"]: row for row in rows_of(connection, "marts.lead_facts")}
    for of_account in known.values():
        for lead in of_account.leads:
            for finding in _findings_of(lead, rows[lead.lead_key], of_account.zone):
                stage = rows[lead.lead_key]["stage"]
                is_assumed = finding.figure != "outcome_at" or stage not in lead.unassumed
                key = (lead.lead_key,)
                tally.note("lead_facts", of_account.world, key, finding, is_assumed=is_assumed)


def _findings_of(lead: KnownLead, row: Row, zone: tzinfo) -> Iterator[Finding]:
    for stage in MILESTONES:
        prefix = "lost" if stage == "lost" else f"reached_{stage}"
        yield _milestone(lead, row, stage, prefix)
    yield _response(lead, row)
    yield from _outcome(lead, row)
    yield from _reopened(lead, row)
    created_at = lead.course.created_at
    day = created_at.astimezone(zone).date()
    truths = {
        "owner_key": lead.owner_key,
        "created_day": day,
        "created_week": day - timedelta(days=day.weekday()),
        "created_month": day.replace(day=1),
        "age_days": (lead.account_end - created_at) // timedelta(days=1),
    }
    for figure, truth in truths.items():
        yield compare(row, figure, truth)


def _milestone(lead: KnownLead, row: Row, stage: str, prefix: str) -> Finding:
    """Between its bounds, or earlier, as far as the lead can have been anywhere unseen by then."""
    moment = _reached_at(lead, stage)
    at, after = row[f"{prefix}_at"], row[f"{prefix}_after"]
    is_seen = row[f"has_reached_{stage}"]
    hides_after = row["hides_after"]
    is_hidden = row["can_hide_stages"] and (
        hides_after is None or (moment is not None and hides_after <= moment + TOLERANCE)
    )
    if not is_seen:
        is_right = at is None and (moment is None or is_hidden)
    else:
        is_right = moment is not None and moment <= at + TOLERANCE
        is_right &= is_hidden or after is None or (moment or at) >= after - TOLERANCE
    reason = f"seen: {is_seen}, between {after} and {at}, unseen from {hides_after}"
    return Finding.judged(f"{prefix}_at", moment, at, is_right=is_right, reason=reason)


def _reached_at(lead: KnownLead, stage: str) -> datetime | None:
    if stage in PATH:
        reached = [v for v in lead.visits if place_of(v.stage) >= place_of(stage)]
    else:
        reached = [v for v in lead.visits if v.stage == stage]
    return reached[0].began_at if reached else None


def _response(lead: KnownLead, row: Row) -> Finding:
    """How long the response took, of leads that nobody can have answered unseen before."""
    moment = lead.course.responded_at(lead.last_poll)
    seconds = None if moment is None else (moment - lead.course.created_at).total_seconds()
    upper, lower = row["response_seconds_upper"], row["response_seconds_lower"]
    if row["can_hide_stages"] and (seconds is None or not row["has_response"] or seconds < lower):
        return Finding.silent("response_seconds", seconds)
    bounds = {"response_seconds": upper, "response_seconds_lower": lower}
    return compare(bounds, "response_seconds", seconds)


def _outcome(lead: KnownLead, row: Row) -> Iterator[Finding]:
    stage = lead.visits[-1].stage
    outcome = stage if stage in ("won", "lost") else "missing" if lead.is_missing else "open"
    yield compare(row, "outcome", outcome)
    if outcome != row["outcome"]:
        return
    began = lead.course.deleted_at if outcome == "missing" else lead.visits[-1].began_at
    truth = None if outcome == "open" else began
    bounds = {"outcome_at": row["outcome_at"], "outcome_at_lower": row["outcome_after"]}
    yield compare(bounds, "outcome_at", truth)
    if outcome == "won" and began is not None:
        seconds = (began - lead.course.created_at).total_seconds()
        told = {f"seconds_to_win_{bound}": row[f"seconds_to_win_{bound}"] for bound in _BOUNDS}
        told["seconds_to_win"] = None
        finding = compare(told, "seconds_to_win", seconds)
        if "won" not in lead.unassumed:
            yield finding


_BOUNDS = ("lower", "upper")


def _reopened(lead: KnownLead, row: Row) -> Iterator[Finding]:
    moments = [
        after.began_at
        for before, after in itertools.pairwise(lead.visits)
        if before.stage in CLOSED and after.stage not in CLOSED
    ]
    yield compare(row, "times_reopened", len(moments), direction="at least")
    if moments and row["times_reopened"] == len(moments):
        bounds = {"reopened_at": row["reopened_at"], "reopened_at_lower": row["reopened_after"]}
        yield compare(bounds, "reopened_at", moments[-1])


def check_visits(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """Each visit truly began, and its length lies between its bounds; its owner was the lead's."""
    rows = defaultdict(list)
    for row in rows_of(connection, "marts.stage_visits order by lead_key, visit_number"):
        rows[row["lead_key"]].append(row)
    for of_account in known.values():
        for lead in of_account.leads:
            for row in rows[lead.lead_key]:
                key = (lead.lead_key, row["visit_number"])
                is_assumed = row["stage"] not in lead.unassumed
                for finding in (_visit(lead, row), _owner_at_entry(lead, row), _direction(row)):
                    tally.note(
                        "stage_visits", of_account.world, key, finding, is_assumed=is_assumed
                    )


def _visit(lead: KnownLead, row: Row) -> Finding:
    fitting = [
        visit
        for visit in lead.visits
        if visit.stage == row["stage"]
        and _lies_within(visit.began_at, row["entered_after"], row["entered_at"])
    ]
    lengths = [
        compare(row, "seconds_in_stage", ((v.ended_at or lead.end) - v.began_at).total_seconds())
        for v in fitting
    ]
    right = [finding for finding in lengths if finding.verdict == "contained"]
    if right or lengths:
        return (right or lengths)[0]
    reason = "no such visit began then"
    return Finding.judged("seconds_in_stage", None, is_right=False, reason=reason)


def _owner_at_entry(lead: KnownLead, row: Row) -> Finding:
    if row["owner_key"] is None:
        return Finding.silent("owner_key", None)
    change = lead.course.at(row["entered_at"])
    owner_id = None if change is None else owner_id_of(change)
    truth = f"{lead.world.account}:{owner_id or 'unassigned'}"
    return compare(row, "owner_key", truth)


def _direction(row: Row) -> Finding:
    before, stage = row["previous_stage"], row["stage"]
    if before is None:
        truth = None
    elif before not in PATH or stage not in PATH:
        truth = "aside"
    else:
        truth = "forward" if place_of(stage) > place_of(before) else "back"
    return compare(row, "direction", truth)


_VALUES: Mapping[str, Callable[[Change], Any]] = {
    "stage": lambda change: change.state.stage,
    "status": lambda change: change.state.status,
    "owner": owner_id_of,
    "score": lambda change: f"{float(change.state.score)}",
}


def check_changes(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """Each change is true of its moment; all that two polls in a row showed differently is there."""
    rows = defaultdict(list)
    for row in rows_of(connection, "marts.lead_changes order by lead_key, change_number"):
        rows[row["lead_key"]].append(row)
    for of_account in known.values():
        for lead in of_account.leads:
            for key, finding in _changes_of(lead, rows[lead.lead_key], of_account.zone):
                tally.note("lead_changes", of_account.world, key, finding)


def _changes_of(
    lead: KnownLead, rows: Sequence[Row], zone: tzinfo
) -> Iterator[tuple[Key, Finding]]:
    for row in rows:
        key = (lead.lead_key, row["change_number"])
        yield key, _change(lead, row)
        is_of_one_day = row["changed_after"] is not None and (
            row["changed_after"].astimezone(zone).date()
            == row["changed_at"].astimezone(zone).date()
        )
        yield key, compare(row, "is_certain_of_day", is_of_one_day)
    for field, value_of in _VALUES.items():
        told = [row for row in rows if row["field"] == field]
        for shown, later in _shown_differently(lead, value_of):
            change = (value_of(shown), value_of(later))
            is_right = any((row["from_value"], row["to_value"]) == change for row in told)
            if lead.world.kind == "expert_ai_labs" and field == "stage":
                # The log tells also what was between the two.
                is_right = any(row["to_value"] == change[1] for row in told)
            reason = "two polls showed what no row tells"
            yield (
                (lead.lead_key, field, later.moment),
                Finding.judged(f"{field}_changes", change, is_right=is_right, reason=reason),
            )


def _shown_differently(
    lead: KnownLead, value_of: Callable[[Change], Any]
) -> Iterator[tuple[Change, Change]]:
    shown = [
        change
        for moment in lead.world.poll_moments
        if (change := lead.course.served_at(moment)) is not None
    ]
    for before, after in itertools.pairwise(shown):
        if value_of(before) != value_of(after):
            yield before, after


def _change(lead: KnownLead, row: Row) -> Finding:
    field, reason = row["field"], f"{row['field']}: nothing such changed then"
    at, after = row["changed_at"], row["changed_after"]
    if field == "created":
        return compare({"created": at}, "created", lead.course.created_at)
    if field == "missing":
        bounds = {"missing": at, "missing_lower": after}
        return compare(bounds, "missing", lead.course.deleted_at)
    value_of = _VALUES[field]
    # What a single state tells in two rows came about at once.
    changes = [
        change.moment
        for before, change in itertools.pairwise(lead.course.changes)
        if value_of(change) == row["to_value"] and value_of(before) != row["to_value"]
    ]
    is_right = any(_lies_within(moment, after, at) for moment in changes)
    return Finding.judged(f"{field}_changed_at", None, at, is_right=is_right, reason=reason)


def _lies_within(moment: datetime, after: datetime | None, at: datetime) -> bool:
    return (after is None or moment >= after - TOLERANCE) and moment <= at + TOLERANCE
