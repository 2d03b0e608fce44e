"""How much, and how sure: the answers to questions 24 to 30."""

from __future__ import annotations

import itertools
from datetime import timedelta
from statistics import median

import pandas as pd

from lead_pipeline_tests.questions.frames import YESTERDAY, Frames
from lead_pipeline_tests.questions.happened import DAY, THIS_WEEK, days, in_days
from lead_pipeline_tests.questions.team import LAST_POLL, TARGETS, accounts
from lead_pipeline_tests.truth.knowledge import Knowledge
from lead_pipeline_tests.truth.truth_leads import state_at_end_of


def worth_of_the_pipeline(frames: Frames) -> pd.DataFrame:
    opened = frames.leads[frames.leads["is_open"]]
    values = opened.groupby(["stage", "owner_name"])["value"]
    frame = pd.DataFrame(
        {
            "leads": values.size(),
            "leads_with_value": values.count(),
            "worth": values.sum(min_count=1),
        }
    )
    return frame.reset_index()


def against_targets(frames: Frames) -> pd.DataFrame:
    first = YESTERDAY.date().replace(day=1)
    visits = frames.visits
    won = visits[(visits["stage"] == "won") & (visits["day"] >= first)]
    won = won[won["day"] <= YESTERDAY.date()]
    created = days(frames.leads["created_at"])
    new = frames.leads[(created >= first) & (created <= YESTERDAY.date())]
    counts = {"leads_won": won, "leads_created": new}
    rows = []
    for target in TARGETS:
        counted = counts[target.metric]
        if target.account:
            counted = counted[counted["account"] == target.account]
        value = len(counted)
        rows.append(
            {
                "account": target.account or "all",
                "metric": target.metric,
                "target": target.target,
                "value": value,
                "share": value / target.target,
                "share_of_time": YESTERDAY.day / 31,
            }
        )
    return pd.DataFrame(rows)


def stages_of_30_days(frames: Frames) -> pd.DataFrame:
    del frames
    rows = []
    for back, world in itertools.product(range(30), accounts()):
        day = YESTERDAY - back * DAY
        for lead in Knowledge(world, LAST_POLL).leads:
            if lead.course.created_at < day + DAY:
                stage = state_at_end_of(lead, day).state.stage
                rows.append({"date_day": day.date(), "stage": stage})
    return pd.DataFrame(rows).value_counts().rename("leads").reset_index()


def open_by_account(frames: Frames) -> pd.DataFrame:
    opened = frames.leads[frames.leads["is_open"]]
    ages = in_days(LAST_POLL - opened["created_at"]) // 1
    groups = ages.groupby(opened["account"])
    return pd.DataFrame({"leads_open": groups.size(), "age_days": groups.median()}).reset_index()


def in_several_accounts(frames: Frames) -> pd.DataFrame:
    leads = frames.leads[frames.leads["email"].notna()]
    groups = leads.groupby("email")
    people = pd.DataFrame(
        {
            "accounts": groups["account"].apply(lambda names: sorted(set(names))),
            "lead_keys": groups["lead_key"].apply(sorted),
        }
    )
    return people[people["accounts"].map(len) > 1]


def how_far_data_reaches(frames: Frames) -> pd.DataFrame:
    del frames
    rows = []
    for world in accounts():
        hours = [(b - a) / timedelta(hours=1) for a, b in itertools.pairwise(world.poll_moments)]
        rows.append(
            {
                "account": world.account,
                "watched_from": world.first_poll,
                "complete_through": world.last_poll,
                "hours_between_polls": median(hours),
            }
        )
    return pd.DataFrame(rows)


def how_sure_moments_are(frames: Frames) -> pd.DataFrame:
    """What came and went before the first poll that showed the lead was seen by nobody, but for a log."""
    polls = {world.account: world for world in accounts()}
    changes = frames.changes
    created = frames.leads.set_index("lead_key")["created_at"]
    moved = changes[(changes["field"] == "stage") & changes["day"].isin(THIS_WEEK)]
    is_logged = moved["account"].map(lambda name: polls[name].kind == "expert_ai_labs")
    first_polls = [
        next(m for m in polls[account].poll_moments if m > created[key])
        for account, key in zip(moved["account"], moved["lead_key"], strict=True)
    ]
    is_seen = is_logged | (moved["changed_at"] > pd.Series(first_polls, index=moved.index))
    groups = is_logged[is_seen].groupby(moved["account"])
    exact = groups.sum()
    return pd.DataFrame(
        {"known_to_the_minute": exact, "known_to_a_poll": groups.size() - exact}
    ).reset_index()
