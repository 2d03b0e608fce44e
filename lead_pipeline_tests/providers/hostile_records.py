"""Records as no server should write them, and what must become of each.

    a good record ──▶ HostileRecord: its bytes ──▶ lands | rejected | the page is not to be believed

Belongs here: bytes of single records. Does not belong here: what carries them
(`hostile_server.py`), what is checked (`test_hostile_records.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["lands", "rejected", "page"]
"""`page`: it cannot be told where the record ends."""


@dataclass(frozen=True)
class HostileRecord:
    """A record, and what must become of it. `is_known`: its id can be read although it is broken."""

    name: str
    payload: bytes
    verdict: Verdict
    reason: str = ""
    is_known: bool = True


BROKEN_VALUES: Mapping[str, tuple[bytes, str]] = {
    "NaN": (b"NaN", "NaN in it"),
    "Infinity": (b"Infinity", "Infinity in it"),
    "minus Infinity": (b"-Infinity", "-Infinity in it"),
    "5,000 digits": (b"9" * 5_000, "thousands of digits"),
    "nested 101 deep": (b"[" * 101 + b"]" * 101, "nested more than 100"),
    "nested 5,000 deep": (b"[" * 5_000 + b"]" * 5_000, "nested more than 100"),
    "objects nested 5,000 deep": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested more than 100"),
    "bytes that are no text": (b'"\xff\xfe"', "not UTF-8"),
    "half of a character": (b'"caf\xc3"', "not UTF-8"),
    "a surrogate as bytes": (b'"\xed\xa0\x80"', "not UTF-8"),
    "an overlong zero": (b'"\xc0\x80"', "not UTF-8"),
    "latin-1": ('"Zoë"'.encode("latin-1"), "not UTF-8"),
    "a zero byte": (b'"a\x00b"', "control character"),
    "a line break": (b'"a\nb"', "control character"),
    "a tab": (b'"a\tb"', "control character"),
    "an escape character": (b'"\x1b[31m"', "control character"),
    "an escape that is none": (b'"\\x41"', "escape that is none"),
    "an octal escape": (b'"\\033"', "escape that is none"),
    "an escape cut off": (b'"\\u00"', "cut off"),
    "an escape of no digits": (b'"\\uzzzz"', "cut off"),
    "a name twice": (b'{"a":1,"a":2}', "a name twice"),
    "a name twice in a list": (b'[{"a":1},{"a":1,"b":2,"a":1}]', "a name twice"),
    "a name twice, once escaped": (b'{"a":1,"\\u0061":2}', "a name twice"),
    "undefined": (b"undefined", "none"),
    "None": (b"None", "none"),
    "True": (b"True", "none"),
    "a plus sign": (b"+1", "none"),
    "a leading zero": (b"01", "quotes, commas"),
    "a point without digits": (b"1.", "quotes, commas"),
    "a point first": (b".5", "none"),
    "an exponent without digits": (b"1e", "quotes, commas"),
    "a minus alone": (b"-", "none"),
    "hexadecimal": (b"0x1F", "quotes, commas"),
    "two values": (b"1 2", "quotes, commas"),
    "a comment": (b"1 /* x */", "quotes, commas"),
    "single quotes": (b"'a'", "none"),
    "a comma too many in a list": (b"[1,]", "none"),
    "a comma too many in an object": (b'{"a":1,}', "quotes, commas"),
    "a missing colon": (b'{"a" 1}', "quotes, commas"),
    "a missing comma": (b'["a" "b"]', "quotes, commas"),
    "a name that is no text": (b"{1:2}", "quotes, commas"),
    "a name without quotes": (b"{a:2}", "quotes, commas"),
    "a non-breaking space": (b"1\xc2\xa0", "quotes, commas"),
    "a form feed": (b"1\x0c", "quotes, commas"),
    "a byte order mark": (b"\xef\xbb\xbf1", "none"),
    "8 MB": (b'"' + b"x" * 8_500_000 + b'"', "larger than"),
}

ODD_VALUES: Mapping[str, bytes] = {
    "1e999": b"1e999",
    "-1e999": b"-1e999",
    "1e-999": b"1e-999",
    "minus zero": b"-0",
    "30 digits": b"9" * 30,
    "4,000 digits": b"9" * 4_000,
    "5,000 digits after the point": b"0." + b"1" * 5_000,
    "nested 90 deep": b"[" * 90 + b"]" * 90,
    "an escaped zero": b'"a\\u0000b"',
    "half a surrogate pair": b'"half \\ud83d"',
    "the other half": b'"\\ude00 half"',
    "halves in the wrong order": b'"\\ude00\\ud83d"',
    "a surrogate pair": b'"\\ud83d\\ude00"',
    "a non-character": b'"\\uffff\xef\xbf\xbe"',
    "direction marks": '"\u202e\u2066\ufeff"'.encode(),
    "line separators": '"\u2028\u2029\x85"'.encode(),
    "SQL": b'"\'); drop table leads; --"',
    "brackets in a text": b'"}]},{\\"id\\":\\"x\\"}"',
    "a delete character": b'"\x7f"',
    "an empty name": b'{"":{"":[]}}',
    "a name of 10,000 letters": b'{"' + b"n" * 10_000 + b'":1}',
    "blanks": b" \r\n\t[ 1 , 2 ] ",
    "one MB": b'"' + b"x" * 1_000_000 + b'"',
    "escaped slashes": b'"\\/\\b\\f\\n\\r\\t\\\\\\""',
}

BROKEN_RECORDS: Mapping[str, bytes] = {
    "null": b"null",
    "a number": b"7",
    "a text": b'"jane@example.com"',
    "an empty list": b"[]",
    "a list of records": b'[{"id": "x"}]',
    "an empty object": b"{}",
    "true": b"true",
    "undefined": b"undefined",
    "a word": b"Traceback",
    "bytes": b"\xff\xfe",
    "two without a comma": b'{"id": "a"} {"id": "b"}',
}

WRONG_IDS: Mapping[str, bytes] = {
    "null": b"null",
    "a number": b"7",
    "empty": b'""',
    "blank": b'" \\n"',
    "an object": b"{}",
    "a list": b'["a"]',
    "of 600 characters": b'"' + b"i" * 600 + b'"',
    "NaN": b"NaN",
    "half a surrogate pair": b'"\\ud83d"',
}

WRONG_TIMES: Mapping[str, bytes] = {
    "null": b"null",
    "a number": b"1768000000",
    "the year 1": b'"0001-01-01T00:00:00Z"',
    "the year 9999": b'"9999-12-31T23:59:59Z"',
    "the year 10000": b'"10000-01-01T00:00:00Z"',
    "month 13": b'"2026-13-01T00:00:00Z"',
    "words": b'"yesterday evening"',
    "a date": b'"2026-01-02"',
    "other digits": '"\uff12\uff10\uff12\uff16-01-02T00:00:00Z"'.encode(),
    "an offset of 99 hours": b'"2026-01-02T00:00:00+99:00"',
    "a list": b"[]",
    "10,000 digits": b'"' + b"2" * 10_000 + b'"',
}

ENDLESS: Mapping[str, bytes] = {
    "a text without end": b'"jane',
    "a quote too many": b'"jane" doe"',
    "a list without end": b"[1",
    "an object without end": b'{"a": 1',
    "brackets that do not match": b"[1}",
    "a bracket too many": b"1}",
    "an escaped end": b'"jane\\"',
    "a backslash outside": b"\\",
}


def hostile_records(good: Mapping[str, Any], names: tuple[str, str]) -> Iterator[HostileRecord]:
    """Every hostile record, made of `good`; `names` are those of its id and its update time.

    All but those of the verdict `page` can stand in one page. Each has an id of its own.
    """
    id_name, time_name = names

    def record(number: int, /, **values: Any) -> dict[str, Any]:
        return {**good, id_name: f"hostile-{number:04d}", **values}

    numbers = iter(range(10_000))
    for name, (value, reason) in BROKEN_VALUES.items():
        for where, payload in _placed(record(next(numbers)), value):
            yield HostileRecord(f"{name} {where}", payload, "rejected", reason)
    for name, value in ODD_VALUES.items():
        for where, payload in _placed(record(next(numbers)), value):
            yield HostileRecord(f"{name} {where}", payload, "lands")
    for name, payload in BROKEN_RECORDS.items():
        yield HostileRecord(f"{name} for a record", payload, "rejected", is_known=False)
    for name, value, verdict, reason, is_known in _wrong_fields(id_name, time_name):
        payload = _with(record(next(numbers)), name, value)
        yield HostileRecord(f"{name}: {value[:30]!r}", payload, verdict, reason, is_known)
    for name in names:
        twice = json.dumps(record(next(numbers))).encode()[:-1] + b', "%b": "x"}' % name.encode()
        yield HostileRecord(f"{name} twice", twice, "rejected", "a name twice", name != id_name)


def _wrong_fields(id_name: str, time_name: str) -> Iterator[tuple[str, bytes, Verdict, str, bool]]:
    for value in WRONG_IDS.values():
        yield id_name, value, "rejected", "", False
    for value in WRONG_TIMES.values():
        yield time_name, value, "rejected", "no usable time", True
    # The number's second half is taken for a member; nobody knows what else is meant otherwise.
    yield "extra", b"1,5", "rejected", "", False
    for value in ENDLESS.values():
        yield "extra", value, "page", "", False


def _placed(record: Mapping[str, Any], value: bytes) -> Iterator[tuple[str, bytes]]:
    """The value as a field of the record, and deeper in it; ids differ."""
    yield "in a field", _with(record, "extra", value)
    deeper = {key: f"{v}-deep" if v == _id_of(record) else v for key, v in record.items()}
    yield "deeper", _with(deeper, "extra", b'{"x": [1, ' + value + b'], "y": "z"}')


def _id_of(record: Mapping[str, Any]) -> object:
    return next(v for v in record.values() if isinstance(v, str) and v.startswith("hostile-"))


def _with(record: Mapping[str, Any], name: str, value: bytes) -> bytes:
    """The record's JSON with these very bytes as the value of `name`."""
    mark = "the place of the value"
    text = json.dumps({**record, name: mark}, ensure_ascii=False).encode()
    return text.replace(json.dumps(mark).encode(), value)
