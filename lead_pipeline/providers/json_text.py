"""JSON as bytes: where its values begin and end, and what keeps a value from being believed.

    {"data": [{"a": 1}, {"a": NaN}]} ──▶ places of the members, of the elements ──▶ each on its own

A decoder gives up at the first wrong byte, and a page is lost for one record. Here values are told
apart by quotes, brackets and commas alone, so that one of them can be broken. Where that cannot be
told either (a quote is missing, brackets do not match), there is no answer.

Belongs here: JSON of any meaning. Does not belong here: pages and records (`fields.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

MAX_NESTING = 100
"""Deeper JSON than this is taken for an attack on whoever reads it by recursion."""

MAX_BRACKETS = 300_000
"""Of a text that is taken apart here, which takes about a microsecond for each."""

_STRING_PATTERN = rb'"(?:[^"\\]++|\\.)*+"'
_STRING = re.compile(_STRING_PATTERN, re.DOTALL)
# What lies between two signs is skipped, whole strings too. A quote or a backslash among the signs
# is one outside of a string that ends.
_NEXT_SIGN = re.compile(
    rb'(?:[^"\\\[\]{},:]++|' + _STRING_PATTERN + rb')*+(["\\\[\]{},:]?)', re.DOTALL
)
_NEXT_BRACKET = re.compile(
    rb'(?:[^"\\\[\]{}]++|' + _STRING_PATTERN + rb')*+(["\\\[\]{}]?)', re.DOTALL
)
_BLANK = b" \t\n\r"
_END_OF_NAME, _QUOTED_END = b'":', b'\\":'
"""What follows each name where there are no blanks, and how it looks within a text."""
_CLOSING = {b"[": b"]", b"{": b"}"}


class Untold(ValueError):
    """It cannot be told where the values begin and end."""


class Span(NamedTuple):
    """The place of a value, without the blanks around it."""

    start: int
    end: int

    @property
    def is_empty(self) -> bool:
        """Whether no value stands there."""
        return self.start == self.end


class Member(NamedTuple):
    """A member of an object: its name, and the place of its value."""

    name: str
    value: Span


def elements(text: bytes, place: Span) -> Iterator[Span]:
    """The places of the elements of the array at `place`, one after the other.

    Each may be no JSON. Raises `Untold`, then or later: only after the last is it known to be one.
    """
    if text[place.start : place.start + 1] != b"[":
        raise Untold("no array")
    is_first = True
    for span, _ in _children(text, place):
        if not span.is_empty:
            yield span
        elif not (is_first and span.end == place.end - 1):
            # Nothing between the brackets is an empty array; elsewhere a value is missing.
            raise Untold("a value is missing")
        is_first = False


def members(text: bytes, place: Span) -> list[Member]:
    """The members of the object at `place`, in order; a name may come again.

    The values may be no JSON. Raises `Untold`, also for a name that is no text.
    """
    if text[place.start : place.start + 1] != b"{":
        raise Untold("no object")
    children = list(_children(text, place))
    if len(children) == 1 and children[0][0].is_empty:
        return []
    found: list[Member] = []
    for child, colon in children:
        if colon is None:
            raise Untold("a member without a colon")
        try:
            name = json.loads(text[child.start : colon])
        except (ValueError, RecursionError):
            name = None
        value = _trimmed(text, colon + 1, child.end)
        if not isinstance(name, str) or value.is_empty:
            raise Untold("a member without a name or without a value")
        found.append(Member(name, value))
    return found


def whole(text: bytes) -> Span:
    """The place of the whole text's value."""
    return _trimmed(text, 0, len(text))


def _children(text: bytes, place: Span) -> Iterator[tuple[Span, int | None]]:
    """What stands between the commas of the array or object at `place`.

    With each its first colon, if any. The last bracket must be the last byte of `place`.
    """
    expected = [_CLOSING[text[place.start : place.start + 1]]]
    start = position = place.start + 1
    colon: int | None = None
    brackets = 0
    while found := (_NEXT_SIGN if len(expected) == 1 else _NEXT_BRACKET).match(
        text, position, place.end
    ):
        sign, position = found[1], found.end()
        if sign == b",":
            yield _trimmed(text, start, position - 1), colon
            start, colon = position, None
        elif sign == b":":
            colon = position - 1 if colon is None else colon
        elif sign in _CLOSING:
            expected.append(_CLOSING[sign])
            brackets += 1
        elif sign != expected.pop():
            # Also quotes that do not end, and the end of all where a bracket must stand.
            raise Untold("quotes or brackets without their counterpart")
        elif not expected:
            if position != place.end:
                raise Untold("more after the end")
            yield _trimmed(text, start, position - 1), colon
            return
        if brackets > MAX_BRACKETS:
            raise Untold(f"more than {MAX_BRACKETS:,} brackets")


def _trimmed(text: bytes, start: int, end: int) -> Span:
    while start < end and text[start] in _BLANK:
        start += 1
    while end > start and text[end - 1] in _BLANK:
        end -= 1
    return Span(start, end)


def plain_value(text: bytes) -> Any:
    """What the JSON in `text` says, if it has no fault that msgspec knows; else `msgspec.UNSET`.

    This is what most look like, and they need not be read a second time.
    """
    if _nesting(text) > MAX_NESTING:
        return msgspec.UNSET
    try:
        value = msgspec.json.decode(text)
        return value if says_names_once(text, msgspec.json.encode(value)) else msgspec.UNSET
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.UNSET


def says_names_once(text: bytes, written: bytes) -> bool:
    """Whether no object in `text` says a name twice; False also where that is not certain.

    `written` is what msgspec has read of `text`, as msgspec writes it. Of a name that comes again the
    last one is read, so that fewer members are written then. Blanks, escapes and numbers may be
    written in other ways. Raises `msgspec.DecodeError` where `text` is no JSON.
    """
    return text == written or has_as_many_names(without_blanks(text), written)


def without_blanks(text: bytes) -> bytes:
    """The JSON without blanks between its signs. Raises `msgspec.DecodeError` where it is no JSON."""
    return msgspec.json.format(text, indent=-1)


def has_as_many_names(compact: bytes, written: bytes) -> bool:
    """Whether JSON without blanks has as many names of members as what was written of it."""
    if _QUOTED_END in compact or _QUOTED_END in written:
        # A text may say this too, and could be taken for a name.
        return False
    return compact.count(_END_OF_NAME) == written.count(_END_OF_NAME)


def fault_of(text: bytes) -> str | None:
    """Why the JSON in `text` cannot be believed, in words that show nothing of it; None where it can.

    Half of a surrogate pair in an escape is taken: servers write it where they cut a text in the
    middle of an emoji. Numbers of any size are.
    """
    if _nesting(text) > MAX_NESTING:
        return f"it is nested more than {MAX_NESTING} deep"
    if plain_value(text) is not msgspec.UNSET:
        return None
    # What is wrong is told here, if anything is.
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    try:
        json.loads(decoded, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except _Fault as fault:
        return str(fault)
    except json.JSONDecodeError as error:
        # Without the place: `status` counts records by reason.
        return _WORDS.get(error.msg, "its quotes, commas or brackets are broken")
    except ValueError:
        return "a number in it has thousands of digits"
    return None


class _Fault(ValueError):
    """A fault of a JSON text; the message says which."""


_WORDS = {
    "Invalid control character at": "a string in it holds a control character",
    "Invalid \\escape": "a string in it holds an escape that is none",
    "Invalid \\uXXXX escape": "a string in it holds an escape that is cut off",
    "Unterminated string starting at": "a string in it has no end",
    "Extra data": "something follows it",
    "Expecting value": "a value in it is none",
}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise _Fault("an object in it says a name twice")
    return read


def _refuse_constant(name: str) -> None:
    raise _Fault(f"{name} in it is no JSON")


def _nesting(text: bytes) -> int:
    """How deep arrays and objects stand in each other, or a little more where it is not deep."""
    most = text.count(b"[") + text.count(b"{")
    if most <= MAX_NESTING:
        return most
    depth = deepest = 0
    for sign in _BRACKETS.findall(_STRING.sub(b"", text)):
        depth += 1 if sign in _CLOSING else -1
        deepest = max(deepest, depth)
    return deepest


_BRACKETS = re.compile(rb"[\[\]{}]")
