"""Charts of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from benchmarks.comparison import Run, names_of, spread

VEGA_LITE = "6.1"
SERIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8f98")
"""Colours that people with any colour vision tell apart (Okabe and Ito)."""


def bars(runs: Sequence[Run], title: str, quantity: str = "wall") -> Any:
    """Medians with their spread, a bar a competitor."""
    found = [
        {"who": name, "median": figure.median, "least": figure.least, "most": figure.most}
        for name in names_of(runs)
        if (figure := spread(runs, name, quantity)) is not None
    ]
    base = alt.Chart(pd.DataFrame(found)).encode(
        y=alt.Y("who:N", sort=None, title=None, axis=alt.Axis(labelLimit=300))
    )
    bar = base.mark_bar(color="#4269d0").encode(x=alt.X("median:Q", title=title))
    line = base.mark_rule(color="#333333", strokeWidth=2).encode(x="least:Q", x2="most:Q")
    return (bar + line).properties(width=480)
