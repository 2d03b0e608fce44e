"""An explanation as rows for a terminal: values in a form that is safe and short.

Leads write what they like into forms: nothing of it reaches the terminal as a control sequence.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lead_pipeline.explain.document import Change, Entry, Explanation, LeadMatch

LONGEST_VALUE = 60
"""Characters of a value; the rest is in `--json`."""
FOLDED_FROM = 3
"""Repetitions in a row from which on they share a row."""

SHOWN_OF_PERSON = 20
"""Other leads of the person; the rest are in `--all`."""

MATCH_COLUMNS = ("lead_key", "name", "email", "newest updated_at", "records")
VALUE_COLUMNS = ("column", "value", "from", "since")
INTERVAL_COLUMNS = ("stage", "provider's words", "entered_after", "entered_at", "evidence", "by")
PERSON_COLUMNS = ("lead", "joined by", "with", "strength")
ENTRY_COLUMNS = ("#", "observed, provider's time", "what", "changes")
PLACE_COLUMNS = ("#", "page", "file")

_WHAT = {
    "record": "{stream}",
    "event": "audit log",
    "seen": "only seen",
    "rejected": "{stream}: rejected",
    "not_found": "single record: 404",
    "not_met": "full walk: not met",
    "not_listed": "counts: not listed",
}

_COUNTED = (
    ("record", "landed records"),
    ("event", "audit log events"),
    ("seen", "sightings"),
    ("rejected", "rejected records"),
    ("not_found", "answers 404"),
    ("not_met", "full walks that did not meet it"),
    ("not_listed", "searches by counts that did not find it"),
)


@dataclass(frozen=True)
class Shown:
    """A row of the timeline: one entry, or several repetitions of the one before in one row."""

    first: Entry
    last: Entry

    @property
    def numbers(self) -> str:
        """`7`, or `7-30`."""
        first, last = self.first.number, self.last.number
        return str(first) if first == last else f"{first}-{last}"


def headline(lead: Explanation, match: LeadMatch) -> str:
    """Which lead this is, and how much is known of it."""
    counted = [(name, sum(e.kind == kind for e in lead.timeline)) for kind, name in _COUNTED]
    counts = ", ".join(f"{name}: {count:,}" for name, count in counted if count)
    name = f" ({printable(match.full_name)})" if match.full_name else ""
    provider = "" if lead.provider == lead.account else f" of {lead.provider}"
    return f"{printable(lead.lead_key)}{name}{provider}. Observed: {counts}. Times are UTC."


def match_rows(matches: Sequence[LeadMatch]) -> list[list[object]]:
    """The leads to choose from."""
    return [
        [
            printable(match.lead_key),
            short(match.full_name),
            short(match.email),
            short(match.updated_at),
            match.records,
        ]
        for match in matches
    ]


def value_rows(lead: Explanation) -> list[list[object]]:
    """Each current value, the entry it was taken from, and the one since which it is so."""
    return [
        [printable(v.column), short(v.value), _reference(v.entry), _reference(v.since)]
        for v in lead.current_values
    ]


def interval_rows(lead: Explanation) -> list[list[object]]:
    """Each stage with the bounds of its beginning; the next row's beginning is its end."""
    return [
        [
            interval.stage,
            " / ".join(
                printable(word)
                for word in (interval.provider_status, interval.provider_stage)
                if word
            ),
            "= entered_at"
            if interval.entered_after == interval.entered_at
            else short(interval.entered_after),
            short(interval.entered_at),
            interval.evidence,
            _reference(interval.entry),
        ]
        for interval in lead.stage_intervals
    ]


def person_rows(lead: Explanation, *, every: bool) -> list[list[object]]:
    """What joined each other lead of the person; the nearest ones, unless `every` one is wanted."""
    return [
        [
            printable(link.lead_key),
            "same " + printable(link.identifier_kind) + (" and name" if link.is_same_name else ""),
            printable(link.linked_to),
            link.strength,
        ]
        for link in lead.person_links[: None if every else SHOWN_OF_PERSON]
    ]


def folded(timeline: Sequence[Entry], *, every: bool) -> list[Shown]:
    """The rows of the timeline; repetitions in a row share one, unless `every` one is wanted."""
    rows: list[Shown] = []
    for repeats, group in itertools.groupby(timeline, key=_repetition):
        entries = list(group)
        if every or repeats is None or len(entries) < FOLDED_FROM:
            rows += [Shown(entry, entry) for entry in entries]
        else:
            rows.append(Shown(entries[0], entries[-1]))
    return rows


def _repetition(entry: Entry) -> tuple[str, str] | None:
    """What entries in a row must share to be folded; None for an entry that tells something."""
    if entry.changes or entry.note or entry.kind not in ("record", "seen", "not_met", "not_listed"):
        return None
    return entry.kind, entry.stream


def entry_rows(rows: Sequence[Shown]) -> list[list[object]]:
    """The timeline: when, what, and what it changed."""
    return [[row.numbers, _times(row), _what(row), "\n".join(_told(row))] for row in rows]


def place_rows(rows: Sequence[Shown]) -> list[list[object]]:
    """Where the entries of the timeline lie below the account's folder; of a fold, its ends."""
    entries = {entry.number: entry for row in rows for entry in (row.first, row.last)}
    return [
        [
            str(entry.number),
            None if entry.page is None else f"{entry.page:,}",
            printable(entry.file.partition("/")[2]),
        ]
        for entry in entries.values()
    ]


def _times(row: Shown) -> str:
    times = _second(row.first.observed_at)
    if row.first is not row.last:
        return f"{times}\nto {_second(row.last.observed_at)}"
    if row.first.provider_at is not None:
        word = "logged" if row.first.kind == "event" else "updated"
        times += f"\n{word} {short(row.first.provider_at)}"
    return times


def _second(moment: datetime) -> str:
    """Our own times need no fractions here: nothing is compared with them."""
    return printable(moment.replace(microsecond=0))


def _what(row: Shown) -> str:
    what = _WHAT[row.first.kind].format(stream=row.first.stream)
    return what + ("\nnot loaded yet" if row.first.is_loaded is False else "")


def _told(row: Shown) -> Iterator[str]:
    entry = row.first
    if entry is not row.last:
        yield f"{row.last.number - entry.number + 1:,} times, the first and the last below"
    elif entry.kind == "record" and not entry.changes and not entry.note:
        yield "unchanged"
    if entry.note:
        yield f"({printable(entry.note)})"
    for change in entry.changes:
        yield _change(change)


def _change(change: Change) -> str:
    name = printable(change.field)
    after = short(change.after)
    if change.before is None:
        return f"{name}: {after}"
    return f"{name}: {short(change.before)} → {after}"


def _reference(number: int | None) -> str | None:
    return None if number is None else f"#{number}"


def short(value: Any) -> str:
    """A value in at most `LONGEST_VALUE` characters."""
    text = printable(value)
    if len(text) <= LONGEST_VALUE:
        return text
    return f"{text[: LONGEST_VALUE - 1]}… ({len(text):,} characters)"


def printable(value: Any) -> str:
    """A value as one line of text without anything that a terminal would obey."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(" ", "auto").removesuffix("+00:00")
        # Whole milliseconds are what APIs write.
        return (text.removesuffix("000") if "." in text else text) + "Z"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in str(value)
    )
