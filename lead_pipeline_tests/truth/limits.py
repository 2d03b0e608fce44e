"""What is not about lengths or counts: when accounts are watched, limits, stale leads, links."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

import lead_pipeline
from lead_pipeline_tests.truth.comparison import Finding, Key, Row, compare
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead, midnight
from lead_pipeline_tests.truth.reading import rows_of
from lead_pipeline_tests.truth.tally import Tally
from lead_pipeline_tests.truth.truth_leads import DAY, is_open

Known = Mapping[str, Knowledge]
STALE_AFTER_DAYS = 14
SHARE_OF_POLL = 0.05
"""How far from the truth the usual time between polls may be: windows end at midnight, polls later."""


def ends_of_data(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """By account: until when its leads are known that are still there."""
    rows = rows_of(
        connection,
        "(select account, max(stage_known_until) as known_until "
        "from marts.lead_facts where not is_missing group by account)",
    )
    return {row["account"]: row["known_until"] for row in rows}


def check_accounts(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """`watched_from` is the first poll, `poll_seconds` the usual time to the next."""
    rows = {row["account"]: row for row in rows_of(connection, "meta.coverage")}
    for account, of_account in known.items():
        row = rows[account]
        if "watched_from" not in row:
            tally.missing_figures.add(("meta", "watched_from"))
            continue
        since = compare(row, "watched_from", of_account.watched_from)
        tally.note("meta", of_account.world, (account,), since)
        bounded = {
            "data_until": None,
            "data_until_lower": of_account.proven_until,
            "data_until_upper": of_account.last_poll,
        }
        until = compare(bounded, "data_until", of_account.end)
        tally.note("meta", of_account.world, (account,), until)
        moments = of_account.world.poll_moments
        gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
        usual = median(gap.total_seconds() for gap in gaps) if gaps else None
        tally.note("meta", of_account.world, (account,), _poll_seconds(row["poll_seconds"], usual))


def _poll_seconds(told: int | None, usual: float | None) -> Finding:
    if told is None or usual is None:
        is_right = told is None and usual is None
    else:
        is_right = abs(told - usual) <= SHARE_OF_POLL * usual
    reason = "another time between polls"
    return Finding.judged("poll_seconds", usual, told, is_right=is_right, reason=reason)


def check_breaches(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """What is certainly over its limit truly is."""
    limits = _limits()
    leads = _leads(known)
    for row in rows_of(connection, "marts.sla_breaches"):
        of_account, lead = leads[row["lead_key"]]
        longest = max(
            ((v.ended_at or lead.end) - v.began_at for v in lead.visits if v.stage == row["stage"]),
            default=timedelta(),
        )
        is_over = longest > limits[row["stage"]] - timedelta(seconds=2)
        key = (row["lead_key"], row["stage"], row["entered_at"])
        if row["is_certain"]:
            finding = compare(row, "is_certain", is_over)
        else:
            finding = Finding.silent("is_certain", is_over)
        is_assumed = row["stage"] not in lead.unassumed
        tally.note("sla_breaches", of_account.world, key, finding, is_assumed=is_assumed)


def _limits() -> dict[str, timedelta]:
    path = Path(lead_pipeline.__file__).parents[1] / "dbt_project" / "seeds" / "stage_limits.csv"
    rows = csv.DictReader(io.StringIO(path.read_text("utf-8")))
    return {row["stage"]: timedelta(hours=int(row["limit_hours"])) for row in rows}


def check_stale(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """Quiet open leads: from the latest moment at which the last thing can have happened."""
    rows = {row["lead_key"]: row for row in rows_of(connection, "marts.stale_leads")}
    for key, (of_account, lead) in _leads(known).items():
        row = rows.pop(key, None)
        quiet = (lead.end - lead.now.moment) // DAY
        is_stale = quiet >= STALE_AFTER_DAYS and is_open(lead)
        if row is not None:
            _check_stale_row(row, of_account, key, is_stale, quiet, tally)
        elif is_stale and lead.now.stamp == lead.now.moment:
            finding = Finding.judged("row", quiet, is_right=False, reason="a row is lacking")
            tally.note("stale_leads", of_account.world, (key,), finding)
    assert not rows


def _check_stale_row(
    row: Row, known: Knowledge, lead_key: str, is_stale: bool, quiet: int, tally: Tally
) -> None:
    key: Key = (lead_key,)
    tally.note("stale_leads", known.world, key, compare(row, "is_stale", is_stale))
    days = compare(row, "days_quiet", quiet, direction="at least")
    tally.note("stale_leads", known.world, key, days)


def _leads(known: Known) -> dict[Any, tuple[Knowledge, KnownLead]]:
    return {
        lead.lead_key: (of_account, lead)
        for of_account in known.values()
        for lead in of_account.leads
    }


def check_flows(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """Flows are told of each day that was wholly under watch."""
    for row in rows_of(connection, "marts.stage_funnel_daily"):
        of_account = known[row["account"]]
        begin = midnight(of_account.watched_from, of_account.zone) + DAY
        end = midnight(of_account.end, of_account.zone).date()
        if row["stage"] == "unknown" or not begin.date() <= row["date_day"] < end:
            continue
        key = (row["account"], row["date_day"], row["stage"])
        for figure in ("leads_entered", "leads_exited"):
            finding = Finding.judged(
                f"{figure} is told",
                None,
                row[figure],
                is_right=row[figure] is not None,
                reason="null on a day under watch",
            )
            tally.note("stage_funnel_daily", of_account.world, key, finding)


def check_links(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """No two leads share an address or number here, so none is linked to another."""
    for row in rows_of(connection, "marts.person_links"):
        key = (row["lead_key"], row["other_lead_key"])
        world = known[str(row["lead_key"]).partition(":")[0]].world
        linked = Finding.judged("row", None, is_right=False, reason="leads that share nothing")
        tally.note("person_links", world, key, linked)


CHECKS: Sequence[Any] = (check_accounts, check_breaches, check_stale, check_flows, check_links)
