"""Explaining leads that three imitated providers served over several nights."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from lead_pipeline.explain.answer import answer
from lead_pipeline.explain.document import Explanation
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import query
from lead_pipeline_tests.pulling import SLUGS, account_of, at, days, landed, pull_all, settings_in

NIGHTS = (1, 2, 3)
LEADS_OF_EACH = 6


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_in(tmp_path_factory.mktemp("world") / "home")
    world = World(start=date(2026, 1, 1), leads_per_day=4, leads_at_start=6)
    with Sandbox(world, limits=False) as sandbox:
        for night in NIGHTS:
            sandbox.set_clock(at(night + 1, 2))
            for slug in SLUGS:
                pull_all(settings, account_of(sandbox, slug), days(night), full=night == NIGHTS[-1])
    load_landing(settings)
    return settings


@pytest.fixture(scope="module")
def explanations(settings: Settings) -> list[Explanation]:
    """The leads with the longest stories, some of each provider."""
    rows = query(
        settings,
        "select lead_key from normalized.lead_versions group by lead_key, provider "
        "qualify row_number() over (partition by provider order by count(*) desc, lead_key) <= ?",
        LEADS_OF_EACH,
    )
    return list(_explained(settings, [row["lead_key"] for row in rows]))


def _explained(settings: Settings, lead_keys: list[str]) -> Iterator[Explanation]:
    for lead_key in lead_keys:
        lead = answer(settings, lead_key, print).lead
        assert lead is not None
        yield lead


@pytest.mark.long
def test_each_provider_has_leads_with_several_records(explanations: list[Explanation]) -> None:
    several = {
        lead.provider
        for lead in explanations
        if sum(entry.kind == "record" for entry in lead.timeline) > 1
    }
    assert several == set(SLUGS)


def test_every_landed_row_of_a_lead_is_in_its_timeline(
    settings: Settings, explanations: list[Explanation]
) -> None:
    streams = ("leads", "lead_details", "stale_leads")
    for lead in explanations:
        rows = [
            (row["crawl_id"], row["page"], row["payload"])
            for stream in streams
            for row in landed(settings, lead.account, stream)
            if row["record_id"] == lead.lead_id
        ]
        entries = [entry for entry in lead.timeline if entry.kind == "record"]
        assert sorted((e.crawl_id, e.page, e.payload) for e in entries) == sorted(rows)


def test_every_entry_names_a_file_that_is_there(
    settings: Settings, explanations: list[Explanation]
) -> None:
    files = {Path(entry.file) for lead in explanations for entry in lead.timeline}
    assert [path for path in files if not (settings.landing_path / path).is_file()] == []


def test_every_current_value_is_traced_to_an_entry(explanations: list[Explanation]) -> None:
    untraced = [
        (lead.provider, value.column)
        for lead in explanations
        for value in lead.current_values
        if value.entry is None
    ]
    assert untraced == []


def test_no_value_is_younger_than_the_record_it_was_taken_from(
    explanations: list[Explanation],
) -> None:
    for lead in explanations:
        for value in lead.current_values:
            assert (value.since or 0) <= (value.entry or 0), (lead.provider, value.column)


def test_every_stage_after_the_first_is_shown_by_an_entry(explanations: list[Explanation]) -> None:
    later = [
        interval
        for lead in explanations
        for interval in lead.stage_intervals
        if interval.stage_number > 1
    ]
    assert len(later) > 3
    assert [interval for interval in later if interval.entry is None] == []


def test_nothing_is_left_to_load(explanations: list[Explanation]) -> None:
    assert {lead.not_loaded for lead in explanations} == {0}
