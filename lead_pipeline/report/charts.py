"""Charts of the report, as SVG pictures without scripts, fonts or links.

figures ──drawn once, in stand-in colours──▶ SVG ──each stand-in replaced──▶ light, dark
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES

USUAL_ORDER = list(CANONICAL_STAGES)
OWN_ORDER = alt.EncodingSortField(field="place", op="min")
"""Stages in the order that the mapping gives them in an account."""
WIDTH = 520
"""Pixels; pages scale the pictures down to narrow windows."""
OTHERS = "all others"
"""What the figures call the sources without a colour of their own."""
VEGA_LITE = "6.1"


@dataclass(frozen=True)
class Svg:
    """A chart for both colour schemes."""

    light: str
    dark: str


@dataclass(frozen=True)
class Theme:
    """Colours of one scheme. `series` are told apart by people with any colour vision."""

    ink: str
    quiet: str
    line: str
    series: tuple[str, ...]

    @property
    def colours(self) -> tuple[str, ...]:
        """All of them, in the order of their roles."""
        return (self.ink, self.quiet, self.line, *self.series)


# Okabe and Ito's colours; the dark page has lighter ones of the same hues.
LIGHT = Theme(
    "#1f2933",
    "#616e7c",
    "#d9dee4",
    ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8f98"),
)
DARK = Theme(
    "#e4e7eb",
    "#9aa5b1",
    "#3e4c59",
    ("#4aa8e0", "#f2b84b", "#3cc79c", "#e3a3c7", "#8fd0f5", "#f0834d", "#a7adb5"),
)
STAND_IN = Theme(
    "#010101",
    "#010102",
    "#010103",
    ("#010201", "#010202", "#010203", "#010204", "#010205", "#010206", "#010207"),
)
"""What charts are drawn in: no colour of a scheme or a stage, nor one that Vega-Lite would choose."""
_OF_STAGE = "#0103{:02x}"
_STAND_IN = re.compile("#010[123][0-9a-f]{2}")


def funnel(figures: pd.DataFrame) -> Svg:
    """Leads that reached each stage, a bar per provider."""
    chart = (
        alt.Chart(figures)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("leads:Q", title="leads that reached the stage", axis=_counts()),
            y=alt.Y("stage:N", sort=USUAL_ORDER, title=None),
            yOffset=alt.YOffset("provider:N"),
            color=_colours("provider:N"),
        )
        .properties(width=WIDTH, height=230)
    )
    return _svg(chart)


def leads_per_day(figures: pd.DataFrame) -> Svg:
    """New leads of each day, stacked by source, the largest source at the bottom."""
    sizes = figures.groupby("source")["leads"].sum().sort_values(ascending=False)
    names = [name for name in sizes.index if name != OTHERS]
    colours = dict(zip(names, STAND_IN.series, strict=False)) | {OTHERS: STAND_IN.quiet}
    ranked = figures.assign(rank=figures["source"].map([*names, OTHERS].index))
    chart = (
        alt.Chart(ranked)
        .mark_bar()
        .encode(
            x=alt.X("date_day:T", title="day of creation (UTC)", axis=alt.Axis(format="%b %d")),
            y=alt.Y("leads:Q", title="new leads", axis=_counts()),
            color=alt.Color(
                "source:N",
                scale=alt.Scale(
                    domain=[name for name in colours if name in sizes.index],
                    range=[colour for name, colour in colours.items() if name in sizes.index],
                ),
                legend=_legend(None),
            ),
            order=alt.Order("rank:Q"),
        )
        .properties(width=WIDTH, height=230)
    )
    return _svg(chart)


def velocity(figures: pd.DataFrame) -> Svg:
    """Median days per stage with its bounds, and the length that nine of ten do not exceed."""
    # Of stages that nobody watched, there is nothing to draw.
    told = figures.dropna(subset=["p50_days_lower"])
    pairs = list(zip(told["colour"], told["dark_colour"], strict=True))
    stand_ins = {pair: _OF_STAGE.format(number) for number, pair in enumerate(dict.fromkeys(pairs))}
    drawn = told.assign(colour=[stand_ins[pair] for pair in pairs])
    base = alt.Chart(drawn).encode(y=alt.Y("stage:N", sort=OWN_ORDER, title=None))
    days = "days in the stage"
    colour = alt.Color("colour:N", scale=None)
    bounds = (
        base.transform_filter("isValid(datum.p50_days_upper)")
        .mark_bar(height=8, opacity=0.35)
        .encode(x=alt.X("p50_days_lower:Q", title=days), x2="p50_days_upper:Q", color=colour)
    )
    median = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("p50_days:Q", title=days), color=colour
    )
    ninetieth = base.mark_tick(thickness=3, size=14, color=STAND_IN.ink).encode(
        x=alt.X("p90_days:Q", title=days)
    )
    return _svg(
        _by_account(alt.layer(bounds, median, ninetieth)),
        {mark: pair for pair, mark in stand_ins.items()},
    )


def stale(figures: pd.DataFrame) -> Svg:
    """Stale leads by account and stage, coloured by who calls them stale."""
    chart = (
        alt.Chart(figures)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("sum(leads):Q", title="stale leads", axis=_counts()),
            y=alt.Y("stage:N", sort=OWN_ORDER, title=None),
            color=_colours("seen_by:N", title="stale for"),
        )
    )
    return _svg(_by_account(chart))


def coverage(figures: pd.DataFrame) -> Svg:
    """The stretch of time of which the last update of each account's every lead is in the file."""
    shown = figures.dropna(subset=["complete_through"])
    begins = shown["complete_from"].fillna(shown["first_created_at"])
    chart = (
        alt.Chart(shown.assign(begins=begins.fillna(shown["complete_through"])))
        .mark_bar(height=14, color=STAND_IN.series[2], cornerRadius=2)
        .encode(
            x=alt.X("begins:T", title="the last update of every lead is in the file (UTC)"),
            x2="complete_through:T",
            y=alt.Y("account:N", title=None),
        )
        .properties(width=WIDTH, height=alt.Step(26))
    )
    return _svg(chart)


def _by_account(chart: Any) -> Any:
    """The chart once per account, one below the other, each with its own stages."""
    heading = alt.Header(orient="top", labelAnchor="start")
    return (
        chart.properties(width=WIDTH, height=alt.Step(20))
        .facet(row=alt.Row("account:N", title=None, header=heading), spacing=18)
        .resolve_scale(y="independent")
    )


def _counts() -> alt.Axis:
    """Whole numbers only."""
    return alt.Axis(format=",d", tickMinStep=1)


def _colours(field: str, title: str | None = None) -> alt.Color:
    return alt.Color(
        field,
        scale=alt.Scale(range=list(STAND_IN.series)),
        legend=_legend(title),
    )


def _legend(title: str | None) -> alt.Legend:
    return alt.Legend(orient="top", title=title, columns=4, columnPadding=26)


def _svg(chart: Any, stages: Mapping[str, tuple[str, str]] | None = None) -> Svg:
    """The chart in both schemes. `stages`: of each stand-in for a stage, its two colours."""
    drawn, own = _drawn(chart), stages or {}
    return Svg(
        _coloured(drawn, LIGHT, {mark: light for mark, (light, _) in own.items()}),
        _coloured(drawn, DARK, {mark: dark for mark, (_, dark) in own.items()}),
    )


def _coloured(svg: str, theme: Theme, stages: Mapping[str, str]) -> str:
    colours = {**dict(zip(STAND_IN.colours, theme.colours, strict=True)), **stages}
    return _STAND_IN.sub(lambda found: colours[found[0]], svg)


def _drawn(chart: Any) -> str:
    text = {"labelColor": STAND_IN.quiet, "titleColor": STAND_IN.quiet, "labelFontSize": 13}
    styled = chart.configure(
        background="transparent",
        # Measured as Arial; readers without it get a wider font, for which there is room.
        font="Arial, Liberation Sans, Helvetica, sans-serif",
        padding={"left": 30, "right": 8, "top": 4, "bottom": 4},
        axis={
            **text,
            "titleFontSize": 13,
            "titleFontWeight": "normal",
            "gridColor": STAND_IN.line,
            "domainColor": STAND_IN.line,
            "tickColor": STAND_IN.line,
            "labelLimit": 140,
        },
        legend={**text, "titleFontSize": 13, "labelLimit": 160},
        header={"labelColor": STAND_IN.ink, "labelFontSize": 14, "labelFontWeight": "bold"},
        view={"stroke": None},
    )
    # Altair's own check against its schema takes as long as drawing; the tests look at the pages.
    return str(vl_convert.vegalite_to_svg(styled.to_json(validate=False), vl_version=VEGA_LITE))
