"""Each figure of each mart, in worlds of which all changes are known, however they were polled.

`make bench NAME=truth` runs the same with hundreds of worlds, and writes docs/truth.md.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import pytest

from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.sharing import made_once
from lead_pipeline_tests.truth.comparison import LENGTHS
from lead_pipeline_tests.truth.matrix import build, compare_all
from lead_pipeline_tests.truth.polling import DAY, PATTERNS, PolledWorld, polled
from lead_pipeline_tests.truth.tally import Place, Tally, described
from lead_pipeline_tests.truth.world import KINDS, SECOND, World

MINUTE = timedelta(minutes=1)
WORLDS = 5
HOURLY_WORLDS = 3
"""One per kind of provider: most crawls are theirs."""


ZONED = ("nightly", "missed_and_late")


def worlds() -> list[PolledWorld]:
    return [
        polled(World.invent(seed), pattern)
        for seed in range(WORLDS)
        for pattern in PATTERNS
        if pattern != "hourly" or seed < HOURLY_WORLDS
    ]


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build of all worlds. Copy it before you change it."""
    folder = made_once(tmp_path_factory, "truth", lambda folder: build(folder, worlds()))
    return folder / "bi" / ".candidate" / "leads.duckdb"


@pytest.fixture(scope="module")
def tally(candidate: Path) -> Tally:
    return compare_all(candidate, worlds())


def test_bounds_contain_the_truth_and_figures_without_bounds_are_it(tally: Tally) -> None:
    assert not tally.contradictions, described(tally.contradictions[:20])


def test_every_figure_of_which_the_truth_is_known_is_there(tally: Tally) -> None:
    assert not tally.missing_figures


def test_lengths_that_an_audit_log_tells_have_bounds_no_wider_than_a_second(tally: Tally) -> None:
    wide = {
        place: max(figures.widths)
        for place, figures in tally.places.items()
        if place.kind == "expert_ai_labs" and place.figure in LENGTHS and figures.widths
        if max(figures.widths) > (SECOND / MINUTE if "minutes" in place.figure else SECOND / DAY)
    }
    assert wide == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", ["nightly", "hourly", "missed_and_late"])
@pytest.mark.parametrize(
    ("mart", "figure"), [("stage_velocity", "p50_days"), ("speed_to_lead", "p50_minutes")]
)
def test_polls_tell_lengths_and_not_only_bounds(
    tally: Tally, mart: str, figure: str, pattern: str, kind: str
) -> None:
    """Bounds from nothing to everything would contain any truth."""
    assert tally.places[Place(mart, figure, pattern, kind)].headlines


@pytest.mark.parametrize(
    ("mart", "figure"), [("stage_velocity", "p50_days"), ("speed_to_lead", "p50_minutes")]
)
def test_the_more_often_an_account_is_polled_the_narrower_are_the_bounds(
    tally: Tally, mart: str, figure: str
) -> None:
    widths = {
        pattern: median(
            [
                width
                for kind in ("mega", "vorel")
                for width in tally.places[Place(mart, figure, pattern, kind)].widths
            ]
        )
        for pattern in ("nightly", "hourly")
    }
    assert widths["hourly"] < widths["nightly"] / 5


@pytest.mark.parametrize(
    "zone", ["America/New_York", pytest.param("Asia/Kolkata", marks=pytest.mark.long)]
)
def test_days_of_another_zone_are_as_true_as_those_of_utc(zone: str, tmp_path: Path) -> None:
    worlds = [polled(World.invent(seed), pattern) for seed in range(3) for pattern in ZONED]
    candidate = build(tmp_path, worlds, timezone=zone)

    tally = compare_all(candidate, worlds, ZoneInfo(zone))

    assert not tally.contradictions, described(tally.contradictions[:20])
    assert not tally.missing_figures
    wrong = compare_all(candidate, worlds).contradictions
    assert {"lead_daily_history", "stage_funnel_daily"} <= {told.place.mart for told in wrong}


def test_tables_that_lie_are_found_out(candidate: Path, tmp_path: Path) -> None:
    lies = {
        ("funnel_by_cohort", "leads_watched"): "leads_watched + 1",
        ("stage_velocity", "p50_days_upper"): "p50_days_lower - 0.1",
        ("metrics_daily", "leads_won_upper"): "leads_won_lower - 1",
        ("cohort_conversion", "reached_won"): "reached_won_upper + 1",
        ("stage_funnel_daily", "leads_in_stage_upper"): "leads_in_stage_lower - 1",
        ("lead_facts", "watched_from"): "created_at - interval 1 hour",
        ("lead_facts", "reached_engaged_at"): "reached_engaged_at - interval 3 days",
        ("lead_facts", "outcome"): "'open'",
        ("lead_facts", "times_reopened"): "times_reopened + 1",
        ("stage_visits", "seconds_in_stage_upper"): "seconds_in_stage_lower - 60",
        ("stage_visits", "direction"): "'forward'",
        ("stage_visits", "owner_key"): "account || ':unassigned'",
        ("lead_changes", "is_certain_of_day"): "not is_certain_of_day",
    }
    copy = tmp_path / "leads.duckdb"
    shutil.copyfile(candidate, copy)
    with closing(connect_utc(copy)) as connection:
        for (mart, column), lie in lies.items():
            connection.execute(f"update marts.{mart} set {column} = {lie}")  # noqa: S608
        # A view tells the lies of its table.
        connection.execute(
            "update marts.lead_day_segments set stage = 'archived' where stage <> 'unknown'"
        )
    found = {(e.place.mart, e.finding.figure) for e in compare_all(copy, worlds()).contradictions}
    told = {*lies, ("lead_daily_history", "stage")}
    assert {(mart, column.removesuffix("_upper")) for mart, column in told} <= found


@pytest.mark.parametrize(
    ("lie", "figure"),
    [
        ("delete from marts.lead_changes where field = 'owner'", "owner_changes"),
        ("delete from marts.lead_changes where field = 'score'", "score_changes"),
        (
            "update marts.lead_changes set changed_at = changed_after - interval 1 hour,"
            " changed_after = changed_after - interval 2 hours where field = 'score'",
            "score_changed_at",
        ),
    ],
)
def test_changes_that_are_left_out_or_misdated_are_found_out(
    candidate: Path, tmp_path: Path, lie: str, figure: str
) -> None:
    copy = tmp_path / "leads.duckdb"
    shutil.copyfile(candidate, copy)
    with closing(connect_utc(copy)) as connection:
        connection.execute(lie)
    found = {(e.place.mart, e.finding.figure) for e in compare_all(copy, worlds()).contradictions}
    assert ("lead_changes", figure) in found
