"""What a server states in its rate limit headers, read without trusting it.

    text of a header ──▶ seconds from now, or a count; None where nothing can be read

A wait can be stated as seconds, as an HTTP or ISO date, or as a moment since 1970 in seconds,
milliseconds, microseconds or nanoseconds. No provider documents a window of more than an hour, so
a longer wait is not believed. Whatever the text is, reading it raises nothing.

Belongs here: texts of headers. Does not belong here: what follows from them (`quota.py`).
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT_SECONDS = 3_600.0
"""The longest window that a provider documents."""
ROUNDING_SECONDS = 5.0
"""So much more is still taken for an hour: whole seconds, and clocks a little apart."""
NOT_CREDIBLE = math.inf
"""Stands for a stated wait of more than an hour: there is one, and its length is not known."""
CLOCK_SKEW_SECONDS = 2.0
"""A difference between our clock and the server's `Date` that is taken seriously."""
MOST_REMAINING = 1_000_000_000
"""Larger counts of requests are taken for this one."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST_DATE = 64
_EPOCH_THRESHOLD = 1e9
"""Numbers from here on are moments since 1970, smaller ones are seconds from now."""
_UNITS_IN_A_SECOND = (1.0, 1e3, 1e6, 1e9)
_ONE_DAY_SECONDS = 86_400.0
"""A moment further away than this is none: the number has another unit, or no meaning."""
_LONGEST_SHOWN = 40


def stated_seconds(text: str | None, now: float, date: str | None = None) -> float | None:
    """Seconds from `now` on (Unix time): 0 to an hour, or `NOT_CREDIBLE`.

    A time that is past is 0, and a text that states no time is None. `date` is the answer's own
    `Date`: where our clock differs from it, the server's counts.
    """
    if text is None:
        return None
    number = _number(text)
    if number is not None and number < _EPOCH_THRESHOLD:
        return _credible(number)
    server_now = _server_clock(date, now)
    moment = _moment(text) if number is None else _moment_of_number(number, server_now)
    if moment is None:
        return None if number is None else NOT_CREDIBLE
    return _credible(moment - server_now)


def stated_count(text: str | None) -> int | None:
    """How many requests are left, 0 for less than none; None where the text is no number."""
    number = None if text is None else _number(text)
    return None if number is None else int(min(max(number, 0.0), MOST_REMAINING))


def shown(text: str) -> str:
    """What a server sent, short enough and harmless enough for keys and messages."""
    start = text.strip()[: _LONGEST_SHOWN + 1]
    clean = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in start)
    return clean if len(clean) <= _LONGEST_SHOWN else f"{clean[: _LONGEST_SHOWN - 3]}..."


def _credible(seconds: float) -> float:
    if seconds > LONGEST_WAIT_SECONDS + ROUNDING_SECONDS:
        return NOT_CREDIBLE
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def _number(text: str) -> float | None:
    """The number that the whole text is, infinite where it is too large; digits are ASCII ones."""
    stripped = text.strip()
    return float(stripped) if _NUMBER.fullmatch(stripped) else None


def _moment_of_number(number: float, server_now: float) -> float | None:
    for unit in _UNITS_IN_A_SECOND:
        moment = number / unit
        if abs(moment - server_now) <= _ONE_DAY_SECONDS:
            return moment
    return None


def _moment(text: str) -> float | None:
    """The Unix time of an ISO or HTTP date; without a zone it is UTC."""
    stripped = text.strip()
    if not stripped or len(stripped) > _LONGEST_DATE:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(stripped)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
            # What the standard library raises for texts that only resemble a date.
            continue
    return None


def _server_clock(date: str | None, now: float) -> float:
    """The server's time: ours, unless its `Date`, in whole seconds, is clearly another."""
    server_now = None if date is None else _moment(date)
    if server_now is not None and abs(server_now - now) > CLOCK_SKEW_SECONDS:
        return server_now
    return now
