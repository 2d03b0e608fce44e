"""Since when an account and its leads are watched, and between which polls a lead changed unseen.

The truths here follow from when a server was asked and what it showed then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.landing.commits import Window
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.verify import verify
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.sandbox.mega_business import STAGES
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import CrawlPlan, Landing, query
from lead_pipeline_tests.normalized.test_stage_history import event
from lead_pipeline_tests.pulling import at, settings_in

SECOND = timedelta(seconds=1)
DAY = 86_400


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


def night(
    landing: Landing,
    day: int,
    *records: Any,
    since: int | None = -1,
    provider: str = "mega",
    **fields: Any,
) -> None:
    """A complete crawl at 02:30 of the day, of what was updated since the midnight of day `since`.

    Without `since`, of the day before; None is since ever.
    """
    moment = at(day, 2, 30)
    start = at(day - 1) if since == -1 else None if since is None else at(since)
    landing.land(
        CrawlPlan(
            f"{day:02d}-{fields.get('stream', 'leads')}",
            provider,
            [records],
            at=moment,
            served_at=moment,
            window=Window(start, at(day)),
            **({"reads_to_start": True} | fields),
        )
    )


def watches(settings: Settings) -> Sequence[tuple[datetime | None, int | None]]:
    load_landing(settings)
    rows = query(settings, "select watched_from, poll_seconds from normalized.watches")
    return [(row["watched_from"], row["poll_seconds"]) for row in rows]


def watched_from(settings: Settings, number: int) -> datetime | None:
    load_landing(settings)
    [row] = query(
        settings, "select watched_from from normalized.leads where lead_id = ?", lead_id(number)
    )
    moment: datetime | None = row["watched_from"]
    return moment


def unobserved(settings: Settings) -> list[tuple[datetime | None, datetime]]:
    load_landing(settings)
    rows = query(
        settings,
        "select changed_after, changed_until from normalized.unobserved_changes order by all",
    )
    return [(row["changed_after"], row["changed_until"]) for row in rows]


# Accounts --------------------------------------------------------------------------------------


def test_an_account_is_watched_since_its_first_crawl_and_one_crawl_is_no_rhythm(
    landing: Landing,
) -> None:
    night(landing, 5, mega_lead(1, at(1), at(2)), since=None)
    assert watches(landing.settings) == [(at(5, 2, 30), None)]


def test_poll_seconds_are_the_usual_time_between_nights(landing: Landing) -> None:
    night(landing, 5, mega_lead(1, at(1), at(2)), since=None)
    for day in (6, 7, 8):
        night(landing, day)
    # One night was missed, and made good by the next crawl.
    night(landing, 10, since=8)
    assert watches(landing.settings) == [(at(5, 2, 30), DAY)]


def test_a_gap_that_nobody_makes_good_begins_a_new_watch(landing: Landing) -> None:
    night(landing, 5, mega_lead(1, at(1), at(2)), since=None)
    night(landing, 6)
    night(landing, 9)
    night(landing, 10)
    assert watches(landing.settings) == [(at(9, 2, 30), DAY)]


def test_a_backfill_of_old_days_is_no_poll_of_those_days(landing: Landing) -> None:
    """Thirty partitions in one night: each was asked then, whatever day it is of."""
    for day in range(2, 10):
        landing.land(
            CrawlPlan(
                f"partition-{day}",
                "mega",
                [[mega_lead(day, at(1), at(day - 1, 12))]],
                at=at(20, 3, day),
                served_at=at(20, 3, day),
                window=Window(None if day == 2 else at(day - 1), at(day)),
            )
        )
    night(landing, 20, since=9)
    assert watches(landing.settings)[0][0] == at(20, 2, 30)


def test_an_incomplete_crawl_is_no_poll(landing: Landing) -> None:
    night(landing, 5, mega_lead(1, at(1), at(2)), since=None, complete=False)
    assert watches(landing.settings) == []
    assert watched_from(landing.settings, 1) is None


def test_a_walk_over_the_whole_list_is_a_poll_whatever_was_missed(landing: Landing) -> None:
    for day in (5, 6, 16):
        night(landing, day, vorel_lead(1, at(1), at(2)), since=None, provider="vorel")
    [(since, _)] = watches(landing.settings)
    assert since == at(5, 2, 30)


# Leads -----------------------------------------------------------------------------------------


def test_a_lead_created_under_watch_is_watched_from_its_creation(landing: Landing) -> None:
    night(landing, 5, mega_lead(1, at(1), at(1)), since=None)
    night(landing, 6, mega_lead(2, at(5, 9), at(5, 20)))
    assert watched_from(landing.settings, 2) == at(5, 9)


def test_a_lead_created_before_is_watched_since_the_first_poll_also_if_it_never_changed(
    landing: Landing,
) -> None:
    """Whether it has changed since its creation must not decide: only those that had not would count."""
    night(landing, 5, mega_lead(1, at(1), at(1)), mega_lead(2, at(1), at(4)), since=None)
    assert [watched_from(landing.settings, number) for number in (1, 2)] == [at(5, 2, 30)] * 2


def test_a_lead_that_only_its_change_brought_is_watched_since_it_was_served(
    landing: Landing,
) -> None:
    """Nights without a backfill: of older leads, only those that change are met."""
    for day in (5, 6):
        night(landing, day)
    night(landing, 7, mega_lead(1, at(1), at(6, 12)))
    assert watched_from(landing.settings, 1) == at(7, 2, 30)


def test_a_backfill_later_on_shows_that_the_older_leads_had_not_changed(landing: Landing) -> None:
    for day in (5, 6):
        night(landing, day)
    landing.land(
        CrawlPlan(
            "backfill",
            "mega",
            [[mega_lead(1, at(1), at(2))]],
            at=at(6, 9),
            served_at=at(6, 9),
            window=Window(None, at(4)),
        )
    )
    night(landing, 7)
    assert watched_from(landing.settings, 1) == at(5, 2, 30)


def test_where_an_audit_log_reaches_back_a_lead_is_watched_from_its_creation(
    landing: Landing,
) -> None:
    lead = expert_ai_labs_lead(1, at(2), at(4), pipeline_stage="contacted")
    log = [event(1, at(4), "new", "contacted")]
    for stream, records in (("lead_events", log), ("leads", [lead])):
        night(
            landing,
            9,
            *records,
            since=None,
            provider="expert_ai_labs",
            stream=stream,
            reads_to_start=False,
        )
    assert watched_from(landing.settings, 1) == at(2)
    assert unobserved(landing.settings) == []


def test_a_lead_without_creation_is_watched_since_it_was_first_served(landing: Landing) -> None:
    night(landing, 5, mega_lead(1, datetime(1970, 1, 1, tzinfo=UTC), at(2)), since=None)
    night(landing, 7, mega_lead(2, datetime(1970, 1, 1, tzinfo=UTC), at(6)), since=4)
    assert [watched_from(landing.settings, n) for n in (1, 2)] == [at(5, 2, 30), at(7, 2, 30)]


# What was not seen -----------------------------------------------------------------------------


def test_between_creation_and_the_first_state_it_is_not_known_what_a_lead_was(
    landing: Landing,
) -> None:
    night(landing, 5, mega_lead(1, at(1), at(2)), mega_lead(2, at(3), at(3)), since=None)
    assert unobserved(landing.settings) == [(at(1), at(2))]


def test_a_touch_between_two_polls_can_have_hidden_any_stage(landing: Landing) -> None:
    """The stage is the same as before; it may have been left and entered again."""
    night(landing, 5, mega_lead(1, at(3), at(3), score=1), since=None)
    night(landing, 6)
    night(landing, 7, mega_lead(1, at(3), at(6, 12), score=2))
    assert unobserved(landing.settings) == [(at(6, 2, 30), at(6, 12))]


def test_a_state_that_is_served_again_hides_nothing(landing: Landing) -> None:
    for day in (5, 6, 7):
        night(landing, day, vorel_lead(1, at(1), at(1)), since=None, provider="vorel", is_full=True)
    assert unobserved(landing.settings) == []


def test_a_stage_that_changed_without_its_update_time_lies_between_the_two_polls(
    landing: Landing,
) -> None:
    night(landing, 5, vorel_lead(1, at(1), at(1), status="new"), since=None, provider="vorel")
    night(landing, 6, vorel_lead(1, at(1), at(1), status="won"), since=None, provider="vorel")
    assert unobserved(landing.settings) == [(at(5, 2, 30), at(6, 2, 30) + SECOND)]


# Any order -------------------------------------------------------------------------------------


@pytest.mark.long
def test_crawls_loaded_in_any_order_give_the_same_watch(tmp_path: Path) -> None:
    changed = mega_lead(1, at(1), at(6, 14), current_stage=STAGES[1])
    nights = [
        (5, [mega_lead(1, at(1), at(2))], None),
        (6, [mega_lead(2, at(5, 9), at(5, 10))], -1),
        (7, [changed], -1),
        (9, [mega_lead(3, at(7, 9), at(8, 9))], -1),
    ]
    found = set()
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)):
        landing = Landing(settings_in(tmp_path / "".join(map(str, order))))
        for place in order:
            day, records, since = nights[place]
            night(landing, day, *records, since=since)
            load_landing(landing.settings)
        assert all(comparison.is_equal for comparison in verify(landing.settings))
        found.add(
            (
                *watches(landing.settings),
                *(watched_from(landing.settings, number) for number in (1, 2, 3)),
                *unobserved(landing.settings),
            )
        )
    assert len(found) == 1
