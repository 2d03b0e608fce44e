"""Leads that appear, change and vanish between the requests of a crawl.

Whatever happens meanwhile, a lead that was there before the crawl and is still there after it is
in the tables, once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.errors import CursorRefused
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import ApiServer, Request, Sandbox, World
from lead_pipeline.sandbox.examples import lead_id
from lead_pipeline.sandbox.messages import Record, iso
from lead_pipeline.settings import Settings
from lead_pipeline.windows import UpdatedWindow, window_of_days
from lead_pipeline_tests.normalized.landings import query
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.pulling import (
    MAKE_LEAD,
    SLUGS,
    START_DATE,
    account_of,
    changed,
    pull,
    server_of,
    settings_in,
)

PAGE_SIZE = 4
"""Small, so that a few leads are many pages."""
EXISTING = 14
STAGE_FIELD = {"mega": "status", "expert_ai_labs": "pipeline_stage", "vorel": "status"}
STAGES = {
    "mega": ("active", "won", "lost"),
    "expert_ai_labs": ("new", "won", "lost"),
    "vorel": ("new", "booked", "lost"),
}


@dataclass(frozen=True)
class Happening:
    """Something that happens before the request of this number, counted from 1."""

    before_request: int
    kind: str
    lead: int
    stage: int


_scripts = st.lists(
    st.builds(
        Happening,
        st.integers(1, 8),
        st.sampled_from(("change", "change", "appear", "vanish")),
        st.integers(0, EXISTING - 1),
        st.integers(0, 2),
    ),
    max_size=12,
)


class Business:
    """An API whose leads live on while they are read, as a script says."""

    def __init__(self, sandbox: Sandbox, provider: str) -> None:
        self.provider = provider
        self.server: ApiServer[Any] = server_of(sandbox, provider)
        self.created = 0
        begin = datetime.now(UTC) - timedelta(days=3)
        for number in range(EXISTING):
            self.appear(begin + timedelta(hours=number))

    def appear(self, moment: datetime) -> None:
        self.created += 1
        self.server.store.put(MAKE_LEAD[self.provider](self.created, moment))

    def change(self, lead: Record, stage: int) -> None:
        field, now = STAGE_FIELD[self.provider], datetime.now(UTC)
        fields = {field: STAGES[self.provider][stage]}
        if self.provider == "expert_ai_labs":
            self.server.store.update(lead["id"], fields, now)
        else:
            self.server.store.put(lead | fields | {"updated_at": iso(now)})

    def do(self, happening: Happening) -> None:
        lead = self.server.store.get(lead_id(happening.lead + 1))
        if happening.kind == "appear":
            self.appear(datetime.now(UTC))
        elif lead is not None and happening.kind == "vanish":
            self.server.store.delete(lead["id"])
        elif lead is not None:
            self.change(lead, happening.stage)

    @contextmanager
    def living(self, script: list[Happening]) -> Iterator[None]:
        """The script runs while requests come in."""
        count = 0

        def hook(request: Request) -> None:
            nonlocal count
            count += 1
            for happening in script:
                if happening.before_request == count:
                    self.do(happening)

        self.server.before_request.append(hook)
        try:
            yield
        finally:
            self.server.before_request.remove(hook)

    @property
    def ids(self) -> set[str]:
        return {record["id"] for record in self.server.store}

    @property
    def stages(self) -> dict[str, str]:
        field = STAGE_FIELD[self.provider]
        return {record["id"]: record[field] for record in self.server.store}


def pull_through(settings: Settings, account: Account, window: UpdatedWindow) -> None:
    """Pull all streams. A cursor that vanished with its lead twice fails the run, which is
    then run again.
    """
    for stream in PROVIDERS[account.provider].streams:
        for _ in range(6):
            try:
                pull(settings, account, window, stream.name)
                break
            except CursorRefused:
                continue


def until_today(days_back: int | None = None) -> UpdatedWindow:
    """The window of the partitions until today; from the first on unless said otherwise."""
    today = datetime.now(UTC).date()
    first = START_DATE if days_back is None else today - timedelta(days=days_back)
    return window_of_days(first, today, START_DATE)


@contextmanager
def small_pages(provider: str) -> Iterator[None]:
    with changed(
        import_module(f"lead_pipeline.providers.{provider}.provider"), "PAGE_SIZE", PAGE_SIZE
    ):
        yield


def loaded(settings: Settings) -> list[dict[str, Any]]:
    load_landing(settings)
    return query(
        settings,
        "select lead_key, lead_id, missing_since, "
        "coalesce(provider_status, provider_stage) as stage "
        "from normalized.leads",
    )


@pytest.mark.parametrize("provider", SLUGS)
@examples(3)
@given(script=_scripts, days_back=st.sampled_from((None, 5)))
def test_no_lead_is_missed_or_loaded_twice_while_leads_appear_change_and_vanish(
    provider: str, script: list[Happening], days_back: int | None
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(World.empty(), limits=False) as sandbox,
        small_pages(provider),
    ):
        business, settings = Business(sandbox, provider), settings_in(Path(folder))
        before = business.ids
        with business.living(script):
            pull_through(settings, account_of(sandbox, provider), until_today(days_back))
        rows = loaded(settings)
        assert before & business.ids <= {row["lead_id"] for row in rows}
        assert len({row["lead_key"] for row in rows}) == len(rows)


@pytest.mark.parametrize("provider", SLUGS)
@examples(3)
@given(script=_scripts)
def test_the_next_crawl_of_the_day_brings_what_the_first_could_not_see_yet(
    provider: str, script: list[Happening]
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(World.empty(), limits=False) as sandbox,
        small_pages(provider),
    ):
        business, settings = Business(sandbox, provider), settings_in(Path(folder))
        account = account_of(sandbox, provider)
        with business.living(script):
            pull_through(settings, account, until_today())
        pull_through(settings, account, until_today(0))
        stages = {row["lead_id"]: row["stage"] for row in loaded(settings)}
        assert {key: stages.get(key) for key in business.ids} == business.stages


@examples(3)
@given(script=_scripts)
def test_only_a_lead_that_vanished_is_missing(script: list[Happening]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(World.empty(), limits=False) as sandbox,
        small_pages("vorel"),
    ):
        business, settings = Business(sandbox, "vorel"), settings_in(Path(folder))
        account = account_of(sandbox, "vorel")
        with business.living(script):
            pull_through(settings, account, until_today())
        pull_through(settings, account, until_today(0))
        missing = {row["lead_id"] for row in loaded(settings) if row["missing_since"] is not None}
        landed = {row["lead_id"] for row in loaded(settings)}
        assert missing == landed - business.ids
