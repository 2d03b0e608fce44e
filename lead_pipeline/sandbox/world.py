"""What happens in the world behind the three APIs, day after day.

A day follows from the seed and the days before it, and from nothing else: not from
who asks, how often, or in which steps a clock got there. The days go back beyond the
start, so that the first day finds a business that has been running for months.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Literal

from lead_pipeline.sandbox.businesses import Business, make_uuid
from lead_pipeline.sandbox.expert_ai_labs_business import ExpertAiLabsBusiness
from lead_pipeline.sandbox.mega_business import NOW, OWNERS, MegaBusiness
from lead_pipeline.sandbox.messages import Record, iso
from lead_pipeline.sandbox.people import Person, make_person
from lead_pipeline.sandbox.tenants import EXPERT_AI_LABS_KEY_ID, EXPERT_AI_LABS_ORGANIZATION_ID
from lead_pipeline.sandbox.vorel_business import VorelBusiness

HISTORY_DAYS = 120
# Chances, each with what it is there for.
_KNOWN_PERSON = 0.2  # the same person at several providers
_STILL_BUSY = 0.45  # few leads go all the way, most stay where they came in
_VANISHING_PER_LEAD = 0.04  # leads that the API no longer shows
_BUSIEST_SECOND = 15 * 3600
_PEOPLE_REMEMBERED = 400
_BUSY_LEADS = 60

Kind = Literal["put", "update", "delete", "message", "event"]


@dataclass(frozen=True)
class Change:
    """One thing that happens to one lead at one provider.

    put: `content` is the whole record. update (Expert AI Labs): the fields that change.
    delete: the lead vanishes. message (Vorel): the conversation is heard of.
    event (Expert AI Labs): an audit event that is not about a lead. source: who did it,
    in the words of the audit log.
    """

    at: datetime
    provider: str
    kind: Kind
    lead_id: str
    content: Record = field(default_factory=dict)
    source: str = "api"


@dataclass
class _Population:
    """The living leads of one business, who they are, and which ones changed last."""

    business: Business
    leads: dict[str, Record] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    people: dict[str, Person] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    busy: list[str] = field(default_factory=list)


class World:
    """A business of each provider, endless into the future.

    seed: another seed, another world. start: the first day, before which history
    lies. leads_per_day: about so many new leads of each provider, and between 4/3 and
    twice as many changed ones. leads_at_start: about so many leads on the first day.
    """

    def __init__(
        self,
        seed: int = 7,
        start: date = date(2026, 1, 1),
        leads_per_day: int = 15,
        leads_at_start: int = 300,
    ) -> None:
        self.seed = seed
        self.start = start
        self.leads_per_day = leads_per_day
        self.leads_at_start = leads_at_start
        self.first_day = -HISTORY_DAYS
        self._days: list[tuple[Change, ...]] = []
        self._people: list[Person] = []
        self._people_made = 0
        self._populations = [
            _Population(business)
            for business in (MegaBusiness(), ExpertAiLabsBusiness(), VorelBusiness())
        ]

    @classmethod
    def empty(cls, start: date = date(2026, 1, 1)) -> World:
        """A world in which nothing happens: for tests that put every record themselves."""
        return cls(start=start, leads_per_day=0, leads_at_start=0)

    @property
    def starts_at(self) -> datetime:
        """The beginning of the first day, UTC."""
        return self.begin_of_day(0)

    def begin_of_day(self, number: int) -> datetime:
        """The beginning of the day of this number; 0 is the day `start`."""
        return datetime.combine(self.start + timedelta(days=number), time(), UTC)

    def changes_of_day(self, number: int) -> tuple[Change, ...]:
        """Everything that happens on that day, in order of time.

        The first day is `first_day`, a negative number: history comes before the start.
        """
        while len(self._days) <= number - self.first_day:
            changes = self._live(self.first_day + len(self._days))
            self._days.append(tuple(sorted(changes, key=lambda change: change.at)))
        return self._days[number - self.first_day]

    def _live(self, day: int) -> Iterator[Change]:
        if not self.leads_per_day and not self.leads_at_start:
            return
        random = Random(f"{self.seed} {day}")  # noqa: S311 - a game, not a secret
        steps = [
            (at, index, step)
            for index, population in enumerate(self._populations)
            for at, step in self._plan(random, day, population)
        ]
        for at, index, step in sorted(steps, key=lambda planned: planned[:2]):
            yield from self._take(random, self._populations[index], step, at)

    def _plan(
        self, random: Random, day: int, population: _Population
    ) -> Iterator[tuple[datetime, str]]:
        """When something happens today to this business, and what."""
        begin = self.begin_of_day(day)
        rate = self.leads_at_start / HISTORY_DAYS if day < 0 else self.leads_per_day
        created = [
            _moment(random, begin) for _ in range(_between(random, rate * 2 / 3, rate * 4 / 3))
        ]
        if day % 7 == 2 and len(created) > 3:
            # A list gets imported: several leads of the very same millisecond.
            created[1:4] = [created[1]] * 3
        yield from ((at, "create") for at in created)
        for _ in range(_between(random, rate * 4 / 3, rate * 2)):
            yield _moment(random, begin), "change"
        for _ in range(_between(random, 0, rate * 2 * _VANISHING_PER_LEAD)):
            yield _moment(random, begin), "vanish"
        if population.business.name == "vorel":
            for _ in range(_between(random, rate, rate * 2)):
                yield _moment(random, begin), "message"
        if population.business.name == "mega" and day % 7 == 4:
            yield _moment(random, begin), "reassign"
        if population.business.name == "expert_ai_labs" and day % 7 == 5:
            yield _moment(random, begin), "rotate_key"

    def _take(
        self, random: Random, population: _Population, step: str, at: datetime
    ) -> Iterator[Change]:
        match step:
            case "create":
                yield from self._create(random, population, at)
            case "change":
                yield from _change(random, population, at)
            case "vanish":
                yield from _vanish(random, population, at)
            case "message":
                lead_id = _pick(random, population)
                if lead_id is not None:
                    yield Change(at, "vorel", "message", lead_id)
            case "reassign":
                yield from _reassign(random, population, at)
            case "rotate_key":
                yield _rotate_key(random, at)

    def _create(self, random: Random, population: _Population, at: datetime) -> Iterator[Change]:
        person = self._someone(random, population)
        business = population.business
        record = business.create(random, person, at)
        population.leads[record["id"]] = record
        population.order.append(record["id"])
        population.people[record["id"]] = person
        population.known.add(person.number)
        yield Change(at, business.name, "put", record["id"], record)
        if business.name == "vorel" and random.random() < 0.85:
            yield Change(at, "vorel", "message", record["id"])
        if isinstance(business, ExpertAiLabsBusiness) and random.random() < 0.6:
            # Within a quarter of a second, so that this change stays behind no later one.
            moment = at + timedelta(milliseconds=random.randint(1, 250))
            if moment.date() == at.date():
                found = business.qualify(random, moment)
                yield replace(_apply(population, record["id"], found, moment), source="worker")

    def _someone(self, random: Random, population: _Population) -> Person:
        """Somebody new, or at times somebody whom another business knows already."""
        if self._people and random.random() < _KNOWN_PERSON:
            person = random.choice(self._people)
            if person.number not in population.known:
                return person
        person = make_person(random, self._people_made)
        self._people_made += 1
        self._people = [*self._people[1 - _PEOPLE_REMEMBERED :], person]
        return person


def _change(random: Random, population: _Population, at: datetime) -> Iterator[Change]:
    lead_id = _pick(random, population)
    if lead_id is None or population.leads[lead_id]["updated_at"] >= iso(at):
        return
    record, person = population.leads[lead_id], population.people[lead_id]
    changes = population.business.change(random, person, record)
    yield _apply(population, lead_id, changes, at)


def _vanish(random: Random, population: _Population, at: datetime) -> Iterator[Change]:
    lead_id = _pick(random, population)
    if lead_id is None or population.leads[lead_id]["updated_at"] >= iso(at):
        return
    population.order.remove(lead_id)
    del population.leads[lead_id], population.people[lead_id]
    yield Change(at, population.business.name, "delete", lead_id)


def _reassign(random: Random, population: _Population, at: datetime) -> Iterator[Change]:
    """Several leads get another owner at once: the very same millisecond of `updated_at`."""
    recent = [
        lead_id
        for lead_id in population.order[-40:]
        if population.leads[lead_id]["updated_at"] < iso(at)
    ]
    owner = random.choice(OWNERS)
    for lead_id in random.sample(recent, min(4, len(recent))):
        yield _apply(population, lead_id, {"owner": owner}, at)


def _rotate_key(random: Random, at: datetime) -> Change:
    event_id = make_uuid(random)
    event = {
        "id": event_id,
        "organization_id": EXPERT_AI_LABS_ORGANIZATION_ID,
        "action": "api_key.rotated",
        "source": "system",
        "correlation_id": make_uuid(random),
        "payload": {"key_id": EXPERT_AI_LABS_KEY_ID},
        "created_at": iso(at),
    }
    return Change(at, "expert_ai_labs", "event", event_id, event)


def _apply(population: _Population, lead_id: str, changes: Record, at: datetime) -> Change:
    changes = {name: iso(at) if value == NOW else value for name, value in changes.items()}
    record = {**population.leads[lead_id], **changes, "updated_at": iso(at)}
    population.leads[lead_id] = record
    population.busy = [*population.busy[1 - _BUSY_LEADS :], lead_id]
    if population.business.name == "expert_ai_labs":
        return Change(at, "expert_ai_labs", "update", lead_id, changes)
    return Change(at, population.business.name, "put", lead_id, record)


def _pick(random: Random, population: _Population) -> str | None:
    """One of the living leads: often one that is being worked on, else rather a young one."""
    if not population.order:
        return None
    if random.random() < _STILL_BUSY:
        lead_id = random.choice(population.busy or population.order)
        if lead_id in population.leads:
            return lead_id
    age = int(len(population.order) * random.random() ** 2.5)
    return population.order[-1 - age]


def _between(random: Random, low: float, high: float) -> int:
    """A whole number between the two; the fraction decides by chance."""
    return int(low + (high - low) * random.random() + random.random())


def _moment(random: Random, begin: datetime) -> datetime:
    """A time of that day, to the millisecond, most likely in the afternoon."""
    seconds = random.triangular(0, 86_399, _BUSIEST_SECOND)
    return begin + timedelta(milliseconds=int(seconds * 1000))
