"""What is true of `source_performance` and `owner_performance`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lead_pipeline_tests.truth.comparison import Key, Truths
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead
from lead_pipeline_tests.truth.survival import median, surviving_quantile
from lead_pipeline_tests.truth.truth_durations import ONE_DAY, response_minutes
from lead_pipeline_tests.truth.truth_funnels import rate, reached
from lead_pipeline_tests.truth.truth_leads import is_open


def sources(known: Knowledge) -> Truths:
    """By source."""
    groups: dict[Key, list[KnownLead]] = defaultdict(list)
    for lead in known.leads:
        groups[(lead.source,)].append(lead)
    return {
        key: {
            **_outcomes(group),
            "won_rate": reached(group)["won_rate"],
            "p50_days_to_win": median(_days_to_win(group)),
            "mean_score": sum(lead.now.state.score for lead in group) / len(group),
        }
        for key, group in groups.items()
    }


def owners(known: Knowledge) -> Truths:
    """By owner_key, for the owner that a lead has now."""
    groups: dict[Key, list[KnownLead]] = defaultdict(list)
    for lead in known.leads:
        groups[(lead.owner_key,)].append(lead)
    return {
        key: {
            **_outcomes(group),
            "p50_response_minutes": surviving_quantile(
                response_minutes([lead for lead in group if lead.is_watched]), 0.5
            ),
        }
        for key, group in groups.items()
    }


def _outcomes(group: Sequence[KnownLead]) -> dict[str, object]:
    stages = [lead.visits[-1].stage for lead in group]
    won, lost = stages.count("won"), stages.count("lost")
    return {
        "leads": len(group),
        "leads_missing": sum(lead.is_missing for lead in group),
        "leads_open": sum(is_open(lead) for lead in group),
        "leads_won": won,
        "leads_lost": lost,
        "win_rate": rate(won, won + lost),
        **{name: value for name, value in reached(group).items() if name in _TOLD},
    }


_TOLD = {
    "leads_watched",
    *(f"reached_{stage}" for stage in ("qualified", "booked", "won")),
    *(f"{stage}_rate" for stage in ("qualified", "booked")),
}


def _days_to_win(group: Sequence[KnownLead]) -> list[float]:
    """Of the watched leads that are won now: from creation to the beginning of that win."""
    return [
        (lead.visits[-1].began_at - lead.course.created_at) / ONE_DAY
        for lead in group
        if lead.is_watched and lead.visits[-1].stage == "won"
    ]
