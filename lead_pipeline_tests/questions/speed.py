"""Who, and how fast: the answers to questions 10 to 15."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from lead_pipeline_tests.questions.frames import LIMITS, STALE_AFTER, YESTERDAY, Frames
from lead_pipeline_tests.questions.happened import DAY, THIS_WEEK, days
from lead_pipeline_tests.questions.team import LAST_POLL

HOUR = timedelta(hours=1)
OPENS, CLOSES = 9, 17
"""Working hours of the team, Monday to Friday, UTC."""


def working_hours(begin: pd.Timestamp, end: pd.Timestamp) -> float:
    """Hours between two moments that lie in working time, counted day by day."""
    total = timedelta()
    day = begin.normalize()
    while day <= end:
        if day.weekday() < 5:
            first, last = day + OPENS * HOUR, day + CLOSES * HOUR
            total += max(min(last, end) - max(first, begin), timedelta())
        day += DAY
    return total / HOUR


def slowest_this_week(frames: Frames) -> pd.DataFrame:
    leads = frames.leads
    new = leads[leads["is_watched"] & days(leads["created_at"]).isin(THIS_WEEK)]
    answered = new[new["reached_engaged_at"].notna()]
    hours = answered.apply(
        lambda lead: working_hours(lead["created_at"], lead["reached_engaged_at"]), axis=1
    )
    groups = new.groupby(["account", "owner_name"])
    return pd.DataFrame(
        {
            "leads": groups.size(),
            "waiting": groups["reached_engaged_at"].apply(lambda moments: moments.isna().sum()),
            "hours": hours.groupby([answered["account"], answered["owner_name"]]).median(),
        }
    ).reset_index()


def answered_within_a_day(frames: Frames) -> pd.DataFrame:
    leads = frames.leads
    due = leads[
        leads["is_watched"]
        & (leads["created_at"] >= YESTERDAY.replace(day=1))
        & (LAST_POLL - leads["created_at"] >= DAY)
    ]
    in_time = due["reached_engaged_at"] - due["created_at"] <= DAY
    return pd.DataFrame([{"leads": len(due), "share": in_time.mean()}])


def nobody_answered_yet(frames: Frames) -> pd.DataFrame:
    leads = frames.leads
    chosen = leads[leads["is_watched"] & leads["is_open"] & leads["reached_engaged_at"].isna()]
    return chosen[["lead_key", "owner_name", "created_at"]]


def open_and_stale(frames: Frames) -> pd.DataFrame:
    opened = frames.leads[frames.leads["is_open"]]
    is_stale = LAST_POLL - opened["last_change_at"] >= STALE_AFTER
    groups = is_stale.groupby([opened["account"], opened["owner_name"]])
    return pd.DataFrame({"leads_open": groups.size(), "leads_stale": groups.sum()}).reset_index()


def win_rates(frames: Frames) -> pd.DataFrame:
    decided = frames.leads[frames.leads["stage"].isin(["won", "lost"])]
    is_won = decided["stage"] == "won"
    groups = is_won.groupby([decided["account"], decided["owner_name"]])
    return pd.DataFrame({"leads_decided": groups.size(), "win_rate": groups.mean()}).reset_index()


def over_the_limit(frames: Frames) -> pd.DataFrame:
    visits = frames.visits[frames.visits["stage"].isin(LIMITS)]
    over = visits[visits["length"] > visits["stage"].map(LIMITS)]
    groups = over.groupby(["account", "owner_name"])
    return groups["lead_key"].nunique().rename("leads_over").reset_index()
