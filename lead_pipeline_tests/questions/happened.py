"""What happened: the answers to questions 1 to 9."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from lead_pipeline_tests.questions.frames import YESTERDAY, Frames
from lead_pipeline_tests.truth.course import PATH, place_of

DAY = timedelta(days=1)
LAST_DAY = YESTERDAY.date()
THIS_WEEK = [LAST_DAY - back * DAY for back in range(7)]
WEEK_BEFORE = [day - 7 * DAY for day in THIS_WEEK]


def days(moments: pd.Series) -> pd.Series:
    """The UTC days of moments; NaT where there is none."""
    found: pd.Series = moments.dt.date
    return found


def in_days(lengths: pd.Series) -> pd.Series:
    """Lengths of time, in days."""
    found: pd.Series = lengths.dt.total_seconds() / 86400
    return found


def what_changed_yesterday(frames: Frames) -> pd.DataFrame:
    def counts(day: date) -> dict[str, int]:
        leads, began = frames.leads, frames.visits[frames.visits["day"] == day]
        return {
            "leads_created": int((days(leads["created_at"]) == day).sum()),
            "leads_responded": int((days(leads["reached_engaged_at"]) == day).sum()),
            "reached_qualified": int((days(leads["reached_qualified_at"]) == day).sum()),
            "reached_booked": int((days(leads["reached_booked_at"]) == day).sum()),
            "leads_won": int((began["stage"] == "won").sum()),
            "leads_lost": int((began["stage"] == "lost").sum()),
        }

    now, before = counts(LAST_DAY), counts(LAST_DAY - DAY)
    rows = [
        {"metric": metric, "value": now[metric], "previous_value": before[metric]} for metric in now
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(difference=frame["value"] - frame["previous_value"])


def new_leads_by_source(frames: Frames) -> pd.DataFrame:
    created = days(frames.leads["created_at"])
    frame = pd.DataFrame(
        {
            "source": frames.leads["source"],
            "this_week": created.isin(THIS_WEEK),
            "week_before": created.isin(WEEK_BEFORE),
        }
    )
    sums = frame.groupby("source").sum().reset_index()
    return sums[sums["this_week"] + sums["week_before"] > 0]


def won_yesterday(frames: Frames) -> pd.DataFrame:
    won = frames.leads[days(frames.leads["won_at"]) == LAST_DAY]
    return pd.DataFrame(
        {
            "lead_key": won["lead_key"],
            "owner_name": won["owner_name"],
            "days_to_win": in_days(won["won_at"] - won["created_at"]),
        }
    )


def reassigned_this_week(frames: Frames) -> pd.DataFrame:
    changes = frames.changes
    chosen = changes[
        (changes["field"] == "owner")
        & (changes["from"] != "unassigned")
        & changes["day"].isin(THIS_WEEK)
    ]
    return pd.DataFrame(
        {
            "changed_day": chosen["day"],
            "lead_key": chosen["lead_key"],
            "from_name": chosen["from"],
            "to_name": chosen["to"],
        }
    )


def reassigned_and_not_moved(frames: Frames) -> pd.DataFrame:
    changes = frames.changes
    reassigned = changes[(changes["field"] == "owner") & (changes["from"] != "unassigned")]
    moved = changes[changes["field"].isin(["stage", "created"])]
    last = pd.DataFrame(
        {
            "reassigned": reassigned.groupby("lead_key")["changed_at"].max(),
            "moved": moved.groupby("lead_key")["changed_at"].max(),
        }
    )
    stalled = last[last["reassigned"] > last["moved"]].reset_index()
    found = frames.leads[frames.leads["is_open"]].merge(stalled, on="lead_key")
    return pd.DataFrame(
        {
            "lead_key": found["lead_key"],
            "owner_name": found["owner_name"],
            "reassigned_on": days(found["reassigned"]),
        }
    )


def scores_that_changed_most(frames: Frames) -> pd.DataFrame:
    changes = frames.changes
    chosen = changes[(changes["field"] == "score") & changes["day"].isin(THIS_WEEK)]
    by_lead = (chosen["to"] - chosen["from"]).astype(float).groupby(chosen["lead_key"]).sum()
    frame = by_lead[by_lead != 0].rename("change").reset_index()
    frame["size"] = frame["change"].abs()
    ordered = frame.sort_values(["size", "lead_key"], ascending=[False, True])
    return ordered[["lead_key", "change"]].head(10)


def went_back_this_week(frames: Frames) -> pd.DataFrame:
    visits = frames.visits[frames.visits["day"].isin(THIS_WEEK)]
    on_path = visits[visits["stage"].isin(PATH) & visits["previous_stage"].isin(PATH)]
    is_back = on_path["stage"].map(place_of) < on_path["previous_stage"].map(place_of)
    back = on_path[is_back]
    return back[["lead_key", "previous_stage", "stage"]].assign(entered_day=back["day"])


def lost_and_opened_again(frames: Frames) -> pd.DataFrame:
    again = frames.visits[frames.visits["previous_stage"] == "lost"]
    return again[["lead_key", "stage"]].assign(reopened_on=again["day"])


def no_longer_shown(frames: Frames) -> pd.DataFrame:
    gone = frames.leads[frames.leads["is_missing"]]
    return gone[["lead_key", "stage"]].assign(missing_on=days(gone["missing_since"]))
