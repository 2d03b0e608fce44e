"""When people work: hours of the week on the wall clock of a time zone, without public holidays.

    "Mon-Fri 09:00-17:30", "DE-BE", Europe/Berlin ──▶ intervals of UTC

Belongs here: reading what users write of it, and which moments it means. Does not belong here: how much
of a length of time it is (`dbt_project/macros/business_seconds.sql`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Interval = tuple[datetime, datetime]
"""Half-open: the beginning belongs to it, the end does not."""

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EXAMPLE = "Mon-Fri 09:00-17:30, Sat 10:00-14:00"

_DAY = timedelta(days=1)
_ENTRY = re.compile(
    r"(?P<first>[A-Z]{3})(\s*-\s*(?P<last>[A-Z]{3}))?"
    r"\s+(?P<begin>[0-9]{1,2}:[0-9]{2})\s*-\s*(?P<end>[0-9]{1,2}:[0-9]{2})",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class WorkingHours:
    """The hours of each day of a week."""

    of_days: tuple[tuple[tuple[timedelta, timedelta], ...], ...]
    """By day, Monday first: from when until when on the wall clock, earliest first, none overlapping."""

    def __str__(self) -> str:
        """In the form that `parse_working_hours` reads: days of the same hours together."""
        runs: list[tuple[int, int]] = []
        for day, hours in enumerate(self.of_days):
            if runs and self.of_days[runs[-1][0]] == hours:
                runs[-1] = (runs[-1][0], day)
            else:
                runs.append((day, day))
        return ", ".join(
            f"{DAYS[first]}{'' if first == last else f'-{DAYS[last]}'} {_clock(begin)}-{_clock(end)}"
            for first, last in runs
            for begin, end in self.of_days[first]
        )


def parse_working_hours(text: str) -> WorkingHours:
    """The hours that entries such as `Mon-Fri 09:00-17:30`, separated by commas, say.

    Several entries may name a day, as around a lunch break. A range of days may go over the end of the
    week. Hours end on the day of their beginning, at 24:00 at the latest. Raises `ValueError` that
    quotes the entry and says what is wrong with it.
    """
    of_days: list[list[tuple[timedelta, timedelta]]] = [[] for _ in DAYS]
    for entry in text.split(","):
        days, hours = _read_entry(entry.strip())
        for day in days:
            of_days[day].append(hours)
    for day, name in enumerate(DAYS):
        of_days[day].sort()
        for (_, end), (begin, _) in zip(of_days[day], of_days[day][1:], strict=False):
            if begin < end:
                raise ValueError(f"has hours on {name} that overlap; write each hour once")
    return WorkingHours(tuple(tuple(hours) for hours in of_days))


def parse_holidays(text: str) -> str:
    """The code of a country, or of a country and a subdivision, as the library `holidays` has them.

    Raises `ValueError` that says which there are.
    """
    # Imported late: it takes 0.2 s, and few set it.
    import holidays

    country, dash, subdivision = text.strip().partition("-")
    try:
        known = holidays.country_holidays(country.upper())
    except NotImplementedError:
        raise ValueError(
            f"names {country!r}, which is no country that the library holidays knows; write an ISO 3166 "
            "code of two letters such as DE, or one with a subdivision such as DE-BE or US-CA"
        ) from None
    if not dash:
        return known.country
    for name in known.subdivisions:
        if name.upper() == subdivision.upper():
            return f"{known.country}-{name}"
    raise ValueError(
        f"names {subdivision!r}, which is no subdivision of {known.country} that the library holidays "
        f"knows; it knows {', '.join(known.subdivisions) or 'none'}"
    )


def public_holidays(code: str, first: date, last: date) -> frozenset[date]:
    """The days from `first` to `last` that are public holidays, by a code of `parse_holidays`."""
    import holidays

    country, _, subdivision = code.partition("-")
    years = range(first.year, last.year + 1)
    days = holidays.country_holidays(country, subdiv=subdivision or None, years=years)
    return frozenset(day for day in days if first <= day <= last)


def working_intervals(
    hours: WorkingHours, zone: ZoneInfo, start: datetime, end: datetime, holidays: str | None = None
) -> Iterator[Interval]:
    """The working time in [start, end), whole seconds of UTC, in order; intervals that touch are one.

    A moment is working time if the wall clock of the zone then shows a time within the hours of the
    day that it shows, and that day is no public holiday. So hours that a change of clocks leaves out
    are not worked, and those that it repeats are worked twice.
    """
    first, last = (moment.astimezone(zone).date() for moment in (start, end))
    off = public_holidays(holidays, first, last) if holidays else frozenset[date]()
    open_since: datetime | None = None
    open_until = start
    for begin, stop in _pieces(hours, zone, start, end, off):
        if open_since is not None and begin != open_until:
            yield open_since, open_until
            open_since = None
        open_since, open_until = open_since or begin, stop
    if open_since is not None:
        yield open_since, open_until


def _pieces(
    hours: WorkingHours, zone: ZoneInfo, start: datetime, end: datetime, off: frozenset[date]
) -> Iterator[Interval]:
    """The same, with pieces that touch: each lies on one day, between two changes of the clocks."""
    for segment_start, segment_end, offset in _offsets(zone, start, end):
        begins, ends = _shown(segment_start, offset), _shown(segment_end, offset)
        day = begins.date()
        while datetime.combine(day, time()) < ends:
            for from_, until in () if day in off else hours.of_days[day.weekday()]:
                midnight = datetime.combine(day, time())
                shown_from, shown_until = max(midnight + from_, begins), min(midnight + until, ends)
                if shown_from < shown_until:
                    yield _utc(shown_from, offset), _utc(shown_until, offset)
            day += _DAY


def _offsets(
    zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """[start, end) in stretches in which the zone's clocks are not changed, with their lead on UTC.

    Looked at day by day: no zone has changed its clocks twice in a day and back.
    """
    since, before = start, start
    while before < end:
        after = min(before + _DAY, end)
        if _offset(zone, after) != _offset(zone, before):
            change = _change(zone, before, after)
            yield since, change, _offset(zone, since)
            since = change
        before = after
    if since < end:
        yield since, end, _offset(zone, since)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second in which the clocks change, between two moments of which they show it."""
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) // 2).replace(microsecond=0)
        if _offset(zone, middle) == _offset(zone, before):
            before = middle
        else:
            after = middle
    return after


def _shown(moment: datetime, offset: timedelta) -> datetime:
    """What clocks with this lead on UTC show at the moment."""
    return (moment + offset).replace(tzinfo=None)


def _utc(shown: datetime, offset: timedelta) -> datetime:
    return (shown - offset).replace(tzinfo=UTC)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _read_entry(entry: str) -> tuple[list[int], tuple[timedelta, timedelta]]:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise ValueError(f"cannot be read at {entry!r}; write it as {EXAMPLE}")
    names = [name.capitalize() for name in (found["first"], found["last"] or found["first"])]
    if unknown := [name for name in names if name not in DAYS]:
        raise ValueError(f"names {unknown[0]!r}, which is no day; days are {', '.join(DAYS)}")
    first, last = (DAYS.index(name) for name in names)
    days = [(first + n) % len(DAYS) for n in range((last - first) % len(DAYS) + 1)]
    begin, end = (_time_of_day(found[name], entry) for name in ("begin", "end"))
    if end <= begin:
        raise ValueError(
            f"has hours in {entry!r} that do not end after their beginning; hours beyond midnight are two "
            "entries, such as Fri 22:00-24:00, Sat 00:00-02:00"
        )
    return days, (begin, end)


def _time_of_day(text: str, entry: str) -> timedelta:
    hours, minutes = (int(part) for part in text.split(":"))
    moment = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or moment > _DAY:
        raise ValueError(f"has no time of a day at {text!r} in {entry!r}; times are 00:00 to 24:00")
    return moment


def _clock(moment: timedelta) -> str:
    hours, minutes = divmod(moment // timedelta(minutes=1), 60)
    return f"{hours:02}:{minutes:02}"
