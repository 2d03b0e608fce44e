"""Worlds times polls times marts: one load and one build, then each figure against its truth.

Here: the build, and which rows and figures belong together. Not here: the truths, and when a
figure is right (`comparison`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from lead_pipeline.bi.calendar import calendar_of
from lead_pipeline.bi.candidate import prepare_candidate
from lead_pipeline.bi.merged_project import project_of
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.building import run_dbt
from lead_pipeline_tests.pulling import settings_in
from lead_pipeline_tests.truth import (
    truth_durations,
    truth_funnels,
    truth_leads,
    truth_performance,
)
from lead_pipeline_tests.truth.comparison import (
    LENGTHS,
    Direction,
    Finding,
    Key,
    Row,
    Truths,
    compare,
)
from lead_pipeline_tests.truth.course import place_of
from lead_pipeline_tests.truth.days import check_days
from lead_pipeline_tests.truth.facts import check_changes, check_facts, check_visits
from lead_pipeline_tests.truth.history import check_history, check_leads
from lead_pipeline_tests.truth.knowledge import Knowledge, KnownLead
from lead_pipeline_tests.truth.landing import land
from lead_pipeline_tests.truth.limits import CHECKS, ends_of_data
from lead_pipeline_tests.truth.polling import PolledWorld
from lead_pipeline_tests.truth.reading import rows_of
from lead_pipeline_tests.truth.tally import Tally
from lead_pipeline_tests.truth.truth_daily import DAILY_CHECKS


def build(folder: Path, worlds: Iterable[PolledWorld], **fields: Any) -> Path:
    """Land all worlds, load them, build the marts with their tests; the path of the candidate.

    `fields`: of the settings of the home `folder`.
    """
    settings = settings_in(folder, **fields)
    for world in worlds:
        land(settings.landing_path, world)
    load_landing(settings, tell=lambda message: None)
    candidate = folder / "bi" / ".candidate" / "leads.duckdb"
    project = project_of(settings)
    calendar = calendar_of(settings)
    prepare_candidate(settings.warehouse_path, candidate, calendar=calendar, project=project)
    arguments = ("build", "--exclude-resource-type", "unit_test")
    run_dbt(folder / "target", candidate, *arguments, project=project)
    return candidate


def compare_all(candidate: Path, worlds: Sequence[PolledWorld], zone: tzinfo = UTC) -> Tally:
    """Every figure of which the truth is known; days are those of the zone."""
    tally = Tally()
    with closing(connect_utc(candidate, read_only=True)) as connection:
        ends = ends_of_data(connection)
        known = {w.account: Knowledge(w, ends[w.account], zone) for w in worlds}
        of_leads = (check_leads, check_facts, check_visits, check_changes, check_history)
        for check in (*of_leads, check_days, *CHECKS, *DAILY_CHECKS):
            check(connection, known, tally)
        for mart in MARTS:
            _check(mart, rows_of(connection, f"marts.{mart.name}"), known, tally)
    return tally


Flag = Callable[[Sequence[KnownLead], str, Key], bool]


def _as_assumed(leads: Sequence[KnownLead], figure: str, key: Key) -> bool:
    del leads, figure, key
    return True


def _velocity_as_assumed(leads: Sequence[KnownLead], figure: str, key: Key) -> bool:
    if figure not in LENGTHS:
        return True
    return not any(key[-1] in lead.unassumed for lead in leads)


def _responses_as_assumed(leads: Sequence[KnownLead], figure: str, key: Key) -> bool:
    del key
    if figure == "p50_days_to_win":
        return not any("won" in lead.unassumed for lead in leads)
    if "minutes" not in figure:
        return True
    return not any(place_of(stage) > 1 for lead in leads for stage in lead.unassumed)


@dataclass(frozen=True)
class Mart:
    """A mart whose figures are about groups of leads.

    `directions`: figures without bounds that are stated to be "at least" or "at most" the truth.
    `population`: the column that says how many a quantile of survival is about.
    `may_lack`: whether rows of nothing may be left out; `zero`: what is true of a row for which
    nothing happened, None where there is none.
    """

    name: str
    key: tuple[str, ...]
    truths: Callable[[Knowledge], Truths]
    directions: dict[str, Direction] = field(default_factory=dict)
    population: str | None = None
    is_as_assumed: Flag = _as_assumed
    zero: dict[str, Any] | None = None


MARTS = (
    Mart(
        "stage_funnel_daily",
        ("account", "date_day", "stage"),
        truth_funnels.days,
        zero={"leads_in_stage": 0, "leads_entered": 0, "leads_exited": 0},
    ),
    Mart("funnel_by_cohort", ("cohort_week", "source"), truth_funnels.cohorts),
    Mart(
        "stage_velocity",
        ("account", "stage"),
        truth_durations.velocity,
        # A visit that nobody saw cannot be counted.
        directions={"visits": "at least", "visits_ended": "at least"},
        population="visits",
        is_as_assumed=_velocity_as_assumed,
        zero={
            "visits": 0,
            "visits_ended": 0,
            "visits_open": 0,
            "visits_of_unknown_start": 0,
            "p50_days": None,
            "p90_days": None,
            "p50_ended_days": None,
            "p50_open_days": None,
        },
    ),
    Mart(
        "speed_to_lead",
        ("account", "source", "owner_key"),
        truth_durations.speed,
        # Who has been answered without anybody's seeing it waits no more.
        directions={"leads_waiting": "at most"},
        population="leads_watched",
        is_as_assumed=_responses_as_assumed,
    ),
    Mart(
        "source_performance",
        ("source",),
        truth_performance.sources,
        is_as_assumed=_responses_as_assumed,
    ),
    Mart(
        "owner_performance",
        ("owner_key",),
        truth_performance.owners,
        population="leads_watched",
        is_as_assumed=_responses_as_assumed,
    ),
    Mart("people", ("newest_lead_key",), truth_leads.people),
)


def _check(mart: Mart, rows: Sequence[Row], known: dict[str, Knowledge], tally: Tally) -> None:
    truths: dict[Key, tuple[Knowledge, dict[str, Any]]] = {
        key: (of_account, figures)
        for of_account in known.values()
        for key, figures in mart.truths(of_account).items()
    }
    met: set[Key] = set()
    for row in rows:
        key = tuple(row[column] for column in mart.key)
        met.add(key)
        if _is_beyond(row, known) or row.get("stage") == "unknown":
            continue
        if key not in truths and mart.zero is not None and row.get("account") in known:
            truths[key] = known[row["account"]], mart.zero
        if key not in truths:
            _note_row(mart, tally, known, key, "a row of which nothing is true")
            continue
        _check_row(mart, row, key, *truths[key], tally)
    for key, (of_account, figures) in truths.items():
        if key not in met:
            _note_lacking(mart, tally, of_account, key, figures)


def _is_beyond(row: Row, known: dict[str, Knowledge]) -> bool:
    """The funnel goes on to the last day of any account; beyond its own, nothing is said."""
    return "date_day" in row and row["date_day"] > known[row["account"]].last_day.date()


def _check_row(
    mart: Mart, row: Row, key: Key, known: Knowledge, figures: dict[str, Any], tally: Tally
) -> None:
    population = None if mart.population is None else row.get(mart.population)
    group = _group(known, mart, key)
    for figure, truth in figures.items():
        if figure not in row:
            tally.missing_figures.add((mart.name, figure))
            continue
        direction = mart.directions.get(figure)
        finding = compare(row, figure, truth, population=population, direction=direction)
        is_assumed = mart.is_as_assumed(group, figure, key)
        tally.note(mart.name, known.world, key, finding, is_assumed=is_assumed)


def _group(known: Knowledge, mart: Mart, key: Key) -> list[KnownLead]:
    """The leads that a row is about, as far as its key tells sources and owners apart."""
    values = dict(zip(mart.key, key, strict=True))
    return [
        lead
        for lead in known.leads
        if values.get("source", lead.source) == lead.source
        and values.get("owner_key", lead.owner_key) == lead.owner_key
    ]


def _note_row(mart: Mart, tally: Tally, known: dict[str, Knowledge], key: Key, reason: str) -> None:
    account = next(
        (name for name in known if any(str(part).startswith(name) for part in key)), None
    )
    if account is None:
        raise AssertionError(f"{mart.name} has a row of no account: {key}")
    finding = Finding.judged("row", None, is_right=False, reason=reason)
    tally.note(mart.name, known[account].world, key, finding)


def _note_lacking(
    mart: Mart, tally: Tally, known: Knowledge, key: Key, figures: dict[str, Any]
) -> None:
    """A row of a stage that nobody ever saw is not there, and says nothing."""
    is_unseen = mart.zero is not None and not _was_seen(known, str(key[-1]))
    finding = Finding.judged("row", figures, is_right=False, reason="a row is lacking")
    if is_unseen:
        finding = Finding.silent("row", figures)
    tally.note(mart.name, known.world, key, finding)


def _was_seen(known: Knowledge, stage: str) -> bool:
    """Whether a poll, or an audit log, ever showed a lead in the stage."""
    if known.world.kind == "expert_ai_labs":
        return any(visit.stage == stage for lead in known.leads for visit in lead.visits)
    return any(
        (change := lead.course.served_at(moment)) is not None and change.state.stage == stage
        for lead in known.leads
        for moment in known.world.poll_moments
    )
