"""The least that reading the list takes: loops over all pages that keep nothing.

    python -m benchmarks.programs.floors script|httpx|socket ORIGIN

script is the loop that people write, with `params` and `.json()`. The others make each request by hand,
and decode no more than the envelope of a page, since the cursor of the next stands in it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import msgspec

from benchmarks.wire import CUSTOMER_ID, PAGE_SIZE, TOKEN

PATH = (
    f"/api/agents/crm/leads?sort_by=updated_at&sort_dir=asc&limit={PAGE_SIZE}"
    "&include_custom_fields=true"
)
HEADERS = {"Authorization": f"Bearer {TOKEN}", "x-customer-id": CUSTOMER_ID}


class _Envelope(msgspec.Struct):
    leads: list[msgspec.Raw]
    next_cursor: str | None


_decode = msgspec.json.Decoder(_Envelope).decode


def by_httpx(origin: str) -> Iterator[bytes]:
    """The bodies, by one `httpx.Client`."""
    import httpx

    with httpx.Client(base_url=origin, headers=HEADERS) as client:
        cursor: str | None = ""
        while cursor is not None:
            answer = client.get(PATH + (f"&cursor={cursor}" if cursor else ""))
            answer.raise_for_status()
            cursor = yield answer.content


def by_script(origin: str) -> int:
    """How many leads the list has, by the loop that is in every script."""
    import httpx

    rows, parameters = 0, dict(parse_qsl(urlsplit(PATH).query))
    with httpx.Client(base_url=origin, headers=HEADERS) as client:
        while True:
            answer = client.get(urlsplit(PATH).path, params=parameters)
            answer.raise_for_status()
            page = answer.json()
            rows += len(page["leads"])
            if not page["next_cursor"]:
                return rows
            parameters["cursor"] = page["next_cursor"]


def by_socket(origin: str) -> Iterator[bytes]:
    """The bodies, by one socket."""
    url = urlsplit(origin)
    headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    with socket.create_connection((url.hostname, url.port or 80)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = connection.makefile("rb", buffering=1 << 18)
        cursor: str | None = ""
        while cursor is not None:
            path = PATH + (f"&cursor={cursor}" if cursor else "")
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\n{headers}\r\n".encode()
            )
            length = 0
            while (line := reader.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            cursor = yield reader.read(length)


def read_all(ask: Callable[[str], Iterator[bytes]], origin: str) -> int:
    """How many leads the list has, by reading all of it."""
    pages, rows = ask(origin), 0
    body = next(pages)
    while True:
        envelope = _decode(body)
        rows += len(envelope.leads)
        try:
            body = pages.send(envelope.next_cursor)  # type: ignore[attr-defined]
        except StopIteration:
            return rows


def main() -> None:
    """Read the list and tell its length."""
    kind, origin = sys.argv[1:]
    ways: dict[str, Callable[[str], int]] = {
        "script": by_script,
        "httpx": partial(read_all, by_httpx),
        "socket": partial(read_all, by_socket),
    }
    rows = ways[kind](origin)
    print(msgspec.json.encode({"rows": rows}).decode())


if __name__ == "__main__":
    main()
