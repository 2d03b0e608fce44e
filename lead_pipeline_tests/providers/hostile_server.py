"""A server that stands before a well one and answers as no server should.

    request ──▶ the well server's answer ──▶ Behaviour ──▶ bytes on the wire, pauses, a reset

`BEHAVIOURS` is the table: what each is called, what it sends, and what must come of it. Healed, the
server passes the well answers on. Belongs here: bytes on the wire. Does not belong here: what the
client makes of them (`test_hostile_servers.py`).
"""

from __future__ import annotations

import gzip
import http.client
import itertools
import json
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

RECORDS_KEYS = {"mega": "leads", "expert_ai_labs": "data", "vorel": "data", "deals": "results"}
LIST_PATHS = {
    "mega": "/api/agents/crm/leads",
    "expert_ai_labs": "/api/v1/leads",
    "vorel": "/api/v1/leads",
    "deals": "/v2/deals/search",
}
PERSONAL = "jane@example.com \x1b[31m +12065550199"
"""Must not be in any message."""
PAUSE = 0.04
"""Between two pieces of what trickles: far less than any silence that is taken for one."""


@dataclass(frozen=True)
class Reset:
    """The connection ends with RST."""


Step = bytes | float | Reset
"""Bytes to send, seconds to wait, or the end."""


@dataclass(frozen=True)
class Good:
    """What the well server answers."""

    slug: str
    body: bytes

    @property
    def page(self) -> dict[str, Any]:
        """The body, read."""
        page: dict[str, Any] = json.loads(self.body)
        return page

    def with_cursor(self, cursor: object) -> bytes:
        """The page, leading to `cursor`."""
        page = self.page
        if self.slug == "deals":
            page["paging"] = {"next": {"after": cursor}}
        else:
            page["next_cursor"] = cursor
        if "has_more" in page:
            page["has_more"] = True
        return json.dumps(page).encode()

    def with_records(self, records: object) -> bytes:
        """The page with other records."""
        return json.dumps({**self.page, RECORDS_KEYS[self.slug]: records}).encode()

    def starting_with(self, records: bytes) -> bytes:
        """The page with these bytes before its own records; they end with a comma."""
        start = self.body.index(b"[", self.body.index(f'"{RECORDS_KEYS[self.slug]}"'.encode())) + 1
        return self.body[:start] + records + self.body[start:]


@dataclass(frozen=True)
class Behaviour:
    """One way to answer: `steps` until the client has had enough.

    `error` is found in the message of the named error that must come of it; empty: all lands.
    `waits`: a wait is stated, which the next pull keeps to.
    """

    name: str
    steps: Callable[[Good], Iterator[Step]]
    error: str = ""
    waits: bool = False


CLOSES = b"Connection: close"
"""Said where another request follows: a client that is not told can send it too late."""


def answer(
    body: bytes, *headers: bytes, status: bytes = b"200 OK", length: bytes | None = None
) -> bytes:
    """A whole answer. `length` is what it says of its body instead of the truth."""
    stated = str(len(body)).encode() if length is None else length
    return _head(b"Content-Length: " + stated, *headers, status=status) + body


def _head(*headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = (b"HTTP/1.1 " + status, b"Content-Type: application/json", *headers)
    return b"\r\n".join((*lines, b"", b""))


_CHUNKED = _head(b"Transfer-Encoding: chunked")


def _chunk(piece: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(piece), extension, piece)


def _once(
    name: str, make: Callable[[Good], bytes], error: str = "", *, waits: bool = False
) -> Behaviour:
    return Behaviour(name, lambda good: iter([make(good)]), error, waits)


def _always(name: str, content: bytes, error: str) -> Behaviour:
    return _once(name, lambda good: content, error)


def _status(status: bytes, error: str, *headers: bytes) -> Behaviour:
    body = json.dumps({"error": PERSONAL}).encode()
    shown = b", ".join((status, *headers))[:40].decode("latin-1")
    return _always(f"status {shown}", answer(body, *headers, status=status), error)


def _with_headers(name: str, *headers: bytes) -> Behaviour:
    return _once(name, lambda good: answer(good.body, *headers))


def _leading_to(cursor: object) -> Callable[[Good], bytes]:
    return lambda good: answer(good.with_cursor(cursor), CLOSES)


def _refusing(status: bytes, wait: bytes) -> Callable[[Good], bytes]:
    return lambda good: answer(b"", b"Retry-After: " + wait, status=status + b" x")


def _trickled(content: bytes) -> Iterator[Step]:
    for place in range(len(content)):
        yield content[place : place + 1]
        yield PAUSE


def _forever(piece: bytes, pause: float = 0.0) -> Iterator[Step]:
    for _ in itertools.count():
        yield piece
        if pause:
            yield pause


def _packed(content: bytes) -> bytes:
    return answer(gzip.compress(content), b"Content-Encoding: gzip")


def _encoded(name: bytes, content: Callable[[bytes], bytes], error: str) -> Behaviour:
    return _once(
        f"encoding {name.decode()}",
        lambda good: answer(content(good.body), b"Content-Encoding: " + name),
        error,
    )


def _bomb(start: bytes) -> Callable[[Good], Iterator[Step]]:
    """A member that holds a hundred times its size, over and over."""

    def steps(good: Good) -> Iterator[Step]:
        del good
        blanks = _packed_blanks()
        yield _head(b"Content-Encoding: gzip") + gzip.compress(start)
        yield from _forever(blanks)

    return steps


@cache
def _packed_blanks() -> bytes:
    """A gzip member of a megabyte of blanks."""
    return gzip.compress(b" " * 1024**2, 1)


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


_TIMED = "a timeout|headers that took|a body that took"
_CONNECTION = "a connection error"
_BODY = "a body of"
_PACKED = "packed otherwise"

_SILENT = (
    Behaviour("closes at once", lambda good: iter(()), _CONNECTION),
    Behaviour("resets at once", lambda good: iter([Reset()]), _CONNECTION),
    Behaviour("says nothing", lambda good: iter([60.0]), _TIMED),
    Behaviour(
        "says nothing after the headers",
        lambda good: iter([_head(b"Content-Length: 9"), 60.0]),
        _TIMED,
    ),
    Behaviour("status line cut", lambda good: iter([b"HTTP/1.1 20"]), _CONNECTION),
    Behaviour(
        "status line without end", lambda good: _forever(b"HTTP/1.1 200 OK" * 1_000), _CONNECTION
    ),
    Behaviour(
        "closes after the headers", lambda good: iter([_head(b"Content-Length: 9")]), _CONNECTION
    ),
    Behaviour(
        "resets in the body",
        lambda good: iter([_cut(answer(good.body)), 0.05, Reset()]),
        _CONNECTION,
    ),
    Behaviour("closes in the body", lambda good: iter([_cut(answer(good.body))]), _CONNECTION),
    Behaviour("stops in the body", lambda good: iter([_cut(answer(good.body)), 60.0]), _TIMED),
)

_TRICKLES = (
    Behaviour(
        "headers trickle",
        lambda good: _trickled(answer(good.body, *[b"X: y"] * 99)),
        "headers that took",
    ),
    Behaviour(
        "headers trickle one by one",
        lambda good: itertools.chain([b"HTTP/1.1 200 OK\r\n"], _forever(b"X: y\r\n", PAUSE)),
        "headers that took",
    ),
    Behaviour(
        "early hints trickle",
        lambda good: _forever(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", PAUSE),
        "headers that took",
    ),
    Behaviour(
        "continues trickle",
        lambda good: _forever(b"HTTP/1.1 100 Continue\r\n\r\n", PAUSE),
        "headers that took",
    ),
    Behaviour(
        "early hints without end",
        lambda good: _forever(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
        "before any body|headers that took",
    ),
    Behaviour(
        "body trickles",
        lambda good: itertools.chain([_head(b"Content-Length: 9000")], _trickled(b" " * 9000)),
        "a body that took",
    ),
    Behaviour(
        "body without length trickles",
        lambda good: itertools.chain([_head()], _forever(b" ", PAUSE)),
        "a body that took",
    ),
    Behaviour(
        "chunks of a byte trickle",
        lambda good: itertools.chain([_CHUNKED], _forever(_chunk(b" "), PAUSE)),
        "a body that took",
    ),
    Behaviour(
        "a chunk extension trickles",
        lambda good: itertools.chain([_CHUNKED, b"1"], _forever(b";x", PAUSE)),
        "a body that took",
    ),
    Behaviour(
        "trailers trickle",
        lambda good: itertools.chain(
            [_CHUNKED, _chunk(good.body), b"0\r\n"], _forever(b"X: y\r\n", PAUSE)
        ),
        "a body that took",
    ),
    Behaviour(
        "a packed body trickles",
        lambda good: itertools.chain(
            [_head(b"Content-Encoding: gzip")], _trickled(gzip.compress(good.body) * 50)
        ),
        "a body that took",
    ),
    Behaviour(
        "empty members trickle",
        lambda good: itertools.chain(
            [_head(b"Content-Encoding: gzip")], _forever(gzip.compress(b""), PAUSE)
        ),
        "a body that took",
    ),
)

_FRAMES = (
    _always("garbage", bytes(range(256)) * 10, _CONNECTION),
    _always("a body without headers", b'{"data": []}', _CONNECTION),
    _always(
        "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x08\x07" + bytes(13), _CONNECTION
    ),
    _once("HTTP/1.0", lambda good: answer(good.body).replace(b"HTTP/1.1", b"HTTP/1.0")),
    _once("HTTP/3.7", lambda good: answer(good.body).replace(b"HTTP/1.1", b"HTTP/3.7")),
    _once("status of two digits", lambda good: answer(good.body, status=b"20 OK"), _CONNECTION),
    _once("status of four digits", lambda good: answer(good.body, status=b"2000 OK"), _CONNECTION),
    _once("status of letters", lambda good: answer(good.body, status=b"abc OK"), _CONNECTION),
    _once("status without a reason", lambda good: answer(good.body, status=b"200")),
    _once("reason of 50 kB", lambda good: answer(good.body, status=b"200 " + b"OK" * 25_000)),
    _once(
        "continues before the answer",
        lambda good: b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + answer(good.body),
    ),
    _always(
        "switches protocols",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        _CONNECTION,
    ),
    _once(
        "a header of 200 kB", lambda good: answer(good.body, b"X: " + b"y" * 200_000), _CONNECTION
    ),
    _once("a header of 50 kB", lambda good: answer(good.body, b"X: " + b"y" * 50_000)),
    _once(
        "too many headers",
        lambda good: answer(good.body, *[b"X: y"] * 500),
        "more than 200 headers",
    ),
    _once("a header without a colon", lambda good: answer(good.body, b"nothing"), _CONNECTION),
    _once("a header name with a blank", lambda good: answer(good.body, b"a b: c"), _CONNECTION),
    _once("a header with a zero byte", lambda good: answer(good.body, b"X: a\x00b"), _CONNECTION),
    _once("a folded header", lambda good: answer(good.body, b"X: a\r\n b")),
    _once(
        "a header that is no ASCII", lambda good: answer(good.body, b"X: \xff\xfe", b"Date: \xe9")
    ),
    _once("two lengths", lambda good: answer(good.body, b"Content-Length: 7"), _CONNECTION),
    _once("a negative length", lambda good: answer(good.body, length=b"-1"), _CONNECTION),
    _once("a length of letters", lambda good: answer(good.body, length=b"many"), _CONNECTION),
    _once(
        "a length of thirty digits", lambda good: answer(good.body, length=b"9" * 30), _CONNECTION
    ),
    _once(
        "a length of nineteen digits", lambda good: answer(good.body, length=b"9" * 19), _CONNECTION
    ),
    _once("a length that is too small", lambda good: answer(good.body, length=b"20"), _BODY),
    _once(
        "a length that is too large", lambda good: answer(good.body, length=b"999999"), _CONNECTION
    ),
    _once("no length", lambda good: _head() + good.body),
    Behaviour("no length and no end", lambda good: iter([_head() + good.body, 60.0]), _TIMED),
    _once("chunks", lambda good: _CHUNKED + _chunk(good.body) + _chunk(b"")),
    _once(
        "chunks of a byte",
        lambda good: b"".join([_CHUNKED, *(_chunk(bytes([b])) for b in good.body), _chunk(b"")]),
    ),
    _once(
        "chunks and a length",
        lambda good: (
            _head(b"Transfer-Encoding: chunked", b"Content-Length: 3")
            + _chunk(good.body)
            + _chunk(b"")
        ),
    ),
    _once(
        "an unknown transfer encoding",
        lambda good: answer(good.body, b"Transfer-Encoding: gzip"),
        _CONNECTION,
    ),
    _always("a chunk size of letters", _CHUNKED + b"zz\r\n", _CONNECTION),
    _always("a negative chunk size", _CHUNKED + b"-1\r\n", _CONNECTION),
    _always("a chunk size of thirty digits", _CHUNKED + b"f" * 30 + b"\r\n", _CONNECTION),
    _once("a chunk longer than it says", lambda good: _CHUNKED + b"5\r\n" + good.body, _CONNECTION),
    _once("no last chunk", lambda good: _CHUNKED + _chunk(good.body), _CONNECTION),
    Behaviour(
        "a chunk extension without end",
        lambda good: itertools.chain([_CHUNKED, b"1"], _forever(b";x" * 9_000)),
        _CONNECTION,
    ),
    Behaviour(
        "trailers without end",
        lambda good: itertools.chain([_CHUNKED, b"0\r\n"], _forever(b"X: y\r\n" * 9_000)),
        _CONNECTION,
    ),
    _once("two answers at once", lambda good: answer(good.body) * 2),
    _once(
        "cookies",
        lambda good: answer(
            good.body, *[b"Set-Cookie: a%d=%b" % (n, b"c" * 400) for n in range(100)]
        ),
    ),
    _once(
        "a link that is no URL",
        lambda good: answer(good.body, b"Location: http://[::1", b"Link: <\x01>; rel=next"),
    ),
)

_SIZES = (
    Behaviour(
        "a body without end",
        lambda good: itertools.chain([_head()], _forever(b" " * 65_536)),
        "more than",
    ),
    Behaviour(
        "chunks without end",
        lambda good: itertools.chain([_CHUNKED], _forever(_chunk(b" " * 65_536))),
        "more than",
    ),
    Behaviour(
        "chunk extensions without end",
        lambda good: itertools.chain([_CHUNKED], _forever(_chunk(b" ", b";" + b"x" * 60_000))),
        "more than",
    ),
    Behaviour("a bomb", _bomb(b'{"data": ["'), "more than"),
    Behaviour("a bomb of records", _bomb(b'{"data": [], "leads": ['), "more than"),
    Behaviour(
        "empty members without end",
        lambda good: itertools.chain(
            [_head(b"Content-Encoding: gzip")], _forever(gzip.compress(b"") * 1_000)
        ),
        "more than",
    ),
    _once(
        "blanks of 30 MB",
        lambda good: answer(
            gzip.compress(good.body) + _packed_blanks() * 30, b"Content-Encoding: gzip"
        ),
        "beside the records",
    ),
    _once("blanks of 900 kB", lambda good: answer(good.body + b" " * 900_000)),
    _once(
        "a million records",
        lambda good: _packed(good.starting_with(b"{}," * 1_000_000)),
        "more than",
    ),
    _once(
        "ten million numbers",
        lambda good: _packed(good.starting_with(b"1," * 10_000_000)),
        "more than 10,000 records",
    ),
    _once(
        "too many records",
        lambda good: answer(good.starting_with(b"{}," * 10_001)),
        "more than 10,000 records",
    ),
    _once(
        "an envelope of 20 MB",
        lambda good: _packed(b'{"x": [' + b"[]," * 6_000_000 + b"[]]," + good.body.lstrip()[1:]),
        "beside the records|more than",
    ),
    _once(
        "an envelope nested without end",
        lambda good: answer(
            b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"," + good.body.lstrip()[1:]
        ),
        _BODY,
    ),
    _once("brackets without end", lambda good: answer(b"[" * 1_000_000), _BODY),
    _once(
        "a cursor of 10 MB",
        lambda good: _packed(good.with_cursor("c" * 10_000_000)),
        "beside the records",
    ),
    _once(
        "a cursor of 10 kB",
        lambda good: answer(good.with_cursor("c" * 10_000)),
        "a cursor of more than",
    ),
    _once(
        "a cursor of 5,000 emoji",
        lambda good: answer(good.with_cursor("\U0001f600" * 5_000)),
        "a cursor of more than",
    ),
)

_PACKINGS = (
    _once("gzip", lambda good: _packed(good.body)),
    _encoded(b"x-gzip", gzip.compress, ""),
    _encoded(b"GZIP", gzip.compress, ""),
    _encoded(b"identity", bytes, ""),
    _once(
        "gzip in two members",
        lambda good: answer(
            gzip.compress(good.body[:50]) + gzip.compress(good.body[50:]), b"Content-Encoding: gzip"
        ),
    ),
    _once(
        "gzip byte by byte",
        lambda good: b"".join(
            [
                _head(b"Content-Encoding: gzip", b"Transfer-Encoding: chunked"),
                *(_chunk(bytes([b])) for b in gzip.compress(good.body)),
                _chunk(b""),
            ]
        ),
    ),
    _encoded(b"gzip, gzip", lambda body: gzip.compress(gzip.compress(body)), _PACKED),
    _once(
        "two encodings",
        lambda good: answer(
            gzip.compress(good.body), b"Content-Encoding: gzip", b"Content-Encoding: gzip"
        ),
        _PACKED,
    ),
    _encoded(b"deflate", zlib.compress, _PACKED),
    _encoded(b"br", bytes, _PACKED),
    _encoded(b"zstd", bytes, _PACKED),
    _encoded(b"aes128gcm, \x01", bytes, f"{_PACKED}|{_CONNECTION}"),
    _once(
        "gzip that is none",
        lambda good: answer(good.body, b"Content-Encoding: gzip"),
        "not the gzip",
    ),
    _once(
        "gzip that is not said",
        lambda good: answer(gzip.compress(good.body)),
        "neither JSON nor markup",
    ),
    _once(
        "gzip cut off",
        lambda good: answer(_cut(gzip.compress(good.body)), b"Content-Encoding: gzip"),
        "cut off",
    ),
    _once(
        "gzip without its sum",
        lambda good: answer(gzip.compress(good.body)[:-8], b"Content-Encoding: gzip"),
        "cut off",
    ),
    _once(
        "gzip with a wrong sum",
        lambda good: answer(gzip.compress(good.body)[:-8] + bytes(8), b"Content-Encoding: gzip"),
        "not the gzip",
    ),
    _once(
        "gzip with more after it",
        lambda good: answer(gzip.compress(good.body) + b"more", b"Content-Encoding: gzip"),
        "not the gzip",
    ),
)

_STATUSES = (
    *(_status(status, f"answered {status[:3].decode()}") for status in (b"202 Accepted", b"203 x", b"204 x", b"205 x", b"206 x", b"304 x", b"400 x", b"402 x", b"405 x", b"418 x", b"451 x")),
    _status(b"401 " + PERSONAL.encode().replace(b"\x1b", b"?"), "wrong or revoked"),
    _status(b"403 x", "may not read"),
    *(_status(status, status[:3].decode()) for status in (b"408 x", b"500 x", b"507 x", b"599 x", b"999 x")),
    *(
        _status(b"302 x", "a redirect", b"Location: " + place)
        for place in (b"http://[::1", b"http://\xff", b"//", b"file:///etc/passwd", b"http://a:99999/", b"x" * 60_000, b"http://xn--a/")
    ),
    _status(b"301 x", "a redirect"),
)  # fmt: skip

_BODIES = (
    _always("an empty body", answer(b""), _BODY),
    _always("markup", answer(f"<html>{PERSONAL}".encode()), "markup starting with '<html'"),
    _always("plain text", answer(PERSONAL.encode()), "neither JSON nor markup"),
    _once("JSON cut off", lambda good: answer(_cut(good.body)), _BODY),
    _once("JSON with more after it", lambda good: answer(good.body + b"x"), _BODY),
    _once("the page twice", lambda good: answer(good.body * 2), _BODY),
    _once("a byte order mark", lambda good: answer(b"\xef\xbb\xbf" + good.body), _BODY),
    _once("UTF-16", lambda good: answer(good.body.decode().encode("utf-16")), _BODY),
    _once("records are null", lambda good: answer(good.with_records(None)), _BODY),
    _once("records are an object", lambda good: answer(good.with_records({"0": {}})), _BODY),
    _once("records are a text", lambda good: answer(good.with_records(PERSONAL)), _BODY),
    _once("no records at all", lambda good: answer(b'{"next_cursor": null, "has_more": false, "total": 0}'), _BODY),
    _once("an array", lambda good: answer(b"[" + good.body + b"]"), _BODY),
    _once("null", lambda good: answer(b"null"), _BODY),
    _once("records twice", lambda good: answer(good.body.rstrip()[:-1] + b', "%b": []}' % RECORDS_KEYS[good.slug].encode()), "a name twice"),
    _once("a name twice in the envelope", lambda good: answer(b'{"x": {"y": 1, "y": 2},' + good.body.lstrip()[1:]), "a name twice"),
    _once("a cursor twice", lambda good: answer(b'{"next_cursor": "a", "next_cursor": "b",' + good.body.lstrip()[1:]), "a name twice"),
    _once("a cursor twice, once escaped", lambda good: answer(b'{"next_cursor": "a", "next\\u005fcursor": "b",' + good.body.lstrip()[1:]), "a name twice"),
    _once("NaN in the envelope", lambda good: answer(b'{"x": NaN,' + good.body.lstrip()[1:]), _BODY),
    _once("bytes that are no text in the envelope", lambda good: answer(b'{"x": "\xff",' + good.body.lstrip()[1:]), _BODY),
    *(
        _once(f"a cursor that is {cursor!r}"[:60], _leading_to(cursor), _BODY)
        for cursor in (7, 1.5, [], {}, ["a"], {"a": "b"})
    ),
    _once("a cursor with half a character", lambda good: answer(good.with_cursor("a").replace(b'"a"', b'"a\\ud83d"')), _BODY),
    *(
        _once(f"a cursor of {cursor!r}"[:60], _leading_to(cursor), "very records of")
        for cursor in ("same", "\x00\x01\x1f\x7f", "\r\nX-Injected: yes", "&limit=1#?/../%00", "\U0001f600\u202e\ufeff", " ", "c" * 8_000)
    ),
)  # fmt: skip

_QUOTAS = (
    *(
        _with_headers(f"{name.decode()}: {value.decode()[:30]}", b"%b: %b" % (name, value))
        for name in (b"X-RateLimit-Remaining", b"RateLimit-Reset", b"Date", b"Retry-After")
        for value in (b"-1e999", b"nan", b"9" * 400, b"Fri, 31 Dec 9999 23:59:59 GMT", b"Mon, 01 Jan 0001 00:00:00 -9999", b"")
        if (name, value) != (b"X-RateLimit-Remaining", b"-1e999")
    ),
    *(
        _once(
            f"{status.decode()} for {value.decode()[:30]}",
            _refusing(status, value),
            "failed|come back",
            waits=True,
        )
        for status in (b"429", b"503")
        for value in (b"1e18", b"30000", b"3600", b"soon", b"-5", b"Fri, 31 Dec 9999 23:59:59 GMT", b"1795692000000", b"9" * 5_000)
    ),
    _with_headers("none remain for ever", b"X-RateLimit-Limit: 60", b"X-RateLimit-Remaining: 0", b"X-RateLimit-Reset: 1e18"),
)  # fmt: skip

BEHAVIOURS: Mapping[str, Behaviour] = {
    behaviour.name: behaviour
    for behaviour in (*_SILENT, *_TRICKLES, *_FRAMES, *_SIZES, *_PACKINGS, *_STATUSES, *_BODIES, *_QUOTAS)
}  # fmt: skip


class HostileServer:
    """Stands before the server at `upstream`; requests of the list are answered by `behaviour`."""

    def __init__(self, slug: str, upstream: str) -> None:
        self.behaviour: Behaviour | None = None
        """None: healed."""
        self.cursors: list[str | None] = []
        """Those that requests of the list asked for; None is the first page."""
        self._slug = slug
        self._upstream = urlsplit(upstream).netloc
        self._stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._thread = threading.Thread(target=self._accept)

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @contextmanager
    def running(self) -> Iterator[HostileServer]:
        """Serve for the block."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            # A connection of our own ends the wait for one.
            with suppress(OSError):
                socket.create_connection(self._socket.getsockname(), 1).close()
            self._thread.join()
            self._socket.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            connection, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # What the client has closed cannot be sent to.
        with connection, suppress(OSError):
            connection.settimeout(30)
            while request := _read_request(connection):
                is_list = urlsplit(request.path).path == LIST_PATHS[self._slug]
                if is_list:
                    self.cursors.append(request.cursor)
                if self.behaviour is None or not is_list:
                    connection.sendall(self._ask(request)[0])
                    continue
                # The cursor may be an invention of ours: the well server knows its first page.
                _, body = self._ask(request.without_cursor())
                for step in self.behaviour.steps(Good(self._slug, body)):
                    if self._stopped.is_set() or not _take(connection, step):
                        return
                return

    def _ask(self, request: _Asked) -> tuple[bytes, bytes]:
        """The well server's answer: as bytes to pass on, and its body."""
        upstream = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            upstream.request(request.method, request.path, request.body, request.headers)
            response = upstream.getresponse()
            body = response.read()
        finally:
            upstream.close()
        kept = [
            f"{name}: {value}".encode()
            for name, value in response.getheaders()
            if name.lower() not in ("content-length", "content-type", "connection")
        ]
        return answer(body, *kept, status=f"{response.status} {response.reason}".encode()), body


@dataclass(frozen=True)
class _Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def cursor(self) -> str | None:
        """The cursor in the query or in the body."""
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        asked: str | None = query.get("cursor", [None])[0]
        return json.loads(self.body).get("after") if self.body else asked

    def without_cursor(self) -> _Asked:
        """The request for the first page."""
        place, _, query = self.path.partition("?")
        rest = "&".join(part for part in query.split("&") if not part.startswith("cursor="))
        if not self.body:
            return replace(self, path=f"{place}?{rest}")
        body = {name: value for name, value in json.loads(self.body).items() if name != "after"}
        content = json.dumps(body).encode()
        headers = {**self.headers, "Content-Length": str(len(content))}
        return replace(self, headers=headers, body=content)


def _read_request(connection: socket.socket) -> _Asked | None:
    came = b""
    while b"\r\n\r\n" not in came:
        piece = connection.recv(65_536)
        if not piece:
            return None
        came += piece
    head, _, body = came.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("Content-Length", "0")):
        body += connection.recv(65_536)
    method, path, _ = first.split(" ")
    return _Asked(method, path, headers, body)


def _take(connection: socket.socket, step: Step) -> bool:
    """Take one step; False where it was the last, or the client has gone."""
    if isinstance(step, bytes):
        connection.sendall(step)
        return True
    if isinstance(step, Reset):
        # No time to linger: what is under way is dropped, and the client gets RST.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    connection.settimeout(step)
    try:
        # The client sends no more: bytes or their end mean that it has gone.
        return bool(connection.recv(1))
    except TimeoutError:
        return True
    finally:
        connection.settimeout(30)
