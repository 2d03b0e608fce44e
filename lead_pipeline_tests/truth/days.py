"""`lead_daily_history`, and that the stages of a day add up, against the known courses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import duckdb

from lead_pipeline_tests.truth import truth_funnels, truth_leads
from lead_pipeline_tests.truth.comparison import Finding, Key, Row, compare
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead
from lead_pipeline_tests.truth.reading import rows_of
from lead_pipeline_tests.truth.tally import Tally

Known = Mapping[str, Knowledge]
_OF_A_DAY = ("stage", "provider_stage", "provider_status")
"""What `is_certain` is about. `score` and `owner_id` are, by their texts, of the last record seen with an
update time of by then: of that record, not of the moment."""


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
    for key, (of_account, figures) in truths.items():
        row = rows.pop(key, None)
        if row is None:
            lacking = Finding.judged("row", None, is_right=False, reason="a day is lacking")
            tally.note("lead_daily_history", of_account.world, key, lacking)
            continue
        _check_day(row, of_account, leads[key[0]], key, figures, tally)
    for key, row in rows.items():
        reason = "a day before the creation, or after the data"
        beyond = Finding.judged("row", None, is_right=False, reason=reason)
        tally.note("lead_daily_history", known[row["account"]].world, key, beyond)
    _check_sums(connection, known, tally)


def _check_day(
    row: Row,
    known: Knowledge,
    lead: KnownLead,
    key: Key,
    figures: dict[str, Any],
    tally: Tally,
) -> None:
    is_certain = row["is_certain"]
    for figure in _OF_A_DAY:
        if is_certain:
            finding = compare(row, figure, figures[figure])
        else:
            finding = Finding.silent(figure, figures[figure])
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
