"""The leads of one revenue team in three accounts over eleven weeks, every change known.

Chosen: whatever happens, happens in working hours, and at most one thing to a lead between two
polls (beside its creation). So nothing stays unseen, and each change is known to the day; its moment is
known as each provider tells it. Questions have one right answer then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from lead_pipeline_tests.truth.course import PATH, Change, Course, State
from lead_pipeline_tests.truth.polling import Poll, PolledWorld
from lead_pipeline_tests.truth.world import World

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""
LAST_POLL = datetime(2026, 3, 20, 18, tzinfo=UTC)
"""A Friday: the last whole day is the Thursday before."""
POLL_HOURS = {"mega": (9, 12, 15, 18, 21), "vorel": (9, 15, 21), "expert_ai_labs": (9, 21)}
"""An audit log tells each change, however seldom it is read."""
ACCOUNTS = {"agency": "mega", "brokers": "vorel", "clinic": "expert_ai_labs"}
LEADS = 110
LEADS_OF_BEFORE = 8
"""Created before anybody watched; they are not touched until then."""
OWNERS = 3
VALUE_FIELD = "deal_value"
REASON_FIELD = "loss_reason"
_REASONS = ("price", "no answer", "bought elsewhere")
_SOURCES = ("facebook", "website", "referral")
_NAMES = {
    "mega": ("new", "contacted", "qualified", "appointment_set", "closed_won"),
    "vorel": ("new", None, "qualified", "booked", "converted"),
    "expert_ai_labs": ("new", "contacted", "qualified", "appointment", "won"),
}
_MINUTE = timedelta(minutes=1)


def accounts() -> list[PolledWorld]:
    """The three accounts as they are polled, named `w000-agency` and so on."""
    return [_account(seed, name, kind) for seed, (name, kind) in enumerate(ACCOUNTS.items())]


def _account(seed: int, name: str, kind: str) -> PolledWorld:
    random = Random(f"{seed} {name}")  # noqa: S311 - an invented team
    polls = _polls(POLL_HOURS[kind])
    slots = [poll.at for poll in polls if poll.at.hour != 21]
    courses = []
    for number in range(LEADS):
        is_of_before = number < LEADS_OF_BEFORE
        courses.append(_course(random, kind, number, slots, is_of_before=is_of_before))
    if kind == "vorel":
        courses = [_as_deleted(random, course, slots) for course in courses]
    return PolledWorld(World(seed, kind, False, courses), name, polls, courses)


def _polls(hours: Sequence[int]) -> list[Poll]:
    """Each reads from the day of the one before through today; the last one is that of all accounts."""
    moments = []
    day = BEGIN
    while day <= LAST_POLL:
        moments += [at for hour in hours if (at := day.replace(hour=hour)) < LAST_POLL]
        day += timedelta(days=1)
    moments.append(LAST_POLL)
    midnights = [moment.replace(hour=0) for moment in moments]
    starts: list[datetime | None] = [None, *midnights[:-1]]
    return [
        Poll(moment, start, midnight + timedelta(days=1))
        for moment, midnight, start in zip(moments, midnights, starts, strict=True)
    ]


def _course(
    random: Random, kind: str, number: int, slots: Sequence[datetime], *, is_of_before: bool
) -> Course:
    """A lead that something happens to now and then, each time in a slot after a poll."""
    slot = random.randrange(len(slots) - 1)
    created_at = slots[slot] + random.randint(5, 55) * _MINUTE
    if is_of_before:
        slot, created_at = 0, BEGIN - timedelta(days=random.randint(2, 40), minutes=7)
    state = _new_state(random, kind)
    changes = [Change.plain(created_at, state)]
    if not is_of_before and random.random() < 0.3:
        state = _moved(random, kind, state, _next_on_path(kind, "new"))
        changes.append(Change.plain(created_at + random.randint(4, 50) * _MINUTE, state))
    while True:
        slot += random.choice((1, 2, 3, 4, 6, 8, 12, 20, 40))
        # Many are left lying.
        if slot >= len(slots) or random.random() < 0.12:
            break
        state = _next_state(random, kind, state)
        if state != changes[-1].state:
            changes.append(Change.plain(slots[slot] + random.randint(5, 170) * _MINUTE, state))
    # People of the first leads are in the accounts of both providers that tell addresses.
    email = f"person{number}@example.org" if 20 <= number < 26 and kind != "mega" else None
    return Course(number, random.choice(_SOURCES), changes, email=email)


def _new_state(random: Random, kind: str) -> State:
    name = _NAMES[kind][0]
    assert name is not None
    state = State("new", None, name, random.randint(1, 99), None)
    if kind != "mega":
        return state
    value = random.choice((None, 1_000, 2_500, 12_000))
    fields = (("lead_line", "buyer"), *(() if value is None else ((VALUE_FIELD, str(value)),)))
    owner = random.choice((*range(OWNERS), None))
    return replace(state, status="active", owner=owner, custom_fields=fields)


def _next_state(random: Random, kind: str, state: State) -> State:
    """One thing that happens: the score, the owner or the stage becomes another one."""
    chance = random.random()
    if chance < 0.15:
        return replace(state, score=random.randint(1, 99))
    if chance < 0.35 and kind == "mega":
        owners = [owner for owner in range(OWNERS) if owner != state.owner]
        return replace(state, owner=random.choice(owners))
    following = _next_stage(random, kind, state.stage)
    return state if following is None else _moved(random, kind, state, following)


def _next_stage(random: Random, kind: str, stage: str) -> str | None:
    chance = random.random()
    if stage == "won":
        return "booked" if chance < 0.03 else None
    if stage == "lost":
        return "qualified" if chance < 0.12 else None
    if chance < 0.16:
        return "lost"
    if chance < 0.26 and stage not in ("new", "engaged"):
        return "qualified" if stage == "booked" else "new"
    return _next_on_path(kind, stage)


def _next_on_path(kind: str, stage: str) -> str:
    names = dict(zip(PATH, _NAMES[kind], strict=True))
    return next(later for later in PATH[PATH.index(stage) + 1 :] if names[later] is not None)


def _moved(random: Random, kind: str, state: State, stage: str) -> State:
    """The state in another canonical stage, as the provider calls it."""
    name = dict(zip(PATH, _NAMES[kind], strict=True)).get(stage)
    if kind != "mega":
        return replace(state, stage=stage, provider_stage=name or stage)
    # Lost is a status beside the stage that the lead was in, and the reason is told with it.
    fields = tuple(pair for pair in state.custom_fields if pair[0] != REASON_FIELD)
    if stage == "lost" and random.random() < 0.8:
        fields = (*fields, (REASON_FIELD, random.choice(_REASONS)))
    return replace(
        state,
        stage=stage,
        status={"won": "won", "lost": "lost"}.get(stage, "active"),
        provider_stage=name or state.provider_stage,
        custom_fields=fields,
    )


def _as_deleted(random: Random, course: Course, slots: Sequence[datetime]) -> Course:
    """A few are deleted, a day and more after the last thing that happened to them."""
    last = course.changes[-1].moment
    later = [slot for slot in slots[:-8] if slot > last + timedelta(days=1)]
    if random.random() > 0.08 or not later:
        return course
    return replace(course, deleted_at=later[0] + 10 * _MINUTE)


@dataclass(frozen=True)
class Target:
    """A row of the seed `targets`, of the month of the last whole day."""

    account: str
    metric: str
    target: int


TARGETS = (
    Target("", "leads_won", 40),
    Target("", "leads_created", 60),
    Target("w000-agency", "leads_won", 10),
)
