"""What is true of single leads: `leads`, `lead_daily_history`, `people`.

Keys and figures as the tables have them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lead_pipeline_tests.truth.comparison import Key, Truths
from lead_pipeline_tests.truth.course import CLOSED, Change
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead, midnight

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


def of_lead(lead: KnownLead) -> dict[str, object]:
    """How it is, and since when."""
    visits = lead.visits
    stage = visits[-1].stage
    return {
        "stage": stage,
        "provider_stage": lead.now.state.provider_stage,
        "provider_status": lead.now.state.status,
        "score": float(lead.now.state.score),
        "owner_id": lead.owner_id,
        "source": lead.source,
        "created_at": lead.course.created_at,
        "updated_at": lead.now.stamp,
        "is_open": is_open(lead),
        "is_missing": lead.is_missing,
        "watched_from": lead.watched_from,
        "is_watched": lead.is_watched,
        "stage_entered": visits[-1].began_at,
        "stage_changes": len(visits) - 1,
        "days_in_stage": (lead.end - visits[-1].began_at) // DAY,
    }


def is_open(lead: KnownLead) -> bool:
    """It is there, and not done with."""
    return lead.visits[-1].stage not in CLOSED and not lead.is_missing


def days(known: Knowledge) -> dict[Key, dict[str, object]]:
    """By lead_key and day: how it was when the day, or the data, ended."""
    found: dict[Key, dict[str, object]] = {}
    for lead in known.leads:
        day = midnight(lead.course.created_at, known.zone)
        while day <= known.last_day:
            found[lead.lead_key, day.date()] = _of_day(lead, day)
            day += DAY
    return found


def _of_day(lead: KnownLead, day: datetime) -> dict[str, object]:
    change = state_at_end_of(lead, day)
    begun = [v.began_at for v in lead.visits if v.began_at < day + DAY][-1]
    return {
        "stage": change.state.stage,
        "provider_stage": change.state.provider_stage,
        "provider_status": change.state.status,
        "days_in_stage": (day.date() - (begun - INSTANT).astimezone(day.tzinfo).date()).days,
    }


def state_at_end_of(lead: KnownLead, day: datetime) -> Change:
    """The lead when the day ends, or the data before it. It had been created by then.

    One that is gone stays as it was.
    """
    change = lead.course.at(min(day + DAY - INSTANT, lead.last_poll))
    assert change is not None
    return change


def people(known: Knowledge) -> Truths:
    """By newest_lead_key, as nobody here is two leads."""
    return {
        (lead.lead_key,): {
            "leads": 1,
            "newest_stage": lead.visits[-1].stage,
            "has_won": lead.visits[-1].stage == "won",
            "is_open": is_open(lead),
        }
        for lead in known.leads
    }
