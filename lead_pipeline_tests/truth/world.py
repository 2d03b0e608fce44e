"""Worlds: the leads of one account over four weeks, invented from a seed, every change known.

Here: what happens to leads. Not here: who looks when.

Chosen: every change of a stage moves `updated_at`. One that does not is invisible to whoever asks
by update time, so no bound can hold for it. Moves off the path or backwards are slow (`SLOW`) on
both sides, except in wild worlds: the marts assume that a stage which nobody saw lay between the
two that were seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from lead_pipeline_tests.truth.course import Change, Course, State

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 28
END = BEGIN + timedelta(days=DAYS)
SLOW = timedelta(hours=36)
SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)
"""As fine as the APIs tell times."""
KINDS = ("mega", "vorel", "expert_ai_labs")
WILD_SHARE = 0.2

# Canonical stage -> what the provider calls it; the second name is a later step of the same stage.
_NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "mega": {
        "new": ("new",),
        "engaged": ("contacted",),
        "qualified": ("qualified", "negotiation"),
        "booked": ("appointment_set",),
        "won": ("closed_won",),
    },
    "vorel": {
        "new": ("new",),
        "qualified": ("qualified",),
        "booked": ("booked",),
        "won": ("converted",),
        "lost": ("lost",),
    },
    "expert_ai_labs": {
        "new": ("new",),
        "engaged": ("contacted", "engaged"),
        "qualified": ("qualified", "proposal"),
        "booked": ("appointment",),
        "won": ("won",),
        "lost": ("lost",),
        "nurture": ("nurture",),
    },
}
_MEGA_STATUS = {"won": "won", "lost": "lost", "nurture": "nurture"}
_SOURCES = ("facebook", "website", "referral")


@dataclass(frozen=True)
class World:
    """The leads of one account; `is_wild` where moves keep to nothing."""

    seed: int
    kind: str
    is_wild: bool
    courses: Sequence[Course]

    @classmethod
    def invent(cls, seed: int, leads: tuple[int, int] = (16, 36)) -> World:
        """The world of this seed; kinds of providers take turns."""
        random = Random(seed)  # noqa: S311 - invented courses
        kind = KINDS[seed % len(KINDS)]
        is_wild = random.random() < WILD_SHARE
        courses = [
            _course(random, kind, number, is_wild) for number in range(random.randint(*leads))
        ]
        return cls(seed, kind, is_wild, courses)


def _course(random: Random, kind: str, number: int, is_wild: bool) -> Course:
    created_at = _moment(random, BEGIN, END)
    names = _NAMES[kind]
    stages = [stage for stage in ("new", "engaged", "qualified", "booked", "won") if stage in names]
    stage = "new" if random.random() < 0.94 else random.choice(stages[1:3])
    owner = random.choice((0, 1, None)) if kind == "mega" else None
    state = State(
        stage, "active" if kind == "mega" else None, names[stage][0], random.randint(1, 99), owner
    )
    changes = [Change.plain(created_at, _named(state, kind, stage, 0))]
    moment = created_at
    was_slow = False
    for _ in range(9):
        following = _next_stage(random, stages, kind, stage)
        if following is None:
            break
        is_plain = following in stages and stages.index(following) > _index(stages, stage)
        dwell = _dwell(random)
        if not is_wild and (was_slow or not is_plain):
            dwell = max(dwell, SLOW + timedelta(hours=random.uniform(0, 30)))
        moment += timedelta(milliseconds=dwell // MILLISECOND)
        if moment >= END:
            break
        was_slow = not is_plain
        state = _named(changes[-1].state, kind, following, 0)
        changes.append(Change.plain(moment, state))
        stage = following
    return Course(number, random.choice(_SOURCES), _with_touches(random, kind, changes))


def _with_touches(random: Random, kind: str, changes: Sequence[Change]) -> list[Change]:
    """Changes of score, owner or finer stage in between, which leave the canonical stage alone."""
    touched = list(changes)
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        begin = changes[0].moment
        # Many are soon after the creation: an import that is completed, a form that is corrected.
        end = begin + timedelta(hours=1) if random.random() < 0.25 else END
        moment = _moment(random, begin + timedelta(seconds=1), max(end, begin + 2 * SECOND))
        if moment >= END or any(change.moment == moment for change in touched):
            continue
        place = max(i for i, change in enumerate(touched) if change.moment < moment)
        state = replace(touched[place].state, score=random.randint(1, 99))
        if kind == "mega" and random.random() < 0.3:
            owner = random.choice((0, 1))
            state = replace(state, owner=owner)
            for later in range(place + 1, len(touched)):
                of_later = replace(touched[later].state, owner=owner)
                touched[later] = Change.plain(touched[later].moment, of_later)
        finer = _NAMES[kind].get(state.stage, ())
        if len(finer) > 1 and state.provider_stage == finer[0] and random.random() < 0.5:
            state = replace(state, provider_stage=finer[1])
            touched = _with_finer_stage(touched, place + 1, state)
        touched.insert(place + 1, Change.plain(moment, state))
    return touched


def _with_finer_stage(changes: list[Change], start: int, state: State) -> list[Change]:
    """Later changes of the same visit keep the finer stage."""
    kept = list(changes)
    for place in range(start, len(kept)):
        if kept[place].state.stage != state.stage:
            break
        kept[place] = Change.plain(
            kept[place].moment, replace(kept[place].state, provider_stage=state.provider_stage)
        )
    return kept


def _named(state: State, kind: str, stage: str, step: int) -> State:
    """The state in another canonical stage, as the provider calls it."""
    names = _NAMES[kind]
    # On MEGA, lost and nurture are statuses beside the stage that the lead was in.
    name = names[stage][step] if stage in names else state.provider_stage
    status = _MEGA_STATUS.get(stage, "active") if kind == "mega" else None
    return replace(state, stage=stage, status=status, provider_stage=name)


def _next_stage(random: Random, stages: Sequence[str], kind: str, stage: str) -> str | None:
    has_nurture = kind != "vorel"
    if stage == "won":
        return "booked" if random.random() < 0.04 else None
    if stage == "lost":
        return stages[1] if random.random() < 0.08 else None
    if stage == "nurture":
        return random.choice(("engaged", "qualified", "lost"))
    chance = random.random()
    place = stages.index(stage)
    if chance < 0.12:
        return "lost"
    if chance < 0.18 and has_nurture:
        return "nurture"
    if chance < 0.22 and place > 0:
        return stages[place - 1]
    step = 2 if random.random() < 0.12 else 1
    return stages[min(place + step, len(stages) - 1)]


def _index(stages: Sequence[str], stage: str) -> int:
    return stages.index(stage) if stage in stages else len(stages)


def _dwell(random: Random) -> timedelta:
    """From minutes to weeks."""
    chance = random.random()
    if chance < 0.25:
        return timedelta(minutes=random.uniform(5, 360))
    if chance < 0.75:
        return timedelta(hours=random.uniform(6, 96))
    return timedelta(days=random.uniform(4, 18))


def _moment(random: Random, begin: datetime, end: datetime) -> datetime:
    """A moment in [begin, end), in milliseconds: as fine as the APIs tell."""
    span = int((end - begin).total_seconds() * 1000)
    return begin + timedelta(milliseconds=random.randrange(max(span, 1)))
