"""`bi/report.html`: one page without network, scripts or personal data.

published file ──▶ figures ──▶ charts for light and dark ──▶ report.html, written whole or not
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pandas as pd

from lead_pipeline.causes import cause_of
from lead_pipeline.errors import PublishError
from lead_pipeline.report import charts
from lead_pipeline.report.figures import DAYS, Figures, read_figures
from lead_pipeline.storage.files import remove_temporaries_of, write_atomically
from lead_pipeline.storage.permissions import PAGE_MODE, Readers, shown_to

NOTHING = "\N{EN DASH}"
"""What stands for a figure that is not there."""


@dataclass(frozen=True)
class Picture:
    """A chart for both colour schemes, as data URIs."""

    light: str
    dark: str


@dataclass(frozen=True)
class Section:
    """A chart, what it says, and the same as a table for those who do not see it."""

    name: str
    title: str
    text: str
    picture: Picture | None
    """None where there is nothing to draw."""
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def write_report(published: Path, report: Path, readers: Readers | None = None) -> None:
    """Render the page of the file at `published` to `report`, replacing the one there.

    `readers` may read it. The caller holds the publish lock. Raises `PublishError` when the file lacks a table that the
    page shows, or the page cannot be written; readers have the file all the same.
    """
    try:
        remove_temporaries_of(report)
        write_atomically(report, render(read_figures(published)).encode())
        shown_to(readers, report, PAGE_MODE)
    except (duckdb.Error, OSError) as error:
        raise PublishError(
            f"Readers have {published}, but its page {report} could not be made: {cause_of(error)}. Make "
            "room or fix the folder, then publish again: lead-pipeline publish."
        ) from None


def render(figures: Figures) -> str:
    """The whole page."""
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        files("lead_pipeline").joinpath("report", "page.html").read_text("utf-8")
    )
    published_at = figures.accounts["published_at"].max()
    return template.render(
        published_at=None if pd.isna(published_at) else moment(published_at),
        tests_passed=number(figures.build["tests_passed"]),
        run_id=figures.build["run_id"],
        version=version("lead-pipeline"),
        tiles=_tiles(figures.headline),
        sections=_sections(figures),
    )


def _tiles(headline: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("leads", number(headline["leads"])),
        ("new in the last week", number(headline["leads_new"])),
        ("open", number(headline["leads_open"])),
        ("won", number(headline["leads_won"])),
        ("won of those decided", share(headline["win_rate"])),
        ("stale", number(headline["leads_stale"])),
        ("over a stage limit", number(headline["leads_over_limit"])),
        ("people", number(headline["people"])),
    ]


def _sections(figures: Figures) -> list[Section]:
    return [
        _section(
            "freshness",
            "Freshness and coverage",
            "Of each account, the stretch of time of which the last update of every lead is in the file, and "
            "since when and how often it is polled: of what was before, and between two polls, only "
            "what the next poll showed is known.",
            figures.accounts,
            charts.coverage,
            {
                "account": ("account", str),
                "provider": ("provider", str),
                "leads": ("leads", number),
                "no longer shown": ("leads_missing", number),
                "complete from": ("complete_from", since),
                "complete through": ("complete_through", moment),
                "watched from": ("watched_from", watch),
                "hours between polls": ("poll_hours", hours),
                "note": ("note", text),
            },
            is_drawn=bool(figures.accounts["complete_through"].notna().any()),
        ),
        _section(
            "funnel",
            "Funnel",
            "Leads that were seen in a stage or one further along, by provider. Only leads that are "
            "watched from their creation: what the others did before nobody knows. Between two polls "
            "more of them can have been there.",
            figures.funnel,
            charts.funnel,
            {
                "provider": ("provider", str),
                "stage": ("stage", str),
                "leads": ("leads", number),
                "at most": ("leads_upper", number),
                "of all": ("share_of_all", share),
                "of the stage before": ("share_of_before", share),
            },
        ),
        _section(
            "new-leads",
            "New leads per day and source",
            f"Leads by the day on which their provider created them, the last {DAYS} days.",
            figures.leads_per_day,
            charts.leads_per_day,
            {
                "day": ("date_day", day),
                "source": ("source", str),
                "new leads": ("leads", number),
            },
        ),
        _section(
            "velocity",
            "Stage velocity",
            "Days that leads are in a stage, those that still are included: the dot is the median, "
            "the pale bar what the evidence leaves open about it, the tick the length that nine of ten "
            "do not exceed. Without a dot, the median cannot be told from others within the bar.",
            figures.velocity,
            charts.velocity,
            {
                "account": ("account", str),
                "stage": ("stage", str),
                "visits": ("visits", number),
                "median": ("p50_days", days),
                "at least": ("p50_days_lower", days),
                "at most": ("p50_days_upper", days),
                "nine of ten": ("p90_days", days),
                "median of ended visits": ("p50_ended_days", days),
                "still there": ("visits_open", number),
                "begun before the watch": ("visits_of_unknown_start", number),
            },
            is_drawn=bool(figures.velocity["p50_days_lower"].notna().any()),
        ),
        _section(
            "stale",
            "Stale leads",
            "Open leads without a change or interaction, beside the provider's own list where it "
            "has one.",
            figures.stale,
            charts.stale,
            {
                "account": ("account", str),
                "stage": ("stage", str),
                "stale for": ("seen_by", str),
                "leads": ("leads", number),
                "median days quiet": ("p50_days_quiet", days),
                "longest": ("longest_days_quiet", days),
            },
        ),
    ]


def _section(
    name: str,
    title: str,
    text: str,
    frame: pd.DataFrame,
    draw: Callable[[pd.DataFrame], charts.Svg],
    columns: dict[str, tuple[str, Callable[[Any], str]]],
    *,
    is_drawn: bool = True,
) -> Section:
    """`columns`: heading → (column of the frame, how its values are written)."""
    picture = None
    if is_drawn and not frame.empty:
        svg = draw(frame)
        picture = Picture(_uri(svg.light), _uri(svg.dark))
    values = [frame[column].map(write) for column, write in columns.values()]
    rows = list(zip(*values, strict=True))
    return Section(name, title, text, picture, tuple(columns), rows)


def _uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def number(value: Any) -> str:
    """A whole number with separators."""
    return NOTHING if pd.isna(value) else f"{int(value):,}"


def days(value: Any) -> str:
    """A length in days, with one decimal."""
    return NOTHING if pd.isna(value) else f"{value:,.1f}"


def hours(value: Any) -> str:
    """A time between polls, in hours."""
    return "not known" if pd.isna(value) else f"{value:,.1f}"


def watch(value: datetime | Any) -> str:
    """Since when an account is watched, which it may not be."""
    return "not yet" if pd.isna(value) else moment(value)


def share(value: Any) -> str:
    """A share as a percentage."""
    return NOTHING if pd.isna(value) else f"{value:.1%}"


def text(value: Any) -> str:
    """A text that can be missing."""
    return "" if pd.isna(value) else str(value)


def moment(value: datetime | Any) -> str:
    """A time, to the minute."""
    return "nothing yet" if pd.isna(value) else f"{value:%Y-%m-%d %H:%M} UTC"


def since(value: datetime | Any) -> str:
    """The start of a stretch, which can be open."""
    return "the beginning" if pd.isna(value) else moment(value)


def day(value: datetime | Any) -> str:
    """A date."""
    return f"{value:%Y-%m-%d}"
