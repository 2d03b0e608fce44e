"""One API on loopback: hooks, limits, faults, and the bytes on the socket.

request ─▶ before_request hooks ─▶ limits ─▶ respond ─▶ fault ─▶ recorded ─▶ sent
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Generic, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

from lead_pipeline.sandbox.fault_kinds import KINDS
from lead_pipeline.sandbox.faults import Delivery, FaultPlan, FaultyApi
from lead_pipeline.sandbox.limits import Limits
from lead_pipeline.sandbox.messages import Request, Response
from lead_pipeline.sandbox.store import RecordStore

CONTROL_PREFIX = "/_sandbox/"

StoreT = TypeVar("StoreT", bound=RecordStore)
StoreT_co = TypeVar("StoreT_co", bound=RecordStore, covariant=True)
Hook = Callable[[Request], None]
Control = Callable[[Request], Response]


class Api(FaultyApi, Protocol[StoreT_co]):
    """A framework-free core."""

    @property
    def store(self) -> StoreT_co: ...
    @property
    def scopes(self) -> set[str]: ...
    def respond(self, request: Request) -> Response: ...


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it came, and the status it got (None: no answer was sent).

    received_at: seconds of the monotonic clock. Headers hold the secrets that were sent.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    status: int | None
    received_at: float
    body: bytes = b""


class ApiServer(Generic[StoreT]):
    """One imitated API, served by threads of this process.

    store: the records, free to change at any time. requests: what has been asked, in
    the order of the answers. faults: what goes wrong. limits: replace or change at
    will. before_request: callables that run before each request is answered. clock: the
    time that answers say in their `Date`; replace at will.
    """

    def __init__(
        self,
        name: str,
        api: Api[StoreT],
        limits: Limits,
        control: Control,
        port: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self.clock = clock
        self.limits = limits
        self.faults = FaultPlan(api, KINDS)
        self.requests: list[RecordedRequest] = []
        self.before_request: list[Hook] = []
        self._api = api
        self._control = control
        self._limits_lock = threading.Lock()
        self._port = port
        self._server: _HttpServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def store(self) -> StoreT:
        """The records behind the API."""
        return self._api.store

    @property
    def scopes(self) -> set[str]:
        """The rights of the key; empty it, and every request is refused with 403."""
        return self._api.scopes

    @property
    def url(self) -> str:
        """The origin, such as `http://127.0.0.1:40123`. RuntimeError before the start."""
        if self._server is None:
            raise RuntimeError(f"the sandbox of {self.name} has not been started")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begin to serve. Raises OSError when the port is taken."""
        self._server = _HttpServer(self._port, self._answer)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name=f"sandbox {self.name}"
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, close every connection, wait for every thread."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.stop()
        self._thread = None

    def _answer(self, request: Request) -> Delivery:
        if request.path.startswith(CONTROL_PREFIX):
            return Delivery(self._control(request))
        received_at = time.monotonic()
        for hook in list(self.before_request):
            hook(request)
        delivery = _dated(self._judge(request), self.clock())
        status = delivery.response.status if delivery.answered else None
        self.requests.append(
            RecordedRequest(
                request.method,
                request.path,
                request.query,
                request.headers,
                status,
                received_at,
                request.body,
            )
        )
        return delivery

    def _judge(self, request: Request) -> Delivery:
        with self._limits_lock:
            verdict = self.limits.admit()
        if not verdict.allowed:
            refusal = self._api.error(429, "Rate limit exceeded.")
            return Delivery(refusal.with_headers(verdict.headers))
        delivery = self.faults.deliver(request, self._api.respond(request), self.clock())
        headers = {**verdict.headers, **delivery.response.headers}
        return _with_headers(delivery, headers)


class _HttpServer(ThreadingHTTPServer):
    """A server whose open connections can be closed, so that no thread outlives it."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, port: int, answer: Callable[[Request], Delivery]) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def opened(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.add(connection)
            if self.stopping.is_set():
                # Accepted just before the end: whoever closes connections has been here.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def closed(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def stop(self) -> None:
        with self._open_lock:
            self.stopping.set()
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _HttpServer

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def handle(self) -> None:
        # A client that goes away in the middle is nobody's error here.
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, *unused: object) -> None:
        """Silence: what was asked is in `ApiServer.requests`."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        target = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            method=self.command,
            path=target.path,
            query=dict(parse_qsl(target.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        self._deliver(self.server.answer(request))

    def _deliver(self, delivery: Delivery) -> None:
        body = delivery.response.body
        piece = body[: delivery.sent]
        if delivery.answered and delivery.delay == 0:
            self.wfile.write(_head(delivery.response) + piece)
        elif delivery.answered:
            self._drip(_head(delivery.response), piece, delivery)
        if delivery.ending:
            self.close_connection = True
        if delivery.ending == "reset":
            self._reset()

    def _drip(self, head: bytes, body: bytes, delivery: Delivery) -> None:
        self.wfile.write(head)
        for begin in range(0, len(body), delivery.chunk):
            if self.server.stopping.wait(delivery.delay):
                return
            self.wfile.write(body[begin : begin + delivery.chunk])

    def _reset(self) -> None:
        """Close with a reset instead of an orderly end: linger for no time at all."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The socket really closes only after the files made from it.
        self.rfile.close()
        self.wfile.close()
        self.server.closed(self.connection)
        self.connection.close()


def _head(response: Response) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
        f"Content-Length: {len(response.body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _dated(delivery: Delivery, now: datetime) -> Delivery:
    """The answer with the server's time, unless it says one itself."""
    date = {"Date": format_datetime(now.astimezone(UTC), usegmt=True)}
    return _with_headers(delivery, {**date, **delivery.response.headers})


def _with_headers(delivery: Delivery, headers: Mapping[str, str]) -> Delivery:
    return replace(delivery, response=delivery.response.with_headers(headers))
