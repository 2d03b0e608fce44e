"""docs/truth.md and its pictures, from what the matrix of worlds has found.

Here: the page's words, tables and charts. Not here: what is true (`lead_pipeline_tests.truth`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from benchmarks.charts import SERIES, VEGA_LITE
from lead_pipeline.providers import PROVIDERS
from lead_pipeline_tests.truth.polling import PATTERNS
from lead_pipeline_tests.truth.tally import Example, Figures, Tally

DOCS = Path(__file__).parents[1] / "docs"
PATTERN_NAMES = {
    "backfill": "one backfill",
    "nightly": "nightly",
    "hourly": "hourly",
    "missed_and_late": "missed nights, late arrivals",
}
CHECKS = {
    "lead_daily_history": (
        "Days that are not certain say nothing, and are left out. So are score and owner, which are "
        "of the last record seen with an update time of by then."
    ),
    "lead_stage_history": "`entered` lies between `entered_after` and `entered_at`.",
    "unobserved_changes": (
        "Each true change lies in an interval's bounds, or in a stretch that is said to be unseen."
    ),
    "lead_changes": "What truly changed fits each row; all that two polls in a row showed differently has one.",
    "meta": "`watched_from` is the first poll, `poll_seconds` the usual time to the next.",
    "stage_funnel_daily": "Beside the figures: that the stages of a day add up to all leads.",
    "sla_breaches": "What is certainly over its limit truly is.",
}
POLLED = ("mega", "vorel")
"""Kinds without an audit log: the others' bounds have no width."""
SHOWN = {
    "stage_velocity": ("p50_days", "p90_days", "p50_ended_days", "p50_open_days"),
    "speed_to_lead": ("p50_minutes", "p90_minutes", "leads_responded", "within_24_hours_rate"),
    "owner_performance": ("p50_response_minutes", "reached_qualified", "leads_won"),
    "source_performance": ("p50_days_to_win", "won_rate", "leads_open"),
    "funnel_by_cohort": ("reached_qualified", "engaged_rate", "qualified_to_booked_rate"),
    "stage_funnel_daily": ("leads_in_stage", "leads_entered", "leads_exited"),
    "lead_stage_history": ("entered", "seconds_in_stage"),
    "lead_facts": ("stage_entered", "reached_engaged_at", "outcome_at", "watched_from", "stage"),
    "stage_visits": ("seconds_in_stage", "owner_key"),
    "lead_changes": ("stage_changed_at", "owner_changed_at", "score_changed_at"),
    "lead_daily_history": ("stage", "days_in_stage"),
    "stale_leads": ("days_quiet",),
    "sla_breaches": ("is_certain",),
    "people": ("newest_stage",),
    "meta": ("poll_seconds",),
}
"""Of which figures examples are shown, mart by mart; all of them are compared."""


def write(tally: Tally, worlds: int) -> None:
    """Write the page and its pictures."""
    for name, chart in (("truth_widths", _widths(tally)), ("truth_told", _told(tally))):
        picture = vl_convert.vegalite_to_svg(chart.to_json(), vl_version=VEGA_LITE)
        DOCS.joinpath(f"{name}.svg").write_text(str(picture), "utf-8")
    DOCS.joinpath("truth.md").write_text(render(tally, worlds), "utf-8")


def render(tally: Tally, worlds: int) -> str:
    """The page's text."""
    figures = sum(figures.rows for figures in tally.places.values())
    said = _all(tally)
    template = Path(__file__).with_name("truth_page.md").read_text("utf-8")
    head = template.format(
        worlds=worlds,
        accounts=f"{worlds * len(PATTERNS):,}",
        figures=f"{figures:,}",
        contradictions=f"{said.verdicts['contradiction']:,}",
        unassumed=f"{said.verdicts['unassumed'] + said.verdicts['unassumed, outside']:,}",
        outside=f"{said.verdicts['unassumed, outside']:,}",
        outside_share=percent(_outside_share(said)),
    )
    marts = dict.fromkeys([*SHOWN, *(place.mart for place in tally.places)])
    return head + "\n".join(_chapter(tally, mart) for mart in marts)


def _all(tally: Tally) -> Figures:
    found = Figures()
    for figures in tally.places.values():
        found.add(figures)
    return found


def _outside_share(said: Figures) -> float | None:
    outside = said.verdicts["unassumed, outside"]
    both = outside + said.verdicts["unassumed"]
    return outside / both if both else None


def _chapter(tally: Tally, mart: str) -> str:
    # A `row` is noted where it is lacking, or one too many.
    names = list(
        dict.fromkeys(p.figure for p in tally.places if p.mart == mart and p.figure != "row")
    )
    found = {name: tally.by_pattern(mart, name) for name in names}
    polled = {name: tally.by_pattern(mart, name, POLLED) for name in names}
    bounded = [name for name in names if any(f.widths for f in found[name].values())]
    exact = [name for name in names if name not in bounded]
    lines = [f"### `{mart}`", ""]
    if mart in CHECKS:
        lines += [CHECKS[mart], ""]
    if examples := _examples(tally, mart):
        lines += [*examples, ""]
    if bounded:
        lines += [*_widths_table(polled, bounded), ""]
    if exact:
        lines += [_exact_line(found, exact), ""]
    return "\n".join(lines)


def _examples(tally: Tally, mart: str) -> list[str]:
    rows = [
        "| for example | polls | row | truth | figure | bounds |",
        "|---|---|---|---|---|---|",
    ]
    for figure in SHOWN.get(mart, ()):
        for pattern in PATTERNS:
            example = _typical(tally, mart, figure, pattern)
            if example is not None:
                rows.append(_example_row(figure, pattern, example))
    return rows if len(rows) > 2 else []


def _typical(tally: Tally, mart: str, figure: str, pattern: str) -> Example | None:
    """One with bounds of the usual width, of a provider without an audit log if there is one."""
    found = [
        example
        for place, examples in tally.examples.items()
        if (place.mart, place.figure, place.pattern) == (mart, figure, pattern)
        for example in examples
        if example.finding.verdict == "contained" and _is_telling(example.finding.truth)
    ]
    polled = [example for example in found if example.place.kind != "expert_ai_labs"]
    unequal = [example for example in polled if example.finding.width]
    chosen = sorted(unequal or polled or found, key=lambda e: (e.finding.width or 0, str(e.key)))
    return chosen[len(chosen) // 2] if chosen else None


def _is_telling(truth: Any) -> bool:
    if isinstance(truth, float | int) and not isinstance(truth, bool):
        return math.isfinite(truth) and truth > 0
    return truth is not None and truth is not False


def _example_row(figure: str, pattern: str, example: Example) -> str:
    finding = example.finding
    bounds = ""
    if finding.is_bounded:
        bounds = f"{short(finding.lower)} … {short(finding.upper)}"
    parts = " ".join(_part(part, example.account) for part in example.key)
    where = f"{PROVIDERS[example.place.kind].title}, {parts}"
    told = short(finding.estimate)
    return (
        f"| `{figure}` | {PATTERN_NAMES[pattern]} | {where} | {short(finding.truth)} | "
        f"{told or 'null'} | {bounds} |"
    )


def _part(part: object, account: str) -> str:
    """A part of a key, without the account where that is said already, and without most of a uuid."""
    text = str(part)
    if text == account:
        return account.partition("-")[0]
    text = text.removeprefix(account).lstrip("-:")
    return f"…{text[-4:]}" if _UUID.fullmatch(text) else text


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _widths_table(found: dict[str, dict[str, Figures]], names: Sequence[str]) -> list[str]:
    rows = [
        "| with bounds | polls | rows | told | true | width | of the truth |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in names:
        for pattern in PATTERNS:
            figures = found[name].get(pattern)
            if figures is not None and figures.rows:
                rows.append(_widths_row(name, pattern, figures))
    return rows


def _widths_row(name: str, pattern: str, figures: Figures) -> str:
    judged = figures.rows - figures.verdicts["unassumed"] - figures.verdicts["unassumed, outside"]
    told = figures.headlines / judged if judged else None
    return (
        f"| `{name}` | {PATTERN_NAMES[pattern]} | {figures.rows:,} | {percent(told)} | "
        f"{percent(figures.coverage)} | {short(figures.width)} | "
        f"{percent(figures.relative_width)} |"
    )


def _exact_line(found: dict[str, dict[str, Figures]], names: Sequence[str]) -> str:
    """Figures without bounds, or with bounds of one side only: all true, or how many are."""
    perfect, flawed = [], []
    for name in names:
        whole = Figures()
        for figures in found[name].values():
            whole.add(figures)
        if whole.verdicts["contradiction"]:
            flawed.append(f"`{name}` ({percent(whole.coverage)})")
        else:
            perfect.append(f"`{name}`")
    sentences = []
    if perfect:
        sentences.append(f"True wherever they are told: {', '.join(perfect)}.")
    if flawed:
        sentences.append(f"Not always true: {', '.join(flawed)}.")
    return " ".join(sentences)


def _lengths(tally: Tally) -> Iterator[tuple[str, str, Figures]]:
    for mart, figures in SHOWN.items():
        for figure in figures:
            for pattern, found in tally.by_pattern(mart, figure, POLLED).items():
                if found.widths:
                    yield f"{mart}.{figure}", PATTERN_NAMES[pattern], found


def _widths(tally: Tally) -> alt.Chart:
    """The usual width of bounds as a share of the truth, by figure and pattern."""
    rows = [
        {"figure": name, "polls": pattern, "share": found.relative_width}
        for name, pattern, found in _lengths(tally)
        if found.relative_width is not None and math.isfinite(found.relative_width)
    ]
    return _bars(rows, "median width of the bounds, as a share of the truth")


def _told(tally: Tally) -> alt.Chart:
    """In which share of rows the figure itself is told, and not only its bounds."""
    rows = [
        {"figure": name, "polls": pattern, "share": found.headlines / found.rows}
        for name, pattern, found in _lengths(tally)
    ]
    return _bars(rows, "share of rows in which the figure is told")


def _bars(rows: Sequence[dict[str, object]], title: str) -> alt.Chart:
    names = list(PATTERN_NAMES.values())
    chart: alt.Chart = (
        alt.Chart(pd.DataFrame(rows, columns=["figure", "polls", "share"]))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title=title, axis=alt.Axis(format="%")),
            y=alt.Y("figure:N", title=None, sort=None),
            yOffset=alt.YOffset("polls:N", sort=names),
            color=alt.Color(
                "polls:N",
                scale=alt.Scale(domain=names, range=list(SERIES[: len(names)])),
                legend=alt.Legend(orient="top", title=None),
            ),
        )
        .properties(width=520, height=alt.Step(9))
        .configure(background="white", font="Arial, Helvetica, sans-serif")
        .configure_axis(labelLimit=280)
    )
    return chart


def short(value: object) -> str:
    """A value in few characters; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%m-%d %H:%M}"
    if isinstance(value, float):
        if math.isinf(value):
            return "no end"
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def percent(share: float | None) -> str:
    """A share with one digit after the point; 100 % only where it is all."""
    if share is None:
        return ""
    if math.isinf(share):
        return "no end"
    if share < 1 and round(1000 * share) == 1000:
        return "under 100 %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")
