"""The world behind the APIs: one seed, one history, however it is looked at."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.expert_ai_labs_business import STAGES as EXPERT_STAGES
from lead_pipeline.sandbox.mega_business import STAGES as MEGA_STAGES
from lead_pipeline.sandbox.vorel_business import STATUSES
from lead_pipeline.sandbox.world import Change

DAYS = range(28)
ORDER = {
    "mega": [stage["slug"] for stage in MEGA_STAGES],
    "expert_ai_labs": list(EXPERT_STAGES),
    "vorel": list(STATUSES[:4]),
}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def changes(world: World) -> list[Change]:
    return [change for day in DAYS for change in world.changes_of_day(day)]


def stage_of(provider: str, content: dict[str, Any]) -> str | None:
    if provider == "mega":
        slug: str | None = (content.get("current_stage") or {}).get("slug")
        return slug
    return content.get("pipeline_stage" if provider == "expert_ai_labs" else "status")


def moves(changes: list[Change]) -> dict[str, list[tuple[str, str]]]:
    """Per provider, every step of a lead from one stage to another."""
    stages: dict[str, str] = {}
    steps: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for change in changes:
        stage = stage_of(change.provider, change.content)
        if stage is None:
            continue
        before = stages.get(change.lead_id, stage)
        if before != stage:
            steps[change.provider].append((before, stage))
        stages[change.lead_id] = stage
    return steps


def digest(world: World, days: range) -> str:
    text = repr([world.changes_of_day(day) for day in days])
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_same_seed_gives_the_same_world_in_another_process() -> None:
    script = (
        "from lead_pipeline_tests.sandbox.test_world import digest, World;"
        "print(digest(World(), range(3)))"
    )
    other = subprocess.run(  # noqa: S603 - our own interpreter and our own script
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == digest(World(), range(3))


def test_another_seed_gives_another_world() -> None:
    assert digest(World(seed=7), range(2)) != digest(World(seed=8), range(2))


def test_a_day_is_the_same_whatever_was_asked_before() -> None:
    hasty, patient = World(), World()
    far = hasty.changes_of_day(20)
    for day in (3, 1, 20, 7):
        patient.changes_of_day(day)
    assert patient.changes_of_day(20) == far


def test_the_stores_are_the_same_however_the_clock_got_there() -> None:
    end = datetime(2026, 1, 9, 13, 30, tzinfo=UTC)
    leap, walk = Sandbox(World()), Sandbox(World())
    leap.set_clock(end)
    while walk.now < end:
        walk.set_clock(min(end, walk.now + timedelta(hours=7, minutes=11)))
    for first, second in (
        (leap.mega.store, walk.mega.store),
        (leap.expert_ai_labs.store, walk.expert_ai_labs.store),
        (leap.expert_ai_labs.store.events, walk.expert_ai_labs.store.events),
        (leap.vorel.store, walk.vorel.store),
    ):
        assert list(first) == list(second)


def test_nothing_has_happened_after_now() -> None:
    sandbox = Sandbox(World())
    sandbox.set_clock(datetime(2026, 1, 3, 15, tzinfo=UTC))
    for store in (sandbox.mega.store, sandbox.expert_ai_labs.store, sandbox.vorel.store):
        newest = max(lead["updated_at"] for lead in store)
        assert "2026-01-03T12" < newest <= "2026-01-03T15:00:00.000Z"


def test_the_first_day_finds_leads_of_the_months_before() -> None:
    sandbox = Sandbox(World())
    for store in (sandbox.mega.store, sandbox.expert_ai_labs.store, sandbox.vorel.store):
        created = [lead["created_at"] for lead in store]
        assert 250 <= len(created) <= 350
        assert min(created) < "2025-10" < "2025-12" < max(created) < "2026-01-01"


@pytest.mark.parametrize("provider", ["mega", "expert_ai_labs", "vorel"])
def test_a_day_brings_some_new_and_some_changed_leads(world: World, provider: str) -> None:
    created, changed = [], []
    seen = {
        change.lead_id for day in range(world.first_day, 0) for change in world.changes_of_day(day)
    }
    for day in DAYS:
        kinds: Counter[str] = Counter()
        for change in world.changes_of_day(day):
            if change.provider == provider and change.kind in ("put", "update"):
                kinds["changed" if change.lead_id in seen else "created"] += 1
                seen.add(change.lead_id)
        created.append(kinds["created"])
        changed.append(kinds["changed"])
    assert 10 <= min(created) <= max(created) <= 21
    assert min(changed) >= 17
    assert 20 <= sum(changed) / len(changed) <= 40


@pytest.mark.parametrize("provider", ["mega", "expert_ai_labs", "vorel"])
def test_leads_move_forward_and_back(changes: list[Change], provider: str) -> None:
    order = ORDER[provider]
    steps = [
        (order.index(before), order.index(after))
        for before, after in moves(changes)[provider]
        if before in order and after in order
    ]
    forward = [step for step in steps if step[0] < step[1]]
    back = [step for step in steps if step[0] > step[1]]
    assert len(forward) > len(back) > 5


@pytest.mark.parametrize("provider", ["mega", "vorel"])
def test_leads_change_without_moving(changes: list[Change], provider: str) -> None:
    before: dict[str, dict[str, Any]] = {}
    changed: Counter[str] = Counter()
    for change in changes:
        if change.provider != provider or change.kind != "put":
            continue
        old = before.get(change.lead_id)
        if old is not None and stage_of(provider, old) == stage_of(provider, change.content):
            changed.update(name for name, value in change.content.items() if old.get(name) != value)
        before[change.lead_id] = change.content
    scores = {"mega": "score", "vorel": "qualification_score"}
    mails = {"mega": "contact_email", "vorel": "email"}
    phones = {"mega": "contact_phone", "vorel": "phone"}
    assert {scores[provider], mails[provider], phones[provider]} <= changed.keys()


def test_leads_vanish_from_every_provider(changes: list[Change]) -> None:
    assert {change.provider for change in changes if change.kind == "delete"} == {
        "mega",
        "expert_ai_labs",
        "vorel",
    }


def test_people_are_shared_in_other_spellings(changes: list[Change]) -> None:
    mails: dict[str, set[tuple[str, str]]] = defaultdict(set)
    phones: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for change in changes:
        content = change.content
        mail = content.get("contact_email") or content.get("email")
        phone = content.get("contact_phone") or content.get("phone")
        if mail:
            mails[mail.strip().lower()].add((change.provider, mail))
        if phone:
            number = phonenumbers.parse(phone, "US")
            key = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            phones[key].add((change.provider, phone))
    for spellings in (mails, phones):
        shared = [s for s in spellings.values() if len({provider for provider, _ in s}) > 1]
        assert len(shared) > 20
        assert any(len({text for _, text in one}) > 1 for one in shared)


def test_some_leads_share_a_millisecond(changes: list[Change]) -> None:
    moments = Counter(
        (change.provider, change.at) for change in changes if change.kind in ("put", "update")
    )
    assert max(moments.values()) >= 3


def test_a_lead_never_changes_twice_in_one_millisecond(changes: list[Change]) -> None:
    moments = Counter(
        (change.lead_id, change.at) for change in changes if change.kind in ("put", "update")
    )
    assert set(moments.values()) == {1}


def test_days_lie_side_by_side_and_in_order(world: World) -> None:
    for day in (-120, -1, 0, 1, 27):
        times = [change.at for change in world.changes_of_day(day)]
        assert times == sorted(times)
        assert world.begin_of_day(day) <= times[0] <= times[-1] < world.begin_of_day(day + 1)


def test_an_empty_world_stays_empty() -> None:
    sandbox = Sandbox(World.empty(date(2026, 3, 1)))
    sandbox.set_clock(datetime(2027, 1, 1, tzinfo=UTC))
    assert len(sandbox.mega.store) == len(sandbox.vorel.store) == 0


def test_a_fortnight_is_lived_through_at_once() -> None:
    begin = time.perf_counter()
    World().changes_of_day(13)
    # Well under a second on a machine of its own; the slack is for busy ones.
    assert time.perf_counter() - begin < 3
