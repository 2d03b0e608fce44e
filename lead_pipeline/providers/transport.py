"""The connection under the HTTP client: what one answer may cost in time, bytes and memory.

    request ──▶ resolve, connect, TLS ──▶ headers ──▶ body, decompressed piece by piece ──▶ bytes
                └── each step has a deadline, each amount a bound; beyond them a named error

httpx bounds the silence between two reads and nothing else: a server that sends a byte now and
then, early hints without end, or a gigabyte packed into a megabyte would never be done. Here the
deadlines hold for whole steps, in the stream below HTTP, where nothing passes them by.

Belongs here: time and size of any answer. Does not belong here: what a status or a body means.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
import typing
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from lead_pipeline.errors import ConfigurationError, MalformedPage, RetryableError

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Of a body after decompression: some hundred times the largest page that was seen."""
MAX_WIRE_BYTES = 2 * MAX_BODY_BYTES
"""Of a whole answer as it travels: headers, early hints, and a body with its framing."""
MAX_HEADER_BYTES = 512 * 1024
"""Of all that comes before a body; a single block of headers has at most 100 kB (httpcore)."""
MAX_HEADERS = 200
ACCEPTED_ENCODING = "gzip"
_ENCODINGS = {"": False, "identity": False, "gzip": True, "x-gzip": True}
"""What a body can be packed with, and whether it has to be unpacked."""
MAX_MEMBERS = 1_000
"""Of a gzip stream; one is what servers send."""
_PIECE_BYTES = 64 * 1024
# Never needed, and harmful: a `Location` is not followed and may be no URL; cookies of a server
# would be sent back to it for ever; a body leaves here unpacked.
_DROPPED_HEADERS = frozenset({b"location", b"set-cookie", b"content-encoding", b"content-length"})

_CLOSING = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError)


@dataclass(frozen=True)
class Timeouts:
    """Seconds that steps of one request may take.

    `connect`: resolving the name, connecting and TLS together. `read`: silence between two pieces.
    `headers`: from the connection to the last header. `total`: the whole request.
    """

    connect: float = 10.0
    read: float = 60.0
    headers: float = 60.0
    total: float = 300.0


class _Watch:
    """The deadlines and bounds of the request that is under way."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self.begin()

    def begin(self) -> None:
        """A request begins."""
        self._began = self._connected_at = time.monotonic()
        self._connect_until = self._began
        self._received = 0
        self._waits_for_headers = True

    def headers_came(self) -> None:
        """All headers are there; the body follows."""
        self._waits_for_headers = False

    def connecting(self) -> None:
        """A connection is about to be made."""
        self._connect_until = time.monotonic() + self._timeouts.connect

    def connected(self) -> None:
        """It stands; the time for headers begins."""
        self._connected_at = time.monotonic()

    def left_to_connect(self) -> float:
        """Seconds left for name, connection and TLS. Raises `RetryableError` where none are."""
        left = min(self._connect_until, self._total_until) - time.monotonic()
        if left <= 0:
            raise RetryableError(f"no connection within {self._timeouts.connect:,.0f} s")
        return left

    def left(self) -> float:
        """Seconds left of the present step. Raises `RetryableError` where none are."""
        left = self._total_until - time.monotonic()
        if self._waits_for_headers:
            left = min(left, self._headers_until - time.monotonic())
        if left > 0:
            return left
        if self._waits_for_headers:
            raise RetryableError(f"headers that took over {self._timeouts.headers:,.0f} s")
        raise RetryableError(f"a body that took over {self._timeouts.total:,.0f} s")

    def received(self, size: int) -> None:
        """Count bytes that came. Raises `MalformedPage` where they are too many."""
        self._received += size
        if self._waits_for_headers and self._received > MAX_HEADER_BYTES:
            raise MalformedPage(f"more than {MAX_HEADER_BYTES:,} bytes before any body")
        if self._received > MAX_WIRE_BYTES:
            raise MalformedPage(f"an answer of more than {MAX_WIRE_BYTES:,} bytes")

    @property
    def has_received(self) -> bool:
        """Whether anything came since the request began."""
        return self._received > 0

    @property
    def _headers_until(self) -> float:
        return self._connected_at + self._timeouts.headers

    @property
    def _total_until(self) -> float:
        return self._began + self._timeouts.total


class _Stream(httpcore.NetworkStream):
    """A connection whose every read and write ends with the step that it is part of."""

    def __init__(self, inner: httpcore.NetworkStream, watch: _Watch) -> None:
        self._inner = inner
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Bytes that came, within the deadline."""
        try:
            data = self._inner.read(max_bytes, self._bounded(timeout))
        except httpcore.ReadTimeout:
            self._watch.left()
            raise
        self._watch.received(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`, within the deadline."""
        for start in range(0, len(buffer), _PIECE_BYTES):
            self._inner.write(buffer[start : start + _PIECE_BYTES], self._bounded(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """The same connection, encrypted: the time to connect holds for this too."""
        del timeout
        left = self._watch.left_to_connect()
        encrypted = self._inner.start_tls(ssl_context, server_hostname, left)
        self._watch.connected()
        return _Stream(encrypted, self._watch)

    def get_extra_info(self, info: str) -> typing.Any:
        """What httpcore wants to know of the socket."""
        return self._inner.get_extra_info(info)

    def _bounded(self, timeout: float | None) -> float:
        left = self._watch.left()
        return left if timeout is None else min(timeout, left)


class _Backend(httpcore.SyncBackend):
    """Connects within one deadline: the name, all its addresses, and TLS after it."""

    def __init__(self, watch: _Watch) -> None:
        self._watch = watch

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[typing.Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first of the host's addresses that answers."""
        del timeout
        self._watch.connecting()
        addresses = _resolved(host, port, self._watch.left_to_connect())
        for tried, address in enumerate(addresses):
            # One address that swallows packets must leave time for those after it.
            share = self._watch.left_to_connect() / (len(addresses) - tried)
            try:
                inner = super().connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if tried == len(addresses) - 1:
                    raise
            else:
                self._watch.connected()
                return _Stream(inner, self._watch)
        raise httpcore.ConnectError("the name has no address")


def _resolved(host: str, port: int, seconds: float) -> list[str]:
    """The addresses of `host`. The system's resolver has no timeout, so a thread waits for it."""
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=resolve, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise httpcore.ConnectTimeout("the name was not resolved in time") from None
    if isinstance(answer, Exception):
        raise httpcore.ConnectError("the name cannot be resolved") from answer
    return answer


@dataclass(frozen=True)
class Answer:
    """An answer whose headers are there and whose body is to come, unpacked."""

    status: int
    headers: Mapping[str, str]
    """By names in small letters."""
    pieces: Iterable[bytes]
    """Of the body; they can be read once."""
    close: Callable[[], None]
    """Give the connection back, or close it where the body has not ended."""


class BoundedTransport(httpx.BaseTransport):
    """Sends requests of one client, one at a time, and bounds what comes back.

    Raises `RetryableError` for what may pass, `MalformedPage` for answers beyond the bounds.
    Bodies come decompressed, without the headers that nobody here reads.
    """

    def __init__(self, timeouts: Timeouts, tls: ssl.SSLContext, *, trust_env: bool) -> None:
        """`trust_env`: whether proxies that the environment names are used."""
        self._watch = _Watch(timeouts)
        self._backend = _Backend(self._watch)
        self._tls = tls
        self._trust_env = trust_env
        self._pools: dict[str, httpcore.ConnectionPool] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; returns when the headers are there."""
        answer, is_packed = self._answered(as_it_travels(request))
        return httpx.Response(
            answer.status,
            headers=[(n, v) for n, v in answer.headers if n.lower() not in _DROPPED_HEADERS],
            stream=_Body(answer, is_packed=is_packed),
        )

    def ask(self, request: httpcore.Request) -> Answer:
        """Send `request`, which may be one that was sent before; returns when the headers are there.

        The same as `handle_request`, without what httpx makes of each request and answer: that takes
        longer than sending the one and reading the other.
        """
        answer, is_packed = self._answered(request)
        body = _Body(answer, is_packed=is_packed)
        return Answer(answer.status, readable_headers(answer.headers), body, body.close)

    def _answered(self, asked: httpcore.Request) -> tuple[httpcore.Response, bool]:
        """The answer, and whether its body is compressed."""
        self._watch.begin()
        with _named():
            answer = self._pool(asked.url).handle_request(asked)
        self._watch.headers_came()
        try:
            if not self._watch.has_received:
                # It lay behind the answer before it: whose page it is, nobody knows.
                raise RetryableError("an answer that came before it was asked for")
            is_packed = _is_packed(answer.headers)
        except RetryableError:
            answer.close()
            raise
        return answer, is_packed

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def _pool(self, url: httpcore.URL) -> httpcore.ConnectionPool:
        proxy = _proxy_of(url) if self._trust_env else ""
        if proxy not in self._pools:
            self._pools[proxy] = self._new_pool(proxy)
        return self._pools[proxy]

    def _new_pool(self, proxy: str) -> httpcore.ConnectionPool:
        if not proxy:
            return httpcore.ConnectionPool(self._tls, network_backend=self._backend)
        try:
            through = httpx.Proxy(proxy if "://" in proxy else f"http://{proxy}")
        except (httpx.InvalidURL, ValueError):
            raise ConfigurationError(
                "The proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) is no "
                "URL such as http://proxy.example.com:3128; correct it or remove the variable."
            ) from None
        if through.url.scheme not in ("http", "https"):
            raise ConfigurationError(
                f"The environment names a {through.url.scheme} proxy (HTTPS_PROXY, HTTP_PROXY, "
                "ALL_PROXY), and only http and https ones are supported; name such a one."
            )
        return httpcore.HTTPProxy(
            httpcore.URL(
                scheme=through.url.raw_scheme,
                host=through.url.raw_host,
                port=through.url.port,
                target=through.url.raw_path,
            ),
            proxy_auth=through.raw_auth,
            proxy_headers=through.headers.raw,
            ssl_context=self._tls,
            network_backend=self._backend,
        )


def _proxy_of(url: httpcore.URL) -> str:
    """The proxy that the environment names for `url`; empty for none."""
    if proxy_bypass(url.host.decode("ascii")):
        return ""
    named = getproxies()
    return named.get(url.scheme.decode("ascii")) or named.get("all") or ""


def as_it_travels(request: httpx.Request) -> httpcore.Request:
    """The request without what httpx knows besides."""
    url = request.url
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        ),
        headers=request.headers.raw,
        content=typing.cast("Iterable[bytes]", request.stream),
        extensions=request.extensions,
    )


def readable_headers(headers: list[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """The headers as httpx reads them; one that comes again is joined by a comma."""
    try:
        return _joined(headers, "utf-8")
    except UnicodeDecodeError:
        return _joined(headers, "latin-1")


def _joined(headers: list[tuple[bytes, bytes]], encoding: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode(encoding).lower(), raw_value.decode(encoding)
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _is_packed(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the body is compressed. Raises `MalformedPage` for headers that cannot be meant."""
    if len(headers) > MAX_HEADERS:
        raise MalformedPage(f"more than {MAX_HEADERS:,} headers")
    stated = [value for name, value in headers if name.lower() == b"content-encoding"]
    encoding = b",".join(stated).decode("latin-1").strip().lower()
    if encoding not in _ENCODINGS:
        raise MalformedPage("a body packed otherwise than asked for (gzip, once)")
    return _ENCODINGS[encoding]


class _Body(httpx.SyncByteStream):
    """A body as it comes, decompressed within the bound."""

    def __init__(self, answer: httpcore.Response, *, is_packed: bool) -> None:
        self._answer = answer
        self._is_packed = is_packed

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        with _named():
            pieces = typing.cast("Iterable[bytes]", self._answer.stream)
            for piece in _unpacked(pieces) if self._is_packed else pieces:
                size += len(piece)
                if size > MAX_BODY_BYTES:
                    raise MalformedPage(f"a body of more than {MAX_BODY_BYTES:,} bytes")
                yield piece

    def close(self) -> None:
        """Give the connection back, or close it where the body has not ended."""
        self._answer.close()


def _unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The content of a gzip stream of one or more members, in pieces that stay small."""
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    members, is_empty = 1, True
    try:
        for piece in pieces:
            waiting = piece
            while waiting:
                if member.eof:
                    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
                    members += 1
                    if members > MAX_MEMBERS:
                        raise MalformedPage(f"a body of more than {MAX_MEMBERS:,} gzip members")
                is_empty = False
                unpacked = member.decompress(waiting, _PIECE_BYTES)
                if unpacked:
                    yield unpacked
                waiting = member.unused_data if member.eof else member.unconsumed_tail
            # zlib may hold back what no longer fitted, after it has taken in all that came.
            while not member.eof and (unpacked := member.decompress(b"", _PIECE_BYTES)):
                yield unpacked
    except zlib.error:
        raise MalformedPage("a body that is not the gzip it says it is") from None
    if not (is_empty or member.eof):
        raise MalformedPage("a compressed body that is cut off")


@contextmanager
def _named() -> Iterator[None]:
    """What httpcore raises, as this package's own errors; no text of a server is shown."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise RetryableError(f"a timeout ({type(error).__name__})") from None
    except (*_CLOSING, httpcore.UnsupportedProtocol, httpcore.ConnectionNotAvailable) as error:
        raise RetryableError(f"a connection error ({type(error).__name__})") from None
