"""Leads of a home service firm that works with Expert AI Labs."""

from __future__ import annotations

from datetime import datetime
from random import Random

from lead_pipeline.sandbox.businesses import Move, make_move, make_uuid, maybe, new_score
from lead_pipeline.sandbox.messages import Record, iso
from lead_pipeline.sandbox.people import Person, write_email
from lead_pipeline.sandbox.tenants import EXPERT_AI_LABS_ORGANIZATION_ID

STAGES = ("new", "contacted", "qualified", "proposal", "won")
STAGE_LOST = "lost"
STAGE_NURTURE = "nurture"

_SOURCES = ("google_ads", "website", "referral", "facebook", "phone", "import")
_INDUSTRIES = ("residential", "commercial", "hospitality", "healthcare", None, None)
_SIZES = ("1-10", "11-50", "51-200", None, None, None)
_PAINS = (
    "Recurring basement moisture after spring rain",
    "Three missed calls a day during lunch",
    "Roof leak above the stairwell",
    "Quotes take a week to go out",
    "Heating fails below freezing",
)
_TIMELINES = ("this_week", "this_month", "this_quarter", "no_rush", None)
_BUDGETS = ("under_5k", "5k_10k", "10k_25k", "over_25k", None, None)


class ExpertAiLabsBusiness:
    """A home service firm whose leads an assistant qualifies."""

    name = "expert_ai_labs"

    def create(self, random: Random, person: Person, at: datetime) -> Record:
        return {
            "id": make_uuid(random),
            "organization_id": EXPERT_AI_LABS_ORGANIZATION_ID,
            "name": person.name,
            "company": maybe(random, 0.4, person.company),
            "email": maybe(random, 0.95, write_email(random, person)),
            "source": random.choice(_SOURCES),
            "lead_score": 0,
            "pipeline_stage": "new",
            "industry": random.choice(_INDUSTRIES),
            "company_size": random.choice(_SIZES),
            "pain_points": None,
            "timeline": None,
            "budget_range": None,
            "ai_reasoning": None,
            "qualification_completed_at": None,
            "created_at": iso(at),
            "updated_at": iso(at),
        }

    def change(self, random: Random, person: Person, record: Record) -> Record:
        return make_move(_MOVES, _score, random, person, record)

    def qualify(self, random: Random, at: datetime) -> Record:
        """What the assistant finds out within seconds of the first contact."""
        score = random.randint(1, 100)
        return {
            "lead_score": score,
            "pipeline_stage": "qualified" if score > 60 else "contacted",
            "pain_points": random.choice(_PAINS),
            "timeline": random.choice(_TIMELINES),
            "budget_range": random.choice(_BUDGETS),
            "ai_reasoning": f"{'High' if score > 60 else 'Low'} urgency, in radius",
            "qualification_completed_at": iso(at),
        }


def _forward(random: Random, person: Person, record: Record) -> Record:
    position = _position(record)
    return {"pipeline_stage": STAGES[min(position + 1, len(STAGES) - 1)]}


def _back(random: Random, person: Person, record: Record) -> Record:
    return {"pipeline_stage": STAGES[max(_position(record) - 1, 0)]}


def _lose(random: Random, person: Person, record: Record) -> Record:
    return {"pipeline_stage": STAGE_LOST}


def _set_aside(random: Random, person: Person, record: Record) -> Record:
    return {"pipeline_stage": STAGE_NURTURE}


def _score(random: Random, person: Person, record: Record) -> Record:
    return {"lead_score": new_score(random, record["lead_score"])}


def _retype_email(random: Random, person: Person, record: Record) -> Record:
    return {"email": write_email(random, person)}


def _learn(random: Random, person: Person, record: Record) -> Record:
    return {
        "company": person.company,
        "industry": random.choice(_INDUSTRIES),
        "timeline": random.choice(_TIMELINES),
        "budget_range": random.choice(_BUDGETS),
    }


def _reason(random: Random, person: Person, record: Record) -> Record:
    return {
        "pain_points": random.choice(_PAINS),
        "ai_reasoning": f"Phone validated (+0.{random.randint(10, 99)})",
        "lead_score": new_score(random, record["lead_score"]),
    }


def _position(record: Record) -> int:
    """The place in the pipeline; a lead that left it comes back where it was contacted."""
    stage = record["pipeline_stage"]
    return STAGES.index(stage) if stage in STAGES else 1


_MOVES: tuple[tuple[int, Move], ...] = (
    (30, _forward),
    (10, _back),
    (7, _lose),
    (5, _set_aside),
    (20, _score),
    (5, _retype_email),
    (13, _learn),
    (10, _reason),
)
