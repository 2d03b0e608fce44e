"""`metrics_daily` and `cohort_conversion` against the known courses: what happened on a day, and by an age."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo

import duckdb

from lead_pipeline_tests.truth.comparison import Finding, Key, Row, compare
from lead_pipeline_tests.truth.course import CLOSED, place_of
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead, midnight, owner_id_of
from lead_pipeline_tests.truth.reading import rows_of
from lead_pipeline_tests.truth.tally import Tally
from lead_pipeline_tests.truth.truth_funnels import REACHABLE, rate
from lead_pipeline_tests.truth.truth_leads import DAY

Known = Mapping[str, Knowledge]
Event = tuple[str, datetime]
_FIRSTS = {"leads_responded": 2, "reached_qualified": 3, "reached_booked": 4}
_COUNTED = (*_FIRSTS, "leads_won", "leads_lost", "leads_reopened", "leads_reassigned")
AGES = (7, 14, 30, 90)


def check_daily(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """On each day that was watched, of each source and owner, what happened lies between the bounds."""
    rows = {
        (row["account"], row["source"], row["owner_key"], row["date_day"]): row
        for row in rows_of(connection, "marts.metrics_daily")
    }
    for of_account in known.values():
        for group in _groups(of_account).values():
            truths = _by_day(group, of_account.zone)
            is_assumed = not any(lead.unassumed for lead in group)
            place = (of_account.world.account, group[0].source, group[0].owner_key)
            for day in _watched_days(of_account):
                key = (*place, day)
                row = rows.get(key, _NOTHING)
                for figure in ("leads_created", *_COUNTED):
                    finding = compare(row, figure, truths[figure, day])
                    tally.note(
                        "metrics_daily", of_account.world, key, finding, is_assumed=is_assumed
                    )


_NOTHING: Row = {
    f"{figure}{bound}": 0
    for figure in ("leads_created", *_COUNTED)
    for bound in ("", "_lower", "_upper")
    if figure != "leads_created" or not bound
}
"""What a day says of which there is no row."""


def _groups(known: Knowledge) -> dict[Key, list[KnownLead]]:
    groups: dict[Key, list[KnownLead]] = defaultdict(list)
    for lead in known.leads:
        groups[lead.source, lead.owner_key].append(lead)
    return groups


def _watched_days(known: Knowledge) -> Iterator[date]:
    """From the first day after the watch began to the last that the data reaches."""
    day = midnight(known.watched_from, known.zone) + DAY
    while day <= known.last_day:
        yield day.date()
        day += DAY


def _by_day(group: Sequence[KnownLead], zone: tzinfo) -> Counter[tuple[str, date]]:
    return Counter(
        (figure, moment.astimezone(zone).date())
        for lead in group
        for figure, moment in _events(lead)
    )


def _events(lead: KnownLead) -> Iterator[Event]:
    """What happened to a lead, as far as anybody could count it."""
    yield "leads_created", lead.course.created_at
    for figure, place in _FIRSTS.items():
        moments = [v.began_at for v in lead.visits if place_of(v.stage) >= place]
        begun = lead.course.at(lead.watched_from)
        # Who was as far when the watch began had come there before.
        if lead.is_watched or (begun is not None and place_of(begun.state.stage) < place):
            yield from ((figure, m) for m in moments[:1] if m >= lead.watched_from)
    for before, visit in itertools.pairwise([None, *lead.visits]):
        assert visit is not None
        if visit.stage in CLOSED:
            yield f"leads_{visit.stage}", visit.began_at
        elif before is not None and before.stage in CLOSED:
            yield "leads_reopened", visit.began_at
    yield from (("leads_reassigned", moment) for moment in _seen_reassignments(lead))


def _seen_reassignments(lead: KnownLead) -> Iterator[datetime]:
    """When owners changed of which two polls showed one and the other: who had one in between, nobody saw."""
    served = [lead.course.served_at(moment) for moment in lead.world.poll_moments]
    shown = [change for change in served if change is not None]
    for before, after in itertools.pairwise(shown):
        owners = (owner_id_of(before), owner_id_of(after))
        if None in owners or owners[0] == owners[1]:
            continue
        changes = [c for c in lead.course.changes if before.moment < c.moment <= after.moment]
        of_new_owner = [c.moment for c in changes if owner_id_of(c) == owners[1]]
        yield of_new_owner[0]


def check_cohorts(connection: duckdb.DuckDBPyConnection, known: Known, tally: Tally) -> None:
    """Ripe cohorts came as far as their bounds say, others say nothing."""
    rows: dict[Key, Row] = {
        (r["grain"], r["cohort_starts_on"], r["account"], r["source"], r["age_days"]): r
        for r in rows_of(connection, "marts.cohort_conversion")
    }
    for of_account in known.values():
        for (grain, start, source), group in _cohorts(of_account).items():
            for age in AGES:
                key: Key = (grain, start, of_account.world.account, source, age)
                row = rows.pop(key, None)
                if row is None:
                    _note_row(of_account, key, "a row is lacking", tally)
                else:
                    _check_cohort(row, group, key, of_account, tally)
    for key, row in rows.items():
        _note_row(known[row["account"]], key, "a row of which nothing is true", tally)


def _note_row(known: Knowledge, key: Key, reason: str, tally: Tally) -> None:
    finding = Finding.judged("row", None, is_right=False, reason=reason)
    tally.note("cohort_conversion", known.world, key, finding)


def _cohorts(known: Knowledge) -> dict[tuple[str, date, str], list[KnownLead]]:
    cohorts: dict[tuple[str, date, str], list[KnownLead]] = defaultdict(list)
    for lead in known.leads:
        day = lead.course.created_at.astimezone(known.zone).date()
        cohorts["week", day - timedelta(days=day.weekday()), lead.source].append(lead)
        cohorts["month", day.replace(day=1), lead.source].append(lead)
    return cohorts


def _check_cohort(
    row: Row, group: Sequence[KnownLead], key: Key, known: Knowledge, tally: Tally
) -> None:
    grain, start, _, _, age = key
    assert isinstance(start, date)
    assert isinstance(age, int)
    end = start + timedelta(days=7)
    if grain == "month":
        end = (start.replace(day=28) + timedelta(days=4)).replace(day=1)
    is_ripe = end + timedelta(days=age) <= known.proven_until.astimezone(known.zone).date()
    watched = [lead for lead in group if lead.is_watched]
    truths: dict[str, object] = {
        "is_ripe": is_ripe,
        "leads": len(group),
        "leads_watched": len(watched),
    }
    for stage in REACHABLE:
        came = sum(lead.course.reached(stage, _at_age(lead, age)) for lead in watched)
        truths[f"reached_{stage}"] = came if is_ripe else None
        truths[f"{stage}_rate"] = rate(came, len(watched)) if is_ripe else None
    for figure, truth in truths.items():
        if truth is None:
            is_right = row[figure] is None and row[f"{figure}_upper"] is None
            reason = "a figure of a cohort that is too young, or of nobody"
            finding = Finding.judged(figure, None, row[figure], is_right=is_right, reason=reason)
        else:
            finding = compare(row, figure, truth)
        tally.note("cohort_conversion", known.world, key, finding)


def _at_age(lead: KnownLead, age: int) -> datetime:
    return min(lead.course.created_at + timedelta(days=age), lead.last_poll)


DAILY_CHECKS = (check_daily, check_cohorts)
