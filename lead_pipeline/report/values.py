"""How figures are written: numbers, bounds, shares, days and times.

Whatever is not known is said in a word, never as a number.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

NOTHING = "\N{EN DASH}"
"""What stands for a figure that is not there; also between two bounds."""
MINUS = "\N{MINUS SIGN}"


def number(value: int | None) -> str:
    """A whole number with separators."""
    return NOTHING if value is None else f"{value:,}"


def bounded(lower: int | None, upper: int | None) -> str:
    """A number that lies between two others; one number where they are equal."""
    if lower is None or upper is None:
        return "not known"
    return number(lower) if lower == upper else f"{lower:,}{NOTHING}{upper:,}"


def change(lower: int, upper: int) -> str:
    """By how much something has changed, with a sign."""
    if lower == upper:
        return signed(lower)
    return f"{signed(lower)} to {signed(upper)}"


def signed(value: int) -> str:
    """A whole number with its sign; nothing changed is ±0."""
    return f"{MINUS if value < 0 else '+' if value else '±'}{abs(value):,}"


def share(value: float | None) -> str:
    """A share between 0 and 1 as a percentage; small ones with a decimal."""
    if value is None:
        return NOTHING
    digits = 1 if 0 < value < 0.0995 else 0
    return f"{value:.{digits}%}"


def bounded_share(lower: float | None, upper: float | None) -> str:
    """A share that lies between two others."""
    if lower is None or upper is None:
        return NOTHING
    first, last = share(lower), share(upper)
    return first if first == last else f"{first.removesuffix('%')}{NOTHING}{last}"


def days(value: float | None) -> str:
    """A length in days, with a decimal while it is short."""
    return NOTHING if value is None else f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def bounded_days(lower: float | None, upper: float | None) -> str:
    """A length in days that lies between two others; without an upper bound, it is at least that."""
    return _bounded(days, lower, upper, NOTHING)


def length(seconds: float | None) -> str:
    """A time that passed, in the largest unit of which there is at least one."""
    if seconds is None:
        return NOTHING
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            count = seconds / size
            return (
                f"{count:.1f} {unit}" if count < 9.95 and unit != "min" else f"{count:,.0f} {unit}"
            )
    return "under 1 min"


def bounded_length(lower: float | None, upper: float | None) -> str:
    """A time that lies between two others; without an upper bound, it is at least that."""
    return _bounded(length, lower, upper, " to ")


def _bounded(
    write: Callable[[float | None], str], lower: float | None, upper: float | None, between: str
) -> str:
    """Two bounds as `write` writes them; one where they look the same."""
    if lower is None:
        return NOTHING
    first = write(lower)
    if upper is None:
        return f"at least {first}"
    last = write(upper)
    return first if first == last else f"{first}{between}{last}"


def day(value: date | None) -> str:
    """A day, with its weekday."""
    return NOTHING if value is None else f"{value:%a} {value.day} {value:%b %Y}"


def short_day(value: date) -> str:
    """A day of this year or the last."""
    return f"{value.day} {value:%b}"


def moment(value: datetime | None) -> str:
    """A time in the zone of the page, to the minute."""
    return NOTHING if value is None else f"{short_day(value)} {value:%Y, %H:%M}"


def text(value: Any) -> str:
    """A text that can be missing."""
    return NOTHING if value is None or value == "" else str(value)
