"""How an explanation looks on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lead_pipeline.explain.tables import LONGEST_VALUE, printable, short
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import lead_id, mega_lead
from lead_pipeline_tests.explain.conftest import Explain
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.pulling import at

ONE = lead_id(1)


def test_the_story_of_a_lead_is_readable(landing: Landing, explain: Explain) -> None:
    landing.leads("mega", mega_lead(1, score=50))
    commit = landing.leads("mega", mega_lead(1, updated_at=at(3), score=62.5))
    load_landing(landing.settings)
    ran = explain(ONE)
    assert (ran.status, ran.errors) == (0, "")
    assert ran.output.startswith(f"mega:{ONE} (Jane Buyer 1). Observed: landed records: 2.")
    for told in ("score: 50 → 62.5", "updated 2026-01-03 00:00:00Z", f"{commit.crawl_id}-000001"):
        assert told in ran.output


def test_repetitions_in_a_row_share_a_row(landing: Landing, explain: Explain) -> None:
    for _ in range(5):
        landing.leads("mega", mega_lead(1))
    ran = explain(ONE)
    assert "2-5" in ran.output
    assert "4 times" in ran.output


def test_all_shows_each_observation(landing: Landing, explain: Explain) -> None:
    for _ in range(5):
        landing.leads("mega", mega_lead(1))
    assert explain(ONE, "--all").output.count("unchanged") == 4


def test_what_a_lead_wrote_reaches_the_terminal_as_text_only(
    landing: Landing, explain: Explain
) -> None:
    landing.leads("mega", mega_lead(1, contact_name="\x1b[2J[/red] :key: \u202eBob"))
    load_landing(landing.settings)
    ran = explain(ONE)
    assert ran.status == 0
    assert r"\x1b[2J[/red] :key: \u202eBob" in ran.output
    assert "\x1b" not in ran.output


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "true"),
        (62.0, "62"),
        (62.5, "62.5"),
        (1e300, "1e+300"),
        ("1.0", "1.0"),
        ("two\nlines", r"two\nlines"),
        ("Zoë 😀", "Zoë 😀"),
        (datetime(2026, 1, 5, tzinfo=UTC), "2026-01-05 00:00:00Z"),
        (datetime(2026, 1, 5, 1, 2, 3, 120_000, UTC), "2026-01-05 01:02:03.120Z"),
        (datetime(2026, 1, 5, 1, 2, 3, 123_456, UTC), "2026-01-05 01:02:03.123456Z"),
    ],
)
def test_values_are_one_plain_line(value: object, text: str) -> None:
    assert printable(value) == text


def test_a_long_value_is_cut_and_says_how_long_it_is() -> None:
    assert short("x" * 200) == "x" * (LONGEST_VALUE - 1) + "… (200 characters)"
