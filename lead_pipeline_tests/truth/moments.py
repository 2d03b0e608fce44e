"""The tables that have a row per lead, interval or day, against the known courses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import duckdb

from lead_pipeline_tests.truth import truth_funnels, truth_leads
from lead_pipeline_tests.truth.comparison import Direction, Finding, Key, Row, compare
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead
from lead_pipeline_tests.truth.reading import rows_of
from lead_pipeline_tests.truth.tally import Tally

Known = Mapping[str, Knowledge]
_AT_LEAST = ("stage_changes", "days_in_stage")
_OF_A_DAY = ("stage", "provider_stage", "provider_status", "score", "owner_id")


def check_leads(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """Each lead as it is, the beginning of its stage within its bounds, and until when it is known."""
    rows = {row["lead_key"]: row for row in rows_of(connection, "marts.leads")}
    for of_account in known.values():
        for lead in of_account.leads:
            row = rows.pop(lead.lead_key, None)
            if row is None:
                _note(tally, "leads", of_account, (lead.lead_key,), "row", "a lead is lacking")
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
            tally.missing_figures.add(("leads", figure))
            continue
        # Counted and measured of what was seen, from the latest beginning.
        direction: Direction | None = "at least" if figure in _AT_LEAST else None
        finding = compare(row, figure, truth, direction=direction)
        is_length = figure in ("stage_entered", "days_in_stage")
        is_assumed = not is_length or row["stage"] not in lead.unassumed
        tally.note("leads", known.world, key, finding, is_assumed=is_assumed)


def check_history(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """Each interval began, truly, between its bounds. Outside of the stretches that are said to be
    unobserved, a lead was in the stage that is told."""
    intervals = defaultdict(list)
    for row in rows_of(connection, "normalized.lead_stage_history order by lead_key, stage_number"):
        intervals[row["lead_key"]].append(row)
    stretches = _unobserved(connection, tally)
    lengths = {
        (row["lead_key"], row["stage_number"]): row
        for row in rows_of(connection, "marts.lead_stage_history")
    }
    for of_account in known.values():
        for lead in of_account.leads:
            for row in intervals[lead.lead_key]:
                row |= lengths[lead.lead_key, row["stage_number"]]
            _check_intervals(lead, of_account, intervals[lead.lead_key], tally)
            if stretches is not None:
                _check_observed(
                    lead, of_account, intervals[lead.lead_key], stretches[lead.lead_key], tally
                )


def _unobserved(
    connection: duckdb.DuckDBPyConnection, tally: Tally
) -> dict[str, list[tuple[datetime, datetime]]] | None:
    found = connection.execute(
        "select schema_name from duckdb_tables() where table_name = 'unobserved_changes'"
    ).fetchone()
    if found is None:
        tally.missing_figures.add(("unobserved_changes", "changed_after"))
        return None
    stretches = defaultdict(list)
    for row in rows_of(connection, f"{found[0]}.unobserved_changes"):
        stretches[row["lead_key"]].append((row["changed_after"], row["changed_until"]))
    return stretches


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
            _note(tally, "lead_stage_history", known, key, "row", f"never was in {state}")


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
        verdict = "contained" if is_told or is_doubted or is_before else "contradiction"
        finding = Finding(
            "stretches",
            (moment, state),
            None,
            None,
            None,
            verdict,  # type: ignore[arg-type]
            "" if verdict == "contained" else "a change that no interval and no stretch tells",
        )
        tally.note("unobserved_changes", known.world, (lead.lead_key, place), finding)


def check_days(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """A certain day is as it was; each day of each lead is there; stages add up to all leads."""
    truths = {
        key: (of_account, figures)
        for of_account in known.values()
        for key, figures in truth_leads.days(of_account).items()
    }
    leads: dict[object, KnownLead] = {
        lead.lead_key: lead for of_account in known.values() for lead in of_account.leads
    }
    rows: dict[Key, Row] = {
        (row["lead_key"], row["date_day"]): row
        for row in rows_of(connection, "marts.lead_daily_history")
    }
    if rows and "is_certain" not in next(iter(rows.values())):
        tally.missing_figures.add(("lead_daily_history", "is_certain"))
    for key, (of_account, figures) in truths.items():
        row = rows.pop(key, None)
        if row is None:
            _note(tally, "lead_daily_history", of_account, key, "row", "a day is lacking")
            continue
        _check_day(row, of_account, leads[key[0]], key, figures, tally)
    for key, row in rows.items():
        reason = "a day before the creation, or after the data"
        _note(tally, "lead_daily_history", known[row["account"]], key, "row", reason)
    _check_sums(connection, known, tally)


def _check_day(
    row: Row,
    known: Knowledge,
    lead: KnownLead,
    key: Key,
    figures: dict[str, Any],
    tally: Tally,
) -> None:
    is_certain = row.get("is_certain", row["stage"] != "unknown")
    for figure in _OF_A_DAY:
        if is_certain and not (figure == "score" and row[figure] is None):
            finding = compare(row, figure, figures[figure])
        else:
            finding = Finding(figure, figures[figure], None, None, None, "not said")
        tally.note("lead_daily_history", known.world, key, finding)
    if is_certain:
        # From the latest moment at which the stage can have begun.
        days = figures["days_in_stage"]
        finding = compare(row, "days_in_stage", days, direction="at least")
        is_assumed = row["stage"] not in lead.unassumed
        tally.note("lead_daily_history", known.world, key, finding, is_assumed=is_assumed)


def _check_sums(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """`leads_in_stage`, summed over all stages and `unknown`, is how many leads there were."""
    told: Counter[Key] = Counter()
    for row in rows_of(connection, "marts.stage_funnel_daily"):
        told[row["account"], row["date_day"]] += row["leads_in_stage"]
    for of_account in known.values():
        for key, leads in truth_funnels.leads_by_day(of_account).items():
            finding = compare({"leads_of_all_stages": told[key]}, "leads_of_all_stages", leads)
            tally.note("stage_funnel_daily", of_account.world, key, finding)


def _note(tally: Tally, mart: str, known: Knowledge, key: Key, figure: str, reason: str) -> None:
    finding = Finding(figure, None, None, None, None, "contradiction", reason)
    tally.note(mart, known.world, key, finding)
