"""What people wait for before anything begins."""

from __future__ import annotations

from pathlib import Path

from benchmarks.comparison import Competitor
from benchmarks.measured import measure
from benchmarks.scenario import (
    PYTHON,
    Bench,
    Scenario,
    Target,
    median_of,
    ours,
    ratio_of,
    variables,
)
from benchmarks.wire import served

COMMAND = str(Path(PYTHON).with_name("lead-pipeline"))
DAGSTER = "import dagster, dagster_dbt"
DEFINITIONS = "import lead_pipeline.definitions"
LEADS = 200


def _start(bench: Bench) -> None:
    home = bench.folder / "landed"
    home.mkdir()
    with served(LEADS) as origin:
        command, environment = ours("pull-and-load", origin=origin)
        environment = {**environment, "LEAD_PIPELINE_HOME": str(home / "home")}
        measure(command, environment)
    competitors = [
        Competitor("lead-pipeline --help", [COMMAND, "--help"], variables()),
        Competitor(
            "lead-pipeline status",
            [COMMAND, "status"],
            variables("http://127.0.0.1:9"),
            copy_of=home,
        ),
        Competitor(DEFINITIONS, [PYTHON, "-c", DEFINITIONS], variables()),
        Competitor(DAGSTER, [PYTHON, "-c", DAGSTER], variables()),
    ]
    for competitor in competitors[:1] + competitors[2:]:
        # What is imported for the first time is compiled.
        measure(competitor.command, {**competitor.environment, "LEAD_PIPELINE_HOME": str(home)})
    bench.compare(competitors)


START = Scenario(
    "start",
    "Start",
    f"Commands that read no data or little ({LEADS} leads), and what Dagster imports to know the assets, beside "
    "Dagster itself. Modules have been compiled before.",
    _start,
    base=DAGSTER,
    targets=[
        Target("`lead-pipeline --help`", median_of("lead-pipeline --help"), at_most=0.3, unit=" s"),
        Target("definitions, of Dagster's import", ratio_of(DEFINITIONS, DAGSTER), at_most=1.3),
    ],
    leads=LEADS,
    quick_leads=LEADS,
    minutes=1,
)
