"""How far an account's data reaches, told from what its complete crawls prove."""

from __future__ import annotations

from datetime import datetime

import pytest

from lead_pipeline.landing.commits import CommitRecord, Window
from lead_pipeline.landing.coverage import (
    ProvenWindow,
    coverage_of,
    merged_windows,
    proven_windows,
)
from lead_pipeline.windows import UpdatedWindow
from lead_pipeline_tests.pulling import at

Bounds = tuple[datetime | None, datetime | None]


def leads(start: datetime | None, end: datetime, note: str | None = None) -> ProvenWindow:
    return ProvenWindow("leads", start, end, note)


def full_leads(end: datetime) -> ProvenWindow:
    """A crawl over the whole list."""
    return ProvenWindow("leads", None, end, is_full=True)


def events(start: datetime | None, end: datetime) -> ProvenWindow:
    return ProvenWindow("lead_events", start, end)


def details(start: datetime | None, end: datetime) -> ProvenWindow:
    return ProvenWindow("lead_details", start, end)


def reach(provider: str, *proven: ProvenWindow) -> Bounds:
    coverage = coverage_of(provider, provider, proven)
    return coverage.complete_from, coverage.complete_through


@pytest.mark.parametrize(
    ("proven", "expected"),
    [
        ([], (None, None)),
        ([leads(None, at(5))], (None, at(5))),
        ([leads(at(2), at(5))], (at(2), at(5))),
        ([leads(at(2), at(3)), leads(at(3), at(5))], (at(2), at(5))),
        ([leads(at(3), at(5)), leads(at(2), at(4))], (at(2), at(5))),
        ([leads(at(2), at(3)), leads(at(4), at(5))], (at(2), at(3))),
        ([leads(at(4), at(5)), leads(None, at(3))], (None, at(3))),
        ([leads(at(2), at(3)), leads(at(4), at(5)), leads(None, at(6))], (None, at(6))),
    ],
    ids=[
        "nothing",
        "since ever",
        "from a day on",
        "days that meet",
        "days that overlap",
        "a day left out",
        "a gap after the first",
        "a gap filled",
    ],
)
def test_coverage_ends_at_the_first_gap(proven: list[ProvenWindow], expected: Bounds) -> None:
    assert reach("mega", *proven) == expected


def test_every_stream_that_lead_states_come_from_must_be_complete() -> None:
    assert reach("expert_ai_labs", full_leads(at(5))) == (None, None)


def test_coverage_is_what_the_required_streams_have_in_common() -> None:
    proven = full_leads(at(5)), details(at(2), at(4))
    assert reach("expert_ai_labs", *proven) == (at(2), at(4))


def test_leads_that_the_audit_log_names_are_not_proven_beyond_the_audit_log() -> None:
    """A change between 12:00 and 12:05 is in no event that was read, so nobody read its lead."""
    night = full_leads(at(5)), events(None, at(5)), details(None, at(5))
    noon = events(at(5), at(5, 12)), leads(at(5), at(5, 12, 5)), details(at(5), at(5, 12, 6))
    assert reach("expert_ai_labs", *night, *noon) == (None, at(5, 12))


def test_the_whole_list_is_proven_without_the_audit_log() -> None:
    noon = full_leads(at(5, 12, 5)), details(None, at(5, 12, 6))
    assert reach("expert_ai_labs", *noon) == (None, at(5, 12, 5))


def test_streams_without_a_common_time_cover_nothing() -> None:
    proven = events(at(1), at(2)), leads(at(1), at(2)), details(at(3), at(4))
    assert reach("expert_ai_labs", *proven) == (None, None)


def test_a_stream_that_is_not_required_does_not_hold_the_coverage_back() -> None:
    assert reach("vorel", leads(None, at(5)), ProvenWindow("stale_leads", at(1), at(2))) == (
        None,
        at(5),
    )


def test_coverage_carries_the_note_of_the_newest_crawl_of_leads() -> None:
    proven = [leads(None, at(4), "a horizon"), leads(at(4), at(5), "another")]
    assert coverage_of("vorel", "vorel", proven).note == "another"


def test_a_note_is_gone_with_the_next_crawl_that_has_none() -> None:
    proven = [leads(None, at(4), "a horizon"), leads(at(4), at(5))]
    assert coverage_of("vorel", "vorel", proven).note is None


def test_only_complete_crawls_prove_anything() -> None:
    records = [
        CommitRecord(
            crawl_id=f"crawl-{complete}",
            account="mega",
            provider="mega",
            stream="leads",
            window=Window(None, at(day)),
            started_at=at(20),
            complete=complete,
        )
        for day, complete in ((5, True), (9, False))
    ]
    assert proven_windows(records) == [leads(None, at(5))]


def test_windows_of_a_stream_are_merged_without_those_of_others() -> None:
    proven = leads(at(1), at(2)), details(at(2), at(3)), leads(at(2), at(4)), leads(at(6), at(7))
    assert merged_windows(proven, "leads") == [
        UpdatedWindow(at(1), at(4)),
        UpdatedWindow(at(6), at(7)),
    ]


def test_a_crawl_that_stopped_at_a_horizon_proves_no_window_but_leaves_its_note() -> None:
    nightly = CommitRecord(
        crawl_id="2",
        account="vorel",
        provider="vorel",
        stream="leads",
        window=Window(at(5), at(6)),
        started_at=at(7),
        complete=True,
        state="complete",
        note="older leads were not read",
        stop_created_before=at(1),
    )
    coverage = coverage_of("vorel", "vorel", [leads(None, at(5)), *proven_windows([nightly])])
    assert (coverage.complete_through, coverage.note) == (at(5), "older leads were not read")
