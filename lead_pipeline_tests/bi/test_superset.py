"""Superset shows the published file by the recipe of docs/bi.md, while it is being replaced."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from lead_pipeline_tests.bi.publications import (
    LEADS,
    PUBLICATIONS,
    KnownBuild,
    known_builds,
    publish_each,
)
from lead_pipeline_tests.bi.readers import SUPERSET, skip_where_missing
from lead_pipeline_tests.bi.superset import Superset, running_superset
from lead_pipeline_tests.sample_builds import Bi

pytestmark = pytest.mark.timeout(600)
"""Its own tables take it a while, more so where other tests run beside it."""
ELSEWHERE = {"TZ": "America/New_York"}
"""The zone of the server is not that of the file."""
A_DAY = 24 * 3600
BY_STAGE = {"columns": ["stage"], "orderby": [["stage", True]]}


@dataclass(frozen=True)
class Shown:
    """A published file, and a Superset that is connected to it."""

    bi: Bi
    builds: list[KnownBuild]
    superset: Superset
    database: int
    leads: int
    """The dataset of `normalized.leads`."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    skip_where_missing(SUPERSET)
    home = tmp_path_factory.mktemp("superset")
    bi = Bi(home / "home")
    builds = known_builds(home, PUBLICATIONS + 1)
    builds[0].publish(bi)
    with running_superset(home, ELSEWHERE) as superset:
        database = superset.add_database("leads", bi.published)
        leads = superset.add_dataset(database, "leads.normalized", "leads")
        yield Shown(bi, builds, superset, database, leads)


def rows_of(build: KnownBuild) -> list[dict[str, object]]:
    """What a chart of leads by stage shows of a build."""
    return [{"stage": stage, "leads": leads} for stage, leads in build.leads_by_stage.items()]


def test_schemas_are_offered_with_the_name_of_the_file_before_them(shown: Shown) -> None:
    offered = shown.superset.names_of(shown.database, "schemas")
    assert {"leads.normalized", "leads.marts", "leads.meta"} <= set(offered)


@pytest.mark.parametrize(
    "table",
    [
        "marts.lead_facts",
        "marts.stage_visits",
        "marts.lead_changes",
        "meta.publish",
    ],
)
def test_tables_that_recipes_name_become_datasets_beside_each_other(
    shown: Shown, table: str
) -> None:
    """Where its own tables are in SQLite, Superset refuses a second dataset of the same name."""
    schema, name = table.split(".")
    assert name in shown.superset.names_of(shown.database, "tables", schema_name=f"leads.{schema}")
    dataset = shown.superset.add_dataset(shown.database, f"leads.{schema}", name)
    assert shown.superset.columns_of(dataset)


def test_every_column_of_a_dataset_has_the_type_of_the_file(shown: Shown) -> None:
    types = shown.superset.columns_of(shown.leads)
    of_file = {
        name: types[name]
        for name in ("lead_key", "is_qualified", "score", "interaction_count", "custom_fields")
    }
    assert of_file == {
        "lead_key": "VARCHAR",
        "is_qualified": "BOOLEAN",
        "score": "FLOAT",
        "interaction_count": "BIGINT",
        # DuckDB keeps JSON as text.
        "custom_fields": "VARCHAR",
    }


def test_values_arrive_in_sql_lab_whatever_the_zone_of_the_server(shown: Shown) -> None:
    [row] = shown.superset.run_sql(
        shown.database,
        "select created_at, created_at::date as created_day, custom_fields, is_qualified,"
        " current_setting('TimeZone') as zone, count(*) as leads"
        " from leads.normalized.leads group by all",
    )
    assert row == {
        "created_at": "2026-01-01T12:00:00+00:00",
        "created_day": "2026-01-01",
        "custom_fields": '{"a": 1}',
        "is_qualified": None,
        "zone": "UTC",
        "leads": LEADS,
    }


def test_two_charts_show_the_figures_of_one_build_each_and_then_of_the_last(
    shown: Shown,
) -> None:
    superset = shown.superset
    by_stage = superset.add_chart(shown.leads, "Leads by stage", **BY_STAGE)
    won_by_day = superset.add_chart(
        shown.leads,
        "Won leads by day",
        columns=["created_at"],
        filters=[{"col": "stage", "op": "==", "val": "won"}],
    )
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() * 1000
    published: dict[int, list[list[dict[str, object]]]] = {
        by_stage: [rows_of(build) for build in shown.builds],
        won_by_day: [
            [{"created_at": noon, "leads": build.leads_by_stage["won"]}] for build in shown.builds
        ],
    }
    over = Event()
    with ThreadPoolExecutor() as browsers:
        # A dashboard asks for all of its charts at once.
        asking = {chart: browsers.submit(see_until, over, superset, chart) for chart in published}
        try:
            publish_each(shown.bi, shown.builds[1:])
        finally:
            over.set()
    for chart, expected in published.items():
        seen = asking[chart].result()
        numbers = [expected.index(rows) for rows in seen]
        assert numbers == sorted(numbers), "an earlier build was seen again"
        assert superset.rows_of(chart) == expected[-1]


def see_until(over: Event, superset: Superset, chart: int) -> list[list[dict[str, object]]]:
    """What a chart has shown, asked for again and again."""
    seen = []
    while not over.wait(0.2):
        seen.append(superset.rows_of(chart))
    return seen


def test_chart_that_is_kept_in_the_cache_shows_the_next_build_when_it_is_refreshed(
    tmp_path: Path, shown: Shown
) -> None:
    superset, bi = shown.superset, Bi(tmp_path)
    first, second = shown.builds[:2]
    first.publish(bi)
    database = superset.add_database("leads to keep", bi.published)
    dataset = superset.add_dataset(database, "leads.normalized", "lead_stage_history")
    superset.keep_in_cache(dataset, A_DAY)
    chart = superset.add_chart(dataset, "Leads by build", columns=["provider_stage_name"])
    of_first = [{"provider_stage_name": first.run_id, "leads": LEADS}]
    assert superset.rows_of(chart) == of_first
    second.publish(bi)
    assert superset.rows_of(chart) == of_first
    assert superset.rows_of(chart, refresh=True) == [
        {"provider_stage_name": second.run_id, "leads": LEADS}
    ]
