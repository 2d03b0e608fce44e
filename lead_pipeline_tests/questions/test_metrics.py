"""MetricFlow, asked for each metric of a published file, answers as pandas does on the known leads."""

from __future__ import annotations

import csv
import math
import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from lead_pipeline.bi.dbt_project import PROJECT_DIR, load_manifest
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.questions.frames import STALE_AFTER, Frames
from lead_pipeline_tests.questions.team import BEGIN, LAST_POLL
from lead_pipeline_tests.truth.reading import rows_of

PROGRAMS = Path(__file__).parents[2] / ".venv-metricflow" / "bin"
DAY = pd.Timedelta(days=1)
STAGES = ("engaged", "qualified", "booked", "won")
FIRSTS = {"responses": "engaged", "qualified_leads": "qualified", "booked_leads": "booked"}
Told = Mapping[tuple[str, str], float | None]
"""By metric, and month or account."""

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (PROGRAMS / "mf").exists(), reason="MetricFlow is installed by make test"
    ),
]


@pytest.fixture(scope="module")
def project(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our project, parsed by the dbt beside MetricFlow, with a copy of the published file."""
    folder = tmp_path_factory.mktemp("metricflow")
    shutil.copyfile(published, folder / "leads.duckdb")
    # What is published nobody may write, and dbt opens files for writing.
    (folder / "leads.duckdb").chmod(0o600)
    built = shutil.ignore_patterns("target", "logs")
    shutil.copytree(PROJECT_DIR, folder / "project", ignore=built)
    output = {"type": "duckdb", "path": str(folder / "leads.duckdb"), "schema": "marts"}
    profile = {"target": "copy", "outputs": {"copy": {**output, "settings": {"TimeZone": "UTC"}}}}
    (folder / "project" / "profiles.yml").write_text(yaml.safe_dump({"lead_pipeline": profile}))
    run(folder / "project", "dbt", "parse")
    return folder / "project"


def run(project: Path, program: str, *arguments: str) -> None:
    ran = subprocess.run(  # noqa: S603 - our own programs
        [str(PROGRAMS / program), *arguments],
        cwd=project,
        env={**os.environ, "DBT_PROFILES_DIR": str(project), "HOME": str(project.parent)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def ask(project: Path, metrics: list[str], group_by: str) -> Told:
    """What MetricFlow answers; null of nothing."""
    path = project / f"{group_by}.csv"
    run(project, "mf", "query", "--metrics", ",".join(metrics), "--group-by", group_by,
        "--csv", str(path), "--decimals", "9")  # fmt: skip
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    return {
        (metric, row[group_by][:7] if "month" in group_by else row[group_by]): number(row[metric])
        for row in rows
        for metric in metrics
    }


def number(text: str) -> float | None:
    return float(text) if text and not math.isnan(float(text)) else None


@pytest.fixture(scope="module")
def metrics() -> list[str]:
    return sorted(metric["name"] for metric in load_manifest()["metrics"].values())


@pytest.fixture(scope="module")
def by_month(project: Path, metrics: list[str]) -> Told:
    return ask(project, metrics, "metric_time__month")


def months(moments: pd.Series) -> pd.Series:
    found: pd.Series = moments.dt.strftime("%Y-%m")
    return found


def expected(frames: Frames) -> dict[str, Any]:
    """Of each metric, by month."""
    leads, visits = frames.leads, frames.visits
    watched = leads[leads["is_watched"]]
    created, cohort = months(leads["created_at"]), months(watched["created_at"])
    opened = leads[leads["is_open"]]
    of_open = months(opened["created_at"])
    is_stale = LAST_POLL - opened["last_change_at"] >= STALE_AFTER
    found: dict[str, Any] = {
        "new_leads": created.groupby(created).size(),
        "open_leads": of_open.groupby(of_open).size(),
        "stale_open_leads": is_stale.groupby(of_open).sum(),
        "pipeline_value": opened["value"].groupby(of_open).sum(min_count=1),
        "watched_leads": cohort.groupby(cohort).size(),
    }
    reached: dict[str, Any] = {"new": found["watched_leads"]}
    for stage in STAGES:
        reached[stage] = watched[f"reached_{stage}_at"].notna().groupby(cohort).sum()
        found[f"{stage}_leads_of_cohort"] = reached[stage]
    for earlier, later in zip(reached, STAGES, strict=False):
        found[f"{earlier}_to_{later}_rate"] = reached[later] / reached[earlier]
    for metric, stage in FIRSTS.items():
        # Of the day of the first poll nothing is told, but by a log.
        moments = leads[f"reached_{stage}_at"]
        is_told = (moments >= BEGIN + DAY) | leads["account"].str.endswith("clinic")
        of_month = months(moments[is_told])
        found[metric] = of_month.groupby(of_month).size()
    return found | _of_visits(visits)


def _of_visits(visits: pd.DataFrame) -> dict[str, Any]:
    is_told = (visits["began_at"] >= BEGIN + DAY) | visits["account"].str.endswith("clinic")
    told = visits[is_told]
    month = months(told["began_at"])
    won: Any = (told["stage"] == "won").groupby(month).sum()
    lost: Any = (told["stage"] == "lost").groupby(month).sum()
    is_again = told["previous_stage"].isin(["won", "lost"])
    return {
        "won_leads": won,
        "lost_leads": lost,
        "decided_leads": won + lost,
        "win_rate": won / (won + lost).where(won + lost > 0),
        "reopened_leads": (is_again & ~told["stage"].isin(["won", "lost"])).groupby(month).sum(),
    }


def test_counts_and_rates_of_each_month_are_those_of_pandas(by_month: Told, frames: Frames) -> None:
    for metric, values in expected(frames).items():
        told = {month: value for (name, month), value in by_month.items() if name == metric}
        for month, value in told.items():
            truth = values.get(month, math.nan)
            is_nothing = value in (None, 0) and (pd.isna(truth) or truth == 0)
            assert is_nothing or value == pytest.approx(float(truth)), (metric, month)
        assert {month for month, value in values.items() if value > 0} <= told.keys(), metric


def test_times_to_respond_lie_between_the_medians_of_their_bounds(
    by_month: Told, frames: Frames
) -> None:
    leads = frames.leads[frames.leads["is_watched"]]
    # A log tells of leads from before the first poll, too.
    assert set(months(leads["created_at"])) > {"2026-01", "2026-02", "2026-03"}
    waited = (leads["reached_engaged_at"] - leads["created_at"]).dt.total_seconds()
    medians = waited.groupby(months(leads["created_at"])).median().dropna()
    for month, seconds in medians.items():
        lower = by_month["response_seconds_lower", str(month)]
        upper = by_month["response_seconds_upper", str(month)]
        assert lower is not None
        assert upper is not None
        assert lower - 1 <= seconds <= upper + 1, month


def test_times_in_stages_are_those_of_the_stays_that_are_over(
    by_month: Told, published: Path
) -> None:
    """Not of the known changes: stays that nobody saw are none."""
    with closing(connect_utc(published, read_only=True)) as connection:
        visits = pd.DataFrame(rows_of(connection, "marts.stage_visits"))
    visits["entered_day"] = pd.to_datetime(visits["entered_day"])
    ended = visits[visits["is_counted"] & ~visits["is_censored"]]
    groups = ended.groupby(months(ended["entered_day"]))
    told = {month for name, month in by_month if name == "ended_visits" and by_month[name, month]}
    assert told == set(groups.groups)
    for month, visits_of_month in groups:
        assert by_month["ended_visits", str(month)] == len(visits_of_month)
        for bound in ("lower", "upper"):
            median = visits_of_month[f"seconds_in_stage_{bound}"].median()
            assert by_month[f"velocity_seconds_{bound}", str(month)] == pytest.approx(median)


def test_every_metric_was_asked_for_and_says_what_it_leaves_out(
    metrics: list[str], frames: Frames
) -> None:
    lengths = {"response_seconds", "velocity_seconds"}
    of_lengths = {f"{length}_{bound}" for length in lengths for bound in ("lower", "upper")}
    assert set(metrics) == {*expected(frames), *of_lengths, "ended_visits"}
    for metric in load_manifest()["metrics"].values():
        assert metric["description"], metric["name"]


def test_metrics_can_be_asked_for_by_account(project: Path, frames: Frames) -> None:
    told = ask(project, ["open_leads", "pipeline_value"], "lead__account")
    opened = frames.leads[frames.leads["is_open"]].groupby("account")
    for account, leads in opened:
        assert told["open_leads", str(account)] == len(leads)
        worth = leads["value"].sum(min_count=1)
        assert told["pipeline_value", str(account)] == (None if pd.isna(worth) else worth)
