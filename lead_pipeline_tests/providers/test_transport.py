"""Deadlines before any byte of HTTP, odd addresses, and proxies: a named error, in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from lead_pipeline.errors import ConfigurationError, LeadPipelineError, RetryableError
from lead_pipeline.providers.http import RetryPolicy
from lead_pipeline.providers.transport import BoundedTransport, Timeouts
from lead_pipeline_tests.providers.hostile_server import answer
from lead_pipeline_tests.providers.test_http import LEADS, Answer, Told, client_of, fetch, serving

TIMEOUTS = Timeouts(connect=0.5, read=20.0, headers=20.0, total=60.0)
LONGEST_SECONDS = 15.0
"""Below all but the deadline for connecting; machines that run tests are busy."""


def error_at(url: str) -> str:
    """What is said when `url` is asked once."""
    began = time.monotonic()
    with pytest.raises(RetryableError) as failure:
        fetch(client_of(url, retry=RetryPolicy(attempts=1), timeouts=TIMEOUTS))
    assert time.monotonic() - began < LONGEST_SECONDS
    return str(failure.value)


@contextmanager
def listening(sends: bytes = b"", pause: float = 0.05) -> Iterator[tuple[int, list[bytes]]]:
    """A port that takes connections and sends `sends` byte by byte; and what came first to it."""
    came: list[bytes] = []
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    came.append(connection.recv(4_096))
                    for byte in sends:
                        if ended.wait(pause):
                            return
                        connection.sendall(bytes([byte]))
                    ended.wait(60)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], came
        finally:
            ended.set()
            with suppress(OSError):
                socket.create_connection(server.getsockname(), 1).close()
            thread.join()


def test_host_that_takes_no_connection_is_given_up() -> None:
    """Its queue is full: the system drops whoever knocks."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = []
        for _ in range(4):
            knocking = socket.socket()
            knocking.setblocking(False)
            with suppress(BlockingIOError):
                knocking.connect(server.getsockname())
            waiting.append(knocking)
        try:
            message = error_at(f"http://127.0.0.1:{server.getsockname()[1]}")
        finally:
            for knocking in waiting:
                knocking.close()

    assert "a timeout (ConnectTimeout)" in message


@pytest.mark.parametrize("sends", [b"", b"\x16\x03\x03\x40\x00" + bytes(5_000)])
def test_tls_that_does_not_come_about_is_given_up(sends: bytes) -> None:
    with listening(sends) as (port, _):
        message = error_at(f"https://127.0.0.1:{port}")

    assert "a timeout (ConnectTimeout)" in message


def test_name_that_is_not_resolved_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver can take minutes, and nothing interrupts it."""
    given_up = threading.Event()

    def resolve(*args: object, **kwargs: object) -> None:
        given_up.wait(LONGEST_SECONDS)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    message = error_at("https://api.example.com")
    given_up.set()

    assert "a timeout (ConnectTimeout)" in message


def test_address_that_swallows_packets_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = socket.getaddrinfo
    with serving(Answer()) as server, socket.socket() as full:
        port = server.server_address[1]
        full.bind(("127.0.0.2", port))
        full.listen(0)
        knocking = [socket.socket() for _ in range(4)]
        for each in knocking:
            each.setblocking(False)
            with suppress(BlockingIOError):
                each.connect(full.getsockname())

        def both(host: str, *args: object, **kwargs: object) -> list[object]:
            if host != "localhost":
                return list(real(host, *args, **kwargs))  # type: ignore[arg-type]
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", both)
        timeouts = Timeouts(connect=4.0, read=20.0, headers=20.0, total=60.0)
        try:
            assert fetch(client_of(f"http://localhost:{port}", timeouts=timeouts)) == Answer().body
        finally:
            for each in knocking:
                each.close()


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://",
            "https://[::1",
            "https://[zz]",
            "https://a:99999",
            "https://a:x",
            "https://a b",
        ),
        *("https://xn--a", "https://" + "a" * 300, "https://.", "https://a..b", "https://-", "a"),
        *("https://a\x00b", "https://\u202e", "https://%zz", "ftp://127.0.0.1", "https://*", ""),
        *("http://127.0.0.1:0", "https://" + "\U0001f600" * 80 + ".example", "https://a\\b"),
    ],
)
def test_odd_base_url_is_a_named_error(url: str) -> None:
    with pytest.raises(LeadPipelineError) as failure:
        fetch(client_of(url, retry=RetryPolicy(attempts=1), timeouts=TIMEOUTS))

    assert str(failure.value).startswith("salon")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://[::1", "ftp://a"])
def test_proxy_that_cannot_be_used_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)

    with pytest.raises(ConfigurationError, match="HTTPS_PROXY, HTTP_PROXY, ALL_PROXY"):
        fetch(client_of("https://api.example.com"))


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_proxy_of_the_environment_is_asked_for_other_hosts(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as (port, came):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{port}")
        timeouts = Timeouts(connect=0.5, read=0.5, headers=0.5, total=1.0)
        with pytest.raises(RetryableError):
            fetch(
                client_of(
                    "https://api.example.com", retry=RetryPolicy(attempts=1), timeouts=timeouts
                )
            )

    assert came[0].startswith(b"CONNECT api.example.com:443 HTTP/1.1")


def test_host_without_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", ".example.com")
    asked: list[object] = []

    def resolve(host: str, *args: object, **kwargs: object) -> None:
        asked.append(host)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(RetryableError, match="a connection error"):
        fetch(client_of("https://api.example.com", retry=RetryPolicy(attempts=1)))

    assert asked == ["api.example.com"]


def test_transport_drops_what_could_come_back_or_lead_elsewhere() -> None:
    headers = {"Set-Cookie": "a=b", "Location": "http://127.0.0.1:9/"}
    with (
        serving(Answer(headers=headers)) as server,
        httpx.Client(
            transport=BoundedTransport(TIMEOUTS, httpx.create_ssl_context(), trust_env=False)
        ) as client,
    ):
        response = client.get(server.url)
        client.get(server.url)

    assert not {"set-cookie", "location"} & set(response.headers)
    assert "Cookie" not in server.asked[1]


def test_answer_that_came_before_its_question_is_not_taken() -> None:
    first, early, right = (answer(b'{"page": "%b"}' % name) for name in (b"1", b"early", b"2"))

    def serve(server: socket.socket) -> None:
        for sends in (first + early, right):
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(sends)
                # Until the client has had enough of this connection.
                while connection.recv(65_536):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        # Waits for a second connection for ever where the early answer is taken.
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        told = Told()
        with client_of(f"http://127.0.0.1:{server.getsockname()[1]}", told) as client:
            pages = [client.fetch(LEADS, lambda body: body) for _ in range(2)]
        assert pages == [b'{"page": "1"}', b'{"page": "2"}']
        assert told.retries == ["an answer that came before it was asked for"]
        thread.join()
