"""From landed files to tables: many new leads, and all versions again."""

from __future__ import annotations

from pathlib import Path

from benchmarks.charts import bars
from benchmarks.comparison import Competitor
from benchmarks.landings import land_versions
from benchmarks.measured import measure
from benchmarks.scenario import (
    PYTHON,
    Bench,
    NotMeasured,
    Scenario,
    Target,
    median_of,
    ours,
    ratio_of,
    variables,
)
from benchmarks.wire import served

FLOOR = "DuckDB alone"
VERSIONS = 5


def _beside_duckdb(landed: Path, leads: int) -> list[Competitor]:
    """Loads of `landed`, a folder with a home in which nothing is loaded yet."""
    command, environment = ours("load")
    floor = [PYTHON, "-m", "benchmarks.programs.duckdb_floor", "{folder}/home/landing"]
    return [
        Competitor("ours", command, environment, leads, landed),
        Competitor(FLOOR, [*floor, "{folder}/tables.duckdb"], variables(), leads, landed),
    ]


def _load(bench: Bench) -> None:
    landed = bench.folder / "landed"
    with served(bench.leads) as origin:
        command, environment = ours("pull", origin=origin)
        taken = measure(command, {**environment, "LEAD_PIPELINE_HOME": str(landed / "home")})
    if taken.error:
        raise NotMeasured(f"Nothing to load: {taken.error}")
    bench.compare(_beside_duckdb(landed, bench.leads))


def _rebuild(bench: Bench) -> None:
    landed = bench.folder / "landed"
    land_versions(landed / "home" / "landing", range(bench.leads), range(VERSIONS))
    bench.compare(_beside_duckdb(landed, bench.leads))


LOAD = Scenario(
    "load",
    "Load of new leads",
    "What a first crawl has landed, into an empty warehouse: a process with its imports. DuckDB alone reads "
    "the same Parquet files and extracts the same fields into a table, and the newest state of each lead into "
    "another: no history, no normalized phones, no checks.",
    _load,
    base=FLOOR,
    targets=[
        Target("load of 200,000 new leads", median_of("ours"), at_most=4, unit=" s"),
        Target("its peak memory", median_of("ours", "peak_mb"), at_most=800, unit=" MB"),
    ],
    minutes=3,
    told=("load",),
    chart=lambda runs: bars(runs, "seconds, the whole process"),
)
REBUILD = Scenario(
    "rebuild",
    "Rebuild",
    f"{VERSIONS} versions of each lead, scattered over dated files in no order, into a new warehouse, beside "
    "DuckDB alone as above.",
    _rebuild,
    base=FLOOR,
    targets=[Target("rebuild, of DuckDB alone", ratio_of("ours", FLOOR), at_most=2)],
    minutes=6,
    told=("load",),
    chart=lambda runs: bars(runs, "seconds, the whole process"),
)
