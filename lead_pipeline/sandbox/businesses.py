"""What the three businesses have in common: how a lead comes in and how it changes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Protocol

from lead_pipeline.sandbox.messages import Record
from lead_pipeline.sandbox.people import Person

# Takes the lead as it is; gives the fields that change, none when the move does not apply.
Move = Callable[[Random, Person, Record], Record]


class Business(Protocol):
    """One customer of one provider, in the provider's own fields."""

    @property
    def name(self) -> str: ...

    def create(self, random: Random, person: Person, at: datetime) -> Record:
        """The record of a person who asks at that time."""
        ...

    def change(self, random: Random, person: Person, record: Record) -> Record:
        """The fields of the lead that change, never none; `updated_at` is not among them."""
        ...


def make_move(
    moves: Sequence[tuple[int, Move]],
    fallback: Move,
    random: Random,
    person: Person,
    record: Record,
) -> Record:
    """One of the moves, drawn by weight; the fallback when the draw changes nothing."""
    weights = [weight for weight, _ in moves]
    _, move = random.choices(moves, weights)[0]
    changes = move(random, person, record)
    changes = {name: value for name, value in changes.items() if record.get(name) != value}
    return changes or fallback(random, person, record)


def new_score(random: Random, old: int | None) -> int:
    """Another score of 0 to 100, never the old one."""
    drawn = random.randint(0, 99)
    return drawn if old is None or drawn < old else drawn + 1


def make_uuid(random: Random) -> str:
    """A uuid of version 4 out of the world's own chance."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def maybe(random: Random, chance: float, value: object) -> object:
    """The value with this chance, else None."""
    return value if random.random() < chance else None
