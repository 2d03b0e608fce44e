"""A figure of a table against the truth.

    figure, `_lower`, `_upper`, truth ──▶ Finding: contained, not said, or a contradiction

The rule of the columns: with both bounds, the truth lies between them. With one of the two, the
figure itself is the other bound. Without, the figure is the truth. Here: that rule, and what a
null means. Not here: which figures there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

Key = tuple[object, ...]
Truths = dict[Key, dict[str, object]]
Row = Mapping[str, Any]
Verdict = Literal["contained", "not said", "contradiction"]
Direction = Literal["at least", "at most"]

SURVIVING = frozenset(
    {"p50_days", "p90_days", "p50_minutes", "p90_minutes", "p50_response_minutes"}
)
"""Quantiles of survival: null where the curve does not come down so far, which is a length without
an end; so null bounds are bounds."""
LENGTHS = SURVIVING | {"p50_ended_days", "p50_open_days", "p50_days_to_win"}
_SECOND = {"days": 1.5 / 86400, "minutes": 1.5 / 60, "seconds": 1.5}
_TIME_TOLERANCE = timedelta(seconds=1.5)


@dataclass(frozen=True)
class Finding:
    """One figure of one row, compared. `reason` says what is wrong, where something is."""

    figure: str
    truth: Any
    estimate: Any
    lower: Any
    upper: Any
    verdict: Verdict
    reason: str = ""
    is_bounded: bool = False

    @classmethod
    def judged(
        cls, figure: str, truth: Any, estimate: Any = None, *, is_right: bool, reason: str = ""
    ) -> Finding:
        """One that is not a matter of bounds; `reason` says what is wrong where it is not right."""
        verdict: Verdict = "contained" if is_right else "contradiction"
        told = "" if is_right else reason
        return cls(figure, truth, estimate, estimate, estimate, verdict, told)

    @classmethod
    def silent(cls, figure: str, truth: Any) -> Finding:
        """A figure that says nothing of the truth."""
        return cls(figure, truth, None, None, None, "not said")

    @property
    def width(self) -> float | None:
        """How far apart the bounds are, of moments in hours: without an end where the upper one is
        open. None where there are no bounds on both sides."""
        lower, upper = self.lower, self.upper
        if self.is_bounded and isinstance(lower, datetime) and isinstance(upper, datetime):
            return (upper - lower) / timedelta(hours=1)
        if not self.is_bounded or not isinstance(lower, int | float):
            return None
        if upper is None or math.isinf(upper):
            return 0.0 if math.isinf(lower) else math.inf
        return float(upper) - float(lower)


def compare(
    row: Row,
    figure: str,
    truth: Any,
    *,
    population: int | None = None,
    direction: Direction | None = None,
) -> Finding:
    """`population`: how many a quantile is about, where it is one; of none nothing is said.

    `direction`: of a figure without bounds that is stated to be "at least" or "at most" the truth.
    """
    estimate = row[figure]
    has_lower, has_upper = f"{figure}_lower" in row, f"{figure}_upper" in row
    lower = row[f"{figure}_lower"] if has_lower else estimate
    upper = row[f"{figure}_upper"] if has_upper else estimate
    is_bounded = has_lower or has_upper
    if direction is not None:
        is_lowest = direction == "at least"
        lower, upper = (estimate, None) if is_lowest else (None, estimate)

    def found(verdict: Verdict, reason: str = "") -> Finding:
        return Finding(figure, truth, estimate, lower, upper, verdict, reason, is_bounded)

    if figure in SURVIVING:
        if population == 0:
            # From nothing to without an end: of visits that nobody saw, if there were any.
            is_silent = estimate is None and upper is None and not lower
            return found("not said") if is_silent else found("contradiction", "a figure of nobody")
        truth = math.inf if truth is None else truth
        lower = math.inf if lower is None else lower
        upper = math.inf if upper is None else upper
    elif lower is None and upper is None and truth is not None:
        return found("not said" if is_bounded else "contradiction", "null")
    elif is_bounded and truth is None:
        # A rate of nobody, or a median of nothing, has no true value.
        return found("contained")
    if not _is_within(figure, lower, truth, upper):
        return found("contradiction", "the truth lies outside")
    return found(*_judged_headline(figure, has_lower and has_upper, estimate, lower, upper))


def _judged_headline(
    figure: str, is_between: bool, estimate: Any, lower: Any, upper: Any
) -> tuple[Verdict, str]:
    """The figure lies between its bounds; of lengths it is null where these are wider than it."""
    if not is_between:
        return "contained", ""
    if estimate is not None:
        if not _is_within(figure, lower, estimate, upper):
            return "contradiction", "the figure lies outside of its own bounds"
        return "contained", ""
    if figure in LENGTHS and math.isfinite(upper) and upper - lower <= lower:
        return "contradiction", "null although the bounds are narrow"
    return "contained", ""


def _is_within(figure: str, lower: Any, value: Any, upper: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | datetime):
        return bool(lower == value == upper)
    if isinstance(value, datetime):
        if lower is not None and value < lower - _TIME_TOLERANCE:
            return False
        return upper is None or value <= upper + _TIME_TOLERANCE
    tolerance = next((t for unit, t in _SECOND.items() if unit in figure), 1e-9)
    if lower is not None and value < lower - tolerance:
        return False
    return upper is None or bool(value <= upper + tolerance)
