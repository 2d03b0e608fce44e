"""Kaplan and Meier's estimate, as the tables promise it: written small, to be compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Length:
    """A length of time, in whatever unit.

    `entered`: the age at which it came under watch; None from its beginning. `reached`: its age at
    the end of it, or of the data. `has_ended`: which of the two.
    """

    entered: float | None
    reached: float
    has_ended: bool


def surviving_quantile(lengths: Sequence[Length], share: float) -> float | None:
    """The smallest length `t` for which S(t) <= 1 - `share`; None where the curve stays above."""
    surviving = 1.0
    for age in sorted({length.reached for length in lengths if length.has_ended}):
        at_risk = sum(
            (length.entered is None or length.entered < age) and age <= length.reached
            for length in lengths
        )
        ended = sum(length.has_ended and length.reached == age for length in lengths)
        surviving *= 1 - ended / at_risk
        if surviving <= 1 - share + 1e-12:
            return age
    return None


def median(values: Iterable[float]) -> float | None:
    """The middle value, or the mean of the two in the middle; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    half, is_odd = divmod(len(ordered), 2)
    return ordered[half] if is_odd else (ordered[half - 1] + ordered[half]) / 2
