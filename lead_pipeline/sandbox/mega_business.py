"""Leads of an estate agency that works with MEGA."""

from __future__ import annotations

import uuid
from datetime import datetime
from random import Random

from lead_pipeline.sandbox.businesses import Move, make_move, make_uuid, maybe, new_score
from lead_pipeline.sandbox.messages import Record, iso
from lead_pipeline.sandbox.people import Person, write_email, write_phone
from lead_pipeline.sandbox.tenants import MEGA_CUSTOMER_ID


def _identifier(name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(MEGA_CUSTOMER_ID), name))


STATUSES = ("active", "won", "lost", "nurture", "archived")
STAGES: tuple[Record, ...] = tuple(
    {"id": _identifier(f"stage {slug}"), "slug": slug, "name": name, "color": color}
    for slug, name, color in (
        ("new", "New", "#22c55e"),
        ("contacted", "Contacted", "#0ea5e9"),
        ("qualified", "Qualified", "#6366f1"),
        ("appointment_set", "Appointment set", "#f59e0b"),
        ("negotiation", "Negotiation", None),
        ("closed_won", "Closed won", "#64748b"),
    )
)
OWNERS: tuple[Record, ...] = tuple(
    {"id": _identifier(f"owner {name}"), "name": name, "role_name": role}
    for name, role in (
        ("Alex Agent", "Closer"),
        ("Noor Haddad", "Setter"),
        ("Søren Larsen", "Setter"),
        ("Wen Zhang", None),
    )
)
_SOURCES = (
    ("referral", "form"),
    ("facebook", "ad"),
    ("google_ads", "ad"),
    ("website", "form"),
    ("website", "chat"),
    ("zillow", "portal"),
    ("phone", "call"),
)
# What a record may lack altogether; the rest is required by the document.
_OPTIONAL = (
    "contact_phone",
    "score",
    "qualified",
    "current_stage",
    "owner",
    "last_interaction_at",
    "custom_fields",
)
_POSITIONS = {stage["slug"]: position for position, stage in enumerate(STAGES)}
_CLOSED = len(STAGES) - 1


class MegaBusiness:
    """An estate agency: buyers and sellers on their way to a closing."""

    name = "mega"

    def create(self, random: Random, person: Person, at: datetime) -> Record:
        platform, kind = random.choice(_SOURCES)
        record = {
            "id": make_uuid(random),
            "customer_id": MEGA_CUSTOMER_ID,
            "contact_name": person.name,
            "contact_phone": maybe(random, 0.9, write_phone(random, person)),
            "contact_email": maybe(random, 0.95, write_email(random, person)),
            "source_platform": platform,
            "source_type": kind,
            "status": "active",
            "score": maybe(random, 0.6, random.randint(0, 100)),
            "qualified": maybe(random, 0.3, random.random() < 0.5),
            "current_stage": maybe(random, 0.95, STAGES[0]),
            "owner": maybe(random, 0.7, random.choice(OWNERS)),
            "last_interaction_at": None,
            "interaction_count": 0,
            "created_at": iso(at),
            "updated_at": iso(at),
            "custom_fields": _custom_fields(random),
        }
        absent = {name for name in _OPTIONAL if random.random() < 0.04}
        return {name: value for name, value in record.items() if name not in absent}

    def change(self, random: Random, person: Person, record: Record) -> Record:
        return make_move(_MOVES, _score, random, person, record)


def _custom_fields(random: Random) -> Record:
    fields: Record = {"lead_line": random.choice(("buyer", "buyer", "seller"))}
    if random.random() < 0.6:
        fields["budget"] = str(random.randrange(150, 1500) * 1000)
    if random.random() < 0.4:
        fields["bedrooms"] = random.randint(1, 6)
    if random.random() < 0.3:
        fields["pre_approved"] = random.choice((True, False, None))
    if random.random() < 0.2:
        fields["commission_rate"] = random.choice((2.5, 2.75, 3.0))
    return fields


def _forward(random: Random, person: Person, record: Record) -> Record:
    position = min(_position(record) + random.choice((1, 1, 2)), _CLOSED)
    status = "won" if position == _CLOSED else "active"
    return {"current_stage": STAGES[position], "status": status}


def _back(random: Random, person: Person, record: Record) -> Record:
    return {"current_stage": STAGES[max(_position(record) - 1, 0)], "status": "active"}


def _lose(random: Random, person: Person, record: Record) -> Record:
    return {"status": "lost"} if record["status"] in ("active", "nurture") else {}


def _set_aside(random: Random, person: Person, record: Record) -> Record:
    return {"status": "archived" if record["status"] == "lost" else "nurture"}


def _reopen(random: Random, person: Person, record: Record) -> Record:
    if record["status"] == "active":
        return {}
    return {"status": "active", "current_stage": STAGES[min(_position(record), 2)]}


def _score(random: Random, person: Person, record: Record) -> Record:
    return {"score": new_score(random, record.get("score"))}


def _judge(random: Random, person: Person, record: Record) -> Record:
    return {"qualified": not record.get("qualified")}


def _interact(random: Random, person: Person, record: Record) -> Record:
    # The world puts the time of the change in the place of this mark.
    count = record["interaction_count"] + 1
    return {"interaction_count": count, "last_interaction_at": NOW}


def _retype_email(random: Random, person: Person, record: Record) -> Record:
    return {"contact_email": write_email(random, person)}


def _retype_phone(random: Random, person: Person, record: Record) -> Record:
    return {"contact_phone": write_phone(random, person)}


def _hand_over(random: Random, person: Person, record: Record) -> Record:
    return {"owner": random.choice((*OWNERS, None))}


def _note(random: Random, person: Person, record: Record) -> Record:
    old = record.get("custom_fields") or {"lead_line": "buyer"}
    return {"custom_fields": {**old, "budget": str(random.randrange(150, 1500) * 1000)}}


def _position(record: Record) -> int:
    stage = record.get("current_stage")
    return -1 if stage is None else _POSITIONS[stage["slug"]]


NOW = "now"
_MOVES: tuple[tuple[int, Move], ...] = (
    (28, _forward),
    (9, _back),
    (6, _lose),
    (6, _set_aside),
    (5, _reopen),
    (10, _score),
    (5, _judge),
    (15, _interact),
    (4, _retype_email),
    (4, _retype_phone),
    (4, _hand_over),
    (4, _note),
)
