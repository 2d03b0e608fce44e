"""Leads of three trades that work with Vorel: estate agents, salons, clinics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random

from lead_pipeline.sandbox.businesses import Move, make_move, make_uuid, maybe, new_score
from lead_pipeline.sandbox.messages import Record, iso
from lead_pipeline.sandbox.people import Person, write_email, write_phone

STATUSES = ("new", "qualified", "booked", "converted", "lost")
_PATH = STATUSES[:4]

_SOURCES = ("whatsapp", "instagram", "webchat", "phone", None)
_TIMELINES = ("asap", "within 30 days", "1-3 months", None)


def _estate(random: Random) -> Record:
    return {
        "bedrooms": random.randint(1, 5),
        "budget_min": random.randrange(100, 900) * 1000,
        "area": random.choice(("Riverside", "Old Town", "São Bento", "Marina")),
        "amenities": random.sample(["pool", "garage", "garden", "lift"], 2),
    }


def _salon(random: Random) -> Record:
    return {
        "preferred_stylist": random.choice(("Mina", "Théo", None)),
        "service_history": [
            {"service": random.choice(("cut", "colour", "nails")), "price": 49.9}
            for _ in range(random.randint(0, 3))
        ],
    }


def _clinic(random: Random) -> Record:
    return {
        "insurance_provider": random.choice(("Aetna", "Cigna", None)),
        "symptoms_summary": random.choice(("knee pain when climbing stairs", "check-up")),
        "first_visit": random.random() < 0.5,
    }


_TRADES: tuple[tuple[str, Callable[[Random], Record]], ...] = (
    ("buy_property", _estate),
    ("book_appointment", _salon),
    ("see_a_doctor", _clinic),
    ("just_asking", lambda random: {}),
)


class VorelBusiness:
    """A receptionist for several trades; each writes attributes of its own."""

    name = "vorel"

    def create(self, random: Random, person: Person, at: datetime) -> Record:
        intent, attributes = random.choice(_TRADES)
        return {
            "id": make_uuid(random),
            "conversation_id": make_uuid(random),
            "name": maybe(random, 0.9, person.name),
            # Vorel declares the format `email`, so blanks around it are not among the ways.
            "email": maybe(random, 0.8, write_email(random, person).strip()),
            "phone": maybe(random, 0.9, write_phone(random, person)),
            "intent": maybe(random, 0.9, intent),
            "attributes": attributes(random),
            "timeline": random.choice(_TIMELINES),
            "qualification_score": maybe(random, 0.5, random.randint(0, 100)),
            "status": "new",
            "source": random.choice(_SOURCES),
            "created_at": iso(at),
            "updated_at": iso(at),
        }

    def change(self, random: Random, person: Person, record: Record) -> Record:
        return make_move(_MOVES, _score, random, person, record)


def _forward(random: Random, person: Person, record: Record) -> Record:
    return {"status": _PATH[min(_position(record) + 1, len(_PATH) - 1)]}


def _back(random: Random, person: Person, record: Record) -> Record:
    return {"status": _PATH[max(_position(record) - 1, 0)]}


def _lose(random: Random, person: Person, record: Record) -> Record:
    return {"status": "lost"}


def _score(random: Random, person: Person, record: Record) -> Record:
    return {"qualification_score": new_score(random, record["qualification_score"])}


def _retype_email(random: Random, person: Person, record: Record) -> Record:
    return {"email": write_email(random, person).strip()}


def _retype_phone(random: Random, person: Person, record: Record) -> Record:
    return {"phone": write_phone(random, person)}


def _tell_more(random: Random, person: Person, record: Record) -> Record:
    note = random.choice(("calls back", "has questions", "sent photos"))
    return {"attributes": {**record["attributes"], "note": note}, "name": person.name}


def _position(record: Record) -> int:
    """The place on the way to a customer; a lost lead that returns is a qualified one."""
    status = record["status"]
    return _PATH.index(status) if status in _PATH else 2


_MOVES: tuple[tuple[int, Move], ...] = (
    (36, _forward),
    (11, _back),
    (8, _lose),
    (20, _score),
    (5, _retype_email),
    (5, _retype_phone),
    (15, _tell_more),
)
