"""What is true of `stage_funnel_daily` and `funnel_by_cohort`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta

from lead_pipeline_tests.truth.comparison import Key, Truths
from lead_pipeline_tests.truth.course import PATH
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead, midnight
from lead_pipeline_tests.truth.truth_leads import DAY, state_at_end_of

REACHABLE = (*PATH[1:], "lost")


def days(known: Knowledge) -> Truths:
    """By account, day and stage, for all stages that any lead was in: stocks and flows.

    A lead enters and leaves a stage at most once a day.
    """
    found: Truths = {}
    if not known.leads:
        return found
    stages = sorted({visit.stage for lead in known.leads for visit in lead.visits})
    day = midnight(min(lead.course.created_at for lead in known.leads), known.zone)
    while day <= known.last_day:
        stock = Counter(
            state_at_end_of(lead, day).state.stage
            for lead in known.leads
            if lead.course.created_at < day + DAY
        )
        entered: Counter[str] = Counter()
        exited: Counter[str] = Counter()
        for lead in known.leads:
            began = {v.stage for v in lead.visits if day <= v.began_at < day + DAY}
            ended = {v.stage for v in lead.visits if v.ended_at and day <= v.ended_at < day + DAY}
            entered.update(began)
            exited.update(ended)
        for stage in stages:
            found[known.world.account, day.date(), stage] = {
                "leads_in_stage": stock[stage],
                "leads_entered": entered[stage],
                "leads_exited": exited[stage],
            }
        day += DAY
    return found


def leads_by_day(known: Knowledge) -> dict[Key, int]:
    """By account and day: leads that had been created when it ended."""
    created = Counter(midnight(lead.course.created_at, known.zone) for lead in known.leads)
    found: dict[Key, int] = {}
    if created:
        day, total = min(created), 0
        while day <= known.last_day:
            total += created[day]
            found[known.world.account, day.date()] = total
            day += DAY
    return found


def cohorts(known: Knowledge) -> Truths:
    """By week of creation and source: how far the leads of a week came."""
    groups: dict[Key, list[KnownLead]] = defaultdict(list)
    for lead in known.leads:
        day = lead.course.created_at.astimezone(known.zone).date()
        groups[day - timedelta(days=day.weekday()), lead.source].append(lead)
    return {
        key: {
            "leads": len(group),
            "leads_missing": sum(lead.is_missing for lead in group),
            **reached(group),
        }
        for key, group in groups.items()
    }


def reached(group: Sequence[KnownLead]) -> dict[str, object]:
    """Of the watched leads of a group: how many there are, how far they came, and the rates."""
    watched = [lead for lead in group if lead.is_watched]
    counts = {
        stage: sum(lead.course.reached(stage, lead.last_poll) for lead in watched)
        for stage in REACHABLE
    }
    steps = {f"{a}_to_{b}_rate": rate(counts[b], counts[a]) for a, b in _STEPS}
    return {
        "leads_watched": len(watched),
        **{f"reached_{stage}": count for stage, count in counts.items()},
        **{f"{stage}_rate": rate(count, len(watched)) for stage, count in counts.items()},
        **steps,
    }


_STEPS = (("engaged", "qualified"), ("qualified", "booked"), ("booked", "won"))


def rate(part: int, whole: int) -> float | None:
    """A part of a whole; None where there is no whole."""
    return part / whole if whole else None
