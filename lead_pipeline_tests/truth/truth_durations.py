"""What is true of `stage_velocity` and `speed_to_lead`: lengths of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lead_pipeline_tests.truth.comparison import Key, Truths
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead
from lead_pipeline_tests.truth.survival import Length, median, surviving_quantile
from lead_pipeline_tests.truth.truth_funnels import rate
from lead_pipeline_tests.truth.truth_leads import is_open

ONE_DAY = timedelta(days=1)
ONE_MINUTE = timedelta(minutes=1)


@dataclass
class _Visits:
    """The visits of one stage in an account."""

    lengths: list[Length] = field(default_factory=list)
    ended_days: list[float] = field(default_factory=list)
    open_days: list[float] = field(default_factory=list)
    of_unknown_start: int = 0


def velocity(known: Knowledge) -> Truths:
    """By account and stage, over the visits that began under watch or are known from before.

    What goes on is told of all visits.
    """
    stages: dict[str, _Visits] = defaultdict(_Visits)
    for lead in known.leads:
        for visit in lead.visits:
            ended_at = visit.ended_at
            if ended_at is not None and ended_at <= lead.watched_from:
                continue
            group = stages[visit.stage]
            days = ((ended_at or lead.end) - visit.began_at) / ONE_DAY
            if ended_at is None:
                group.open_days.append(days)
            is_known = lead.is_beginning_known and lead.watched_from < lead.end
            if visit.began_at < lead.watched_from and not is_known:
                group.of_unknown_start += 1
                continue
            late = lead.watched_from - visit.began_at
            entered = late / ONE_DAY if late > timedelta() else None
            group.lengths.append(Length(entered, days, ended_at is not None))
            if ended_at is not None:
                group.ended_days.append(days)
    return {
        (known.world.account, stage): {
            "visits": len(group.lengths),
            "visits_ended": len(group.ended_days),
            "visits_open": len(group.open_days),
            "visits_of_unknown_start": group.of_unknown_start,
            "p50_days": surviving_quantile(group.lengths, 0.5),
            "p90_days": surviving_quantile(group.lengths, 0.9),
            "p50_ended_days": median(group.ended_days),
            "p50_open_days": median(group.open_days),
        }
        for stage, group in stages.items()
    }


def speed(known: Knowledge) -> Truths:
    """By account, source and owner of today: how soon new leads were engaged."""
    groups: dict[Key, list[KnownLead]] = defaultdict(list)
    for lead in known.leads:
        groups[known.world.account, lead.source, lead.owner_key].append(lead)
    return {key: _speed_of(group) for key, group in groups.items()}


def _speed_of(group: Sequence[KnownLead]) -> dict[str, object]:
    watched = [lead for lead in group if lead.is_watched]
    responded = [lead for lead in watched if responded_at(lead) is not None]
    due = [lead for lead in watched if lead.account_end - lead.course.created_at >= ONE_DAY]
    in_time = [lead for lead in due if _is_within_a_day(lead)]
    lengths = response_minutes(watched)
    return {
        "leads": len(group),
        "leads_watched": len(watched),
        "leads_responded": len(responded),
        "leads_waiting": sum(responded_at(lead) is None and is_open(lead) for lead in watched),
        "p50_minutes": surviving_quantile(lengths, 0.5),
        "p90_minutes": surviving_quantile(lengths, 0.9),
        "leads_due": len(due),
        "due_within_24_hours": len(in_time),
        "responded_rate": rate(len(responded), len(watched)),
        "within_24_hours_rate": rate(len(in_time), len(due)),
    }


def responded_at(lead: KnownLead) -> datetime | None:
    return lead.course.responded_at(lead.last_poll)


def _is_within_a_day(lead: KnownLead) -> bool:
    moment = responded_at(lead)
    return moment is not None and moment - lead.course.created_at <= ONE_DAY


def response_minutes(watched: Sequence[KnownLead]) -> list[Length]:
    """From creation to the first response, or to the end of the data."""
    found = []
    for lead in watched:
        moment = responded_at(lead)
        minutes = ((moment or lead.end) - lead.course.created_at) / ONE_MINUTE
        found.append(Length(None, minutes, moment is not None))
    return found
