"""Reading the whole list of an account, and reading it into tables, beside others that do."""

from __future__ import annotations

from pathlib import Path

from benchmarks.charts import bars
from benchmarks.comparison import Competitor
from benchmarks.machine import DLT_PYTHON
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

DLT_PROGRAM = Path(__file__).parents[1] / "programs" / "dlt_pipelines.py"
SCRIPT, HTTPX, SOCKET = "httpx loop", "httpx by hand", "raw socket"
DECLARATIVE, TUNED, ARROW = "dlt declarative", "dlt tuned", "dlt Arrow"


def _floor(kind: str, name: str, origin: str, rows: int) -> Competitor:
    command = [PYTHON, "-m", "benchmarks.programs.floors", kind, origin]
    return Competitor(name, command, variables(), rows)


def _ours(step: str, origin: str, rows: int) -> Competitor:
    command, environment = ours(step, origin=origin)
    return Competitor("ours", command, environment, rows)


def _dlt(way: str, name: str, origin: str, rows: int) -> Competitor:
    command = [str(DLT_PYTHON), str(DLT_PROGRAM), way, origin, "{folder}"]
    return Competitor(name, command, {}, rows)


def _pull(bench: Bench) -> None:
    with served(bench.leads) as origin:
        bench.compare(
            [
                _ours("pull", origin, bench.leads),
                _floor("script", SCRIPT, origin, bench.leads),
                _floor("httpx", HTTPX, origin, bench.leads),
                _floor("socket", SOCKET, origin, bench.leads),
            ]
        )


def _pull_and_load(bench: Bench) -> None:
    with served(bench.leads) as origin:
        bench.compare(
            [
                _ours("pull-and-load", origin, bench.leads),
                _dlt("arrow", ARROW, origin, bench.leads),
                _dlt("tuned", TUNED, origin, bench.leads),
                _dlt("declarative", DECLARATIVE, origin, bench.leads),
                _floor("script", SCRIPT, origin, bench.leads),
            ]
        )


PULL = Scenario(
    "pull",
    "Pull",
    "The whole list of one account of MEGA, from an empty home to landed files and their commit record. "
    "The others read the same pages and keep nothing: the loop with `params` and `.json()` that people write; one "
    "with httpx that writes each URL by hand and decodes no more than a page's envelope; a raw socket.",
    _pull,
    base=SCRIPT,
    targets=[
        Target("pull, of the httpx loop", ratio_of("ours", SCRIPT), at_most=1.5),
        Target("requests beyond pages", median_of("ours", "requests beyond pages"), at_most=2),
    ],
    minutes=2,
)
PULL_AND_LOAD = Scenario(
    "pull-and-load",
    "Pull and load",
    "The same list into tables of DuckDB. Ours lands it and loads `normalized.*` from there, in one process. "
    "dlt declarative is `rest_api_source` as its documentation shows it, merged by primary key; dlt tuned the "
    "same with Parquet files, upsert, no tables of nested values, large buffers and a worker a core; dlt Arrow "
    "a resource written by hand with httpx and orjson that yields Arrow tables, upserted. dlt keeps the latest "
    "state of each lead; we keep each answer's bytes, every version, stage history and checks.",
    _pull_and_load,
    base="ours",
    targets=[
        Target("dlt tuned, of ours", ratio_of(TUNED, "ours"), at_least=5),
        Target("dlt Arrow, of ours", ratio_of(ARROW, "ours"), at_least=2),
        Target("our peak memory, of dlt Arrow's", ratio_of("ours", ARROW, "peak_mb"), at_most=1),
    ],
    minutes=12,
    told=("pull", "load"),
    chart=lambda runs: bars(runs, "seconds, the whole process"),
)
