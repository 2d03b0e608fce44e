"""How well: the answers to questions 16 to 23."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pandas as pd

from lead_pipeline_tests.questions.frames import YESTERDAY, Frames
from lead_pipeline_tests.questions.happened import DAY, in_days
from lead_pipeline_tests.questions.team import BEGIN, LAST_POLL, accounts
from lead_pipeline_tests.truth.knowledge import Knowledge
from lead_pipeline_tests.truth.truth_durations import velocity


def _months(moments: pd.Series) -> pd.Series:
    return moments.map(lambda moment: moment.date().replace(day=1))


def cohorts_after_14_days(frames: Frames) -> pd.DataFrame:
    leads = frames.leads[frames.leads["is_watched"]]
    months = _months(leads["created_at"])
    this_month = YESTERDAY.date().replace(day=1)
    last_month = (this_month - DAY).replace(day=1)
    month_before = (last_month - DAY).replace(day=1)
    in_time = leads["reached_qualified_at"] - leads["created_at"] <= 14 * DAY
    groups = in_time.groupby([leads["account"], months])
    frame = pd.DataFrame({"leads": groups.size(), "rate": groups.mean()})
    frame = frame.rename_axis(["account", "cohort_starts_on"]).reset_index()
    return frame[frame["cohort_starts_on"].isin([last_month, month_before])]


def won_within_30_days(frames: Frames) -> pd.DataFrame:
    leads = frames.leads[frames.leads["is_watched"]]
    weeks = leads["created_at"].map(lambda moment: moment.normalize() - moment.weekday() * DAY)
    ripe = leads[weeks + (7 + 30) * DAY <= LAST_POLL]
    in_time = ripe["reached_won_at"] - ripe["created_at"] <= 30 * DAY
    groups = in_time.groupby(ripe["source"])
    return pd.DataFrame({"leads": groups.size(), "won_rate": groups.mean()}).reset_index()


def from_stage_to_stage(frames: Frames) -> pd.DataFrame:
    leads = frames.leads[frames.leads["is_watched"]]
    stages = ["engaged", "qualified", "booked", "won"]
    reached = pd.DataFrame({stage: leads[f"reached_{stage}_at"].notna() for stage in stages})
    sums = reached.groupby(leads["account"]).sum()
    rates = {"engaged_rate": sums["engaged"] / leads.groupby("account").size()}
    for earlier, later in itertools.pairwise(stages):
        rates[f"{later}_rate"] = sums[later] / sums[earlier]
    return pd.DataFrame(rates).reset_index()


def longest_stays(frames: Frames) -> pd.DataFrame:
    del frames
    rows = []
    for world in accounts():
        for key, figures in velocity(Knowledge(world, LAST_POLL)).items():
            account, stage = key
            rows.append({"account": account, "stage": stage, "p50_days": figures["p50_days"]})
    return pd.DataFrame(rows)


def won_month_by_month(frames: Frames) -> pd.DataFrame:
    # Watched to its end for the first time is the day after the first poll.
    visits = frames.visits[frames.visits["began_at"] >= BEGIN + DAY]
    decided = visits[visits["stage"].isin(["won", "lost"])]
    is_won = decided["stage"] == "won"
    groups = is_won.groupby(_months(decided["began_at"]))
    frame = pd.DataFrame({"decided": groups.size(), "win_rate": groups.mean()})
    return frame.rename_axis("month").reset_index()


def why_lost(frames: Frames) -> pd.DataFrame:
    lost = frames.leads[frames.leads["stage"] == "lost"]
    reasons = lost["loss_reason"].where(lost["loss_reason"].notna(), "not told")
    groups = lost.groupby([reasons, lost["previous_stage"]])
    return groups.size().rename("leads").reset_index()


def days_to_win(frames: Frames) -> pd.DataFrame:
    won = frames.leads[frames.leads["is_watched"] & (frames.leads["stage"] == "won")]
    lengths = in_days(won["won_at"] - won["created_at"])
    groups = lengths.groupby(won["source"])
    return pd.DataFrame({"leads_won": groups.size(), "days": groups.median()}).reset_index()


def does_answering_soon_help(frames: Frames) -> pd.DataFrame:
    leads = frames.leads[frames.leads["is_watched"]]
    waited = leads["reached_engaged_at"] - leads["created_at"]
    answered = waited.map(
        lambda length: (
            "not yet"
            if pd.isna(length)
            else "within an hour"
            if length <= timedelta(hours=1)
            else "later"
        )
    )
    frame = pd.DataFrame(
        {
            "answered": answered,
            "leads": 1,
            "qualified_rate": leads["reached_qualified_at"].notna(),
            "won_rate": leads["reached_won_at"].notna(),
        }
    )
    rules = {"leads": "sum", "qualified_rate": "mean", "won_rate": "mean"}
    return frame.groupby("answered").agg(rules).reset_index()
