"""The page of the figures, README.md, from the results' files; nothing in its tables is written by hand.

    results/*.jsonl ──▶ README.md, *.svg

Belongs here: tables, words between them, charts. Does not belong here: measuring.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import vl_convert

from benchmarks.charts import VEGA_LITE
from benchmarks.comparison import Run, Spread, failures, names_of, ratio, spread
from benchmarks.results import Head, Results, read
from benchmarks.scenario import Scenario, Target
from benchmarks.scenarios import SCENARIOS
from lead_pipeline.commands.console import say, show_table

HERE = Path(__file__).parent
NOT_MEASURED = "not measured"


def write(results: Path, page: Path = HERE / "README.md") -> None:
    """Write the page and its pictures beside it."""
    found = {scenario.name: read(results, scenario.name) for scenario in SCENARIOS}
    page.write_text(render(found), "utf-8")
    for scenario in SCENARIOS:
        measured = found[scenario.name]
        if measured is not None and scenario.chart is not None:
            picture = vl_convert.vegalite_to_svg(
                scenario.chart(measured.runs).to_json(), vl_version=VEGA_LITE
            )
            page.with_name(f"{scenario.name}.svg").write_text(str(picture), "utf-8")
    say(f"Written: {page}")


def render(found: dict[str, Results | None]) -> str:
    """The page's text."""
    template = HERE.joinpath("page.md").read_text("utf-8")
    measured = [(s, r) for s in SCENARIOS if (r := found.get(s.name)) is not None]
    parts = [
        template.format(
            scenarios="\n".join(_row(scenario) for scenario in SCENARIOS),
            targets=_targets([(s, found.get(s.name)) for s in SCENARIOS]),
            machines=_machines([results.head for _, results in measured]),
        ).rstrip(),
        *(_section(scenario, results) for scenario, results in measured),
    ]
    return "\n\n".join(parts) + "\n"


def show(scenario: Scenario, folder: Path) -> None:
    """Print what was measured last."""
    results = read(folder, scenario.name)
    if results is None:
        return
    for variant, runs in _variants(results.runs):
        title = f"{scenario.title}{': ' * bool(variant)}{variant}, median (least to most)"
        rows: list[list[object]] = [list(row) for row in _rows(scenario, runs)]
        show_table(title, _columns(scenario), rows)
    for target in scenario.targets:
        say(f"{target.what}: target {target.bound}, {_measured(target, results.runs)}")
    _say_failures(results.runs)


def _say_failures(runs: Sequence[Run]) -> None:
    for competitor, error in failures(runs).items():
        say(f"{competitor} has failed: {error}")


def _row(scenario: Scenario) -> str:
    part = "`make bench`" if scenario.by_default else "by its name"
    return f"| `{scenario.name}` | {scenario.title} | {scenario.minutes:g} min | {part} |"


def _targets(found: Iterable[tuple[Scenario, Results | None]]) -> str:
    rows = []
    for scenario, results in found:
        for target in scenario.targets:
            measured = NOT_MEASURED if results is None else _measured(target, results.runs)
            rows.append(f"| {scenario.title} | {target.what} | {target.bound} | {measured} |")
    return "\n".join(rows)


def _measured(target: Target, runs: Sequence[Run]) -> str:
    found = target.figure(runs)
    if found is None:
        return NOT_MEASURED
    return f"{_spread(found, target.unit)}{'' if target.is_met_by(found) else ', **missed**'}"


def _machines(heads: Sequence[Head]) -> str:
    if not heads:
        return "Nothing has been measured yet."
    rows = [
        f"| {head.scenario} | {head.machine.date} | {head.machine.commit} | {head.leads:,} | {head.rounds} "
        f"| {head.machine.load:g} |"
        for head in heads
    ]
    machine = heads[-1].machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return "\n".join(
        [
            f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GB, {machine.system}; {versions}.",
            "",
            "| scenario | measured | commit | leads | rounds | load before |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _section(scenario: Scenario, results: Results) -> str:
    parts = [f"## {scenario.title}", scenario.text]
    if scenario.chart is not None:
        parts.append(f"![{scenario.title}]({scenario.name}.svg)")
    for variant, runs in _variants(results.runs):
        if variant:
            parts.append(f"**{variant}**")
        columns = _columns(scenario)
        lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
        lines += [f"| {' | '.join(row)} |" for row in _rows(scenario, runs)]
        parts.append("\n".join(lines))
        parts += [f"{name} has failed: {error}" for name, error in failures(runs).items()]
    return "\n\n".join(parts)


def _variants(runs: Sequence[Run]) -> list[tuple[str, list[Run]]]:
    names = list(dict.fromkeys(run.variant for run in runs))
    return [(name, [run for run in runs if run.variant == name]) for name in names]


def _columns(scenario: Scenario) -> list[str]:
    ratios = [f"of {scenario.base}"] if scenario.base else []
    measured = [] if scenario.tells_all else ["seconds", "of processors", "peak MB"]
    return ["", *ratios, *measured, *scenario.told]


def _rows(scenario: Scenario, runs: Sequence[Run]) -> list[list[str]]:
    quantities = [] if scenario.tells_all else ["wall", "cpu", "peak_mb"]
    rows = []
    for competitor in names_of(runs):
        ratios = [_spread(ratio(runs, competitor, scenario.base))] if scenario.base else []
        figures = [
            _spread(spread(runs, competitor, what)) for what in (*quantities, *scenario.told)
        ]
        rows.append([competitor, *ratios, *figures])
    return rows


def _spread(found: Spread | None, unit: str = "") -> str:
    if found is None:
        return ""
    median, least, most = (_short(n) for n in (found.median, found.least, found.most))
    return f"{median}{unit}" if least == most else f"{median}{unit} ({least} to {most})"


def _short(number: float) -> str:
    """Three digits that count."""
    if number == 0 or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"
