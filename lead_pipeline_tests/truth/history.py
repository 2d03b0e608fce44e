"""Leads as they are, and the intervals of their stages, against their known courses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import duckdb

from lead_pipeline_tests.truth import truth_leads
from lead_pipeline_tests.truth.comparison import Direction, Finding, Key, Row, compare
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead
from lead_pipeline_tests.truth.reading import rows_of
from lead_pipeline_tests.truth.tally import Tally

Known = Mapping[str, Knowledge]
_AT_LEAST = ("stage_changes", "days_in_stage")


def check_leads(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """Each lead as it is, the beginning of its stage within its bounds, and until when it is known."""
    rows = {row["lead_key"]: row for row in rows_of(connection, "marts.lead_facts")}
    for of_account in known.values():
        for lead in of_account.leads:
            row = rows.pop(lead.lead_key, None)
            if row is None:
                lacking = Finding.judged("row", None, is_right=False, reason="a lead is lacking")
                tally.note("lead_facts", of_account.world, (lead.lead_key,), lacking)
                continue
            _check_lead(row, of_account, lead, truth_leads.of_lead(lead), tally)
    assert not rows, f"leads that nobody has created: {sorted(rows)[:3]}"


def _check_lead(
    row: Row, known: Knowledge, lead: KnownLead, figures: dict[str, Any], tally: Tally
) -> None:
    key = (lead.lead_key,)
    row = {
        **row,
        # The latest moment, the earliest beside it.
        "stage_entered": row["stage_entered_at"],
        "stage_entered_lower": row["stage_entered_after"],
    }
    figures = {**figures, "stage_known_until": lead.end}
    for figure, truth in figures.items():
        if figure not in row:
            tally.missing_figures.add(("lead_facts", figure))
            continue
        # Counted and measured of what was seen, from the latest beginning.
        direction: Direction | None = "at least" if figure in _AT_LEAST else None
        finding = compare(row, figure, truth, direction=direction)
        is_length = figure in ("stage_entered", "days_in_stage")
        is_assumed = not is_length or row["stage"] not in lead.unassumed
        tally.note("lead_facts", known.world, key, finding, is_assumed=is_assumed)


def check_history(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """Each interval began, truly, between its bounds. Outside of the stretches that are said to be
    unobserved, a lead was in the stage that is told."""
    intervals = defaultdict(list)
    for row in rows_of(connection, "marts.lead_stage_history order by lead_key, stage_number"):
        intervals[row["lead_key"]].append(row)
    stretches = defaultdict(list)
    for row in rows_of(connection, "internal.unobserved_changes"):
        stretches[row["lead_key"]].append((row["changed_after"], row["changed_until"]))
    for of_account in known.values():
        for lead in of_account.leads:
            rows = intervals[lead.lead_key]
            _check_intervals(lead, of_account, rows, tally)
            _check_observed(lead, of_account, rows, stretches[lead.lead_key], tally)


def _check_intervals(
    lead: KnownLead, known: Knowledge, rows: list[dict[str, Any]], tally: Tally
) -> None:
    entries = _entries(lead)
    for row in rows:
        state = (row["provider_status"], row["provider_stage"])
        moments = [moment for moment, other in entries if other == state]
        bounded = {
            "entered": row["entered_at"],
            "entered_lower": row["entered_after"],
        }
        within = [
            finding
            for moment in moments
            if (finding := compare(bounded, "entered", moment)).verdict == "contained"
        ]
        key = (lead.lead_key, row["stage_number"])
        if within:
            tally.note("lead_stage_history", known.world, key, within[0])
            began = [finding.truth for finding in within]
            _check_length(lead, known, row, key, began, tally)
        elif moments:
            finding = compare(bounded, "entered", moments[-1])
            tally.note("lead_stage_history", known.world, key, finding)
        else:
            reason = f"it never was in {state}"
            never = Finding.judged("row", None, is_right=False, reason=reason)
            tally.note("lead_stage_history", known.world, key, never)


def _check_length(
    lead: KnownLead, known: Knowledge, row: Row, key: Key, began: list[datetime], tally: Tally
) -> None:
    """The interval's length lies between its bounds, for one of the true beginnings."""
    bounded = {
        "seconds_in_stage": row["seconds_in_stage"],
        "seconds_in_stage_lower": row["min_seconds_in_stage"],
        "seconds_in_stage_upper": row["max_seconds_in_stage"],
    }
    moments = [moment for moment, _ in _entries(lead)]
    findings = []
    for moment in began:
        end = next((later for later in moments if later > moment), lead.end)
        seconds = (end - moment).total_seconds()
        findings.append(compare(bounded, "seconds_in_stage", seconds))
    best = next((finding for finding in findings if finding.verdict == "contained"), findings[-1])
    is_assumed = row["stage"] not in lead.unassumed
    tally.note("lead_stage_history", known.world, key, best, is_assumed=is_assumed)


def _entries(lead: KnownLead) -> list[tuple[datetime, tuple[str | None, str]]]:
    """When it came into each state of its provider's."""
    entries: list[tuple[datetime, tuple[str | None, str]]] = []
    for change in lead.course.changes:
        state = (change.state.status, change.state.provider_stage)
        if change.moment <= lead.last_poll and (not entries or entries[-1][1] != state):
            entries.append((change.moment, state))
    return entries


def _check_observed(
    lead: KnownLead,
    known: Knowledge,
    rows: list[dict[str, Any]],
    stretches: list[tuple[datetime, datetime]],
    tally: Tally,
) -> None:
    """At each true change, and just before it, the told stage is the true one or is in doubt."""
    entries = _entries(lead)
    for place, (moment, state) in enumerate(entries):
        told = [row for row in rows if row["entered_after"] <= moment <= row["entered_at"]]
        is_told = any((row["provider_status"], row["provider_stage"]) == state for row in told)
        is_doubted = any(after <= moment <= until for after, until in stretches)
        is_before = moment < (rows[0]["entered_at"] if rows else moment)
        finding = Finding.judged(
            "stretches",
            (moment, state),
            is_right=is_told or is_doubted or is_before,
            reason="a change that no interval and no stretch tells",
        )
        tally.note("unobserved_changes", known.world, (lead.lead_key, place), finding)
