"""The list of one MEGA account, served over loopback as fast as Python can send bytes.

Pages are written once, before the first request, and a request costs one look-up: what is measured
against it is the client. Belongs here: a server for timing. Does not belong here: an API that
behaves as the real ones do (`lead_pipeline.sandbox` is that).
"""

from __future__ import annotations

import contextlib
import re
import socketserver
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import msgspec

CUSTOMER_ID = "3188627d-cd76-5390-a107-c7320562d96f"
TOKEN = "mega_" + "0" * 64
PAGE_SIZE = 100
START = datetime(2026, 1, 1, tzinfo=UTC)
STAGES = ("new", "contacted", "qualified", "booked")
_TARGET = re.compile(rb"GET ([^ ]+) ")
_CURSOR = re.compile(rb"[?&]cursor=(\d+)")
_LIMIT_ONE = re.compile(rb"[?&]limit=1(?:&|$)")


def lead(number: int, version: int = 0, *, minutes: int = 1) -> dict[str, object]:
    """Lead `number` as MEGA serves it. Its phone number and its texts are no other lead's.

    `version` tells states of one lead apart; a lead is updated `minutes` after the one before it.
    """
    created = START + timedelta(seconds=number % 86_400)
    updated = START + timedelta(minutes=number * minutes / 10 + version)
    stage = STAGES[(number + version) % len(STAGES)]
    return {
        "id": str(uuid.UUID(int=(4 << 76) | (8 << 60) | number)),
        "customer_id": CUSTOMER_ID,
        "contact_name": f"Jane Buyer {number}",
        "contact_phone": f"+1 ({201 + number // 8_000_000}) {200 + number // 10_000 % 800}-{number % 10_000:04}",
        "contact_email": f"Jane.{number}@Example{number % 997}.com",
        "source_platform": ("referral", "facebook", "google", "web")[number % 4],
        "source_type": "form",
        "status": "active",
        "score": (number * 7 + version) % 100,
        "qualified": None,
        "current_stage": {
            "id": str(uuid.UUID(int=(5 << 76) | (8 << 60) | STAGES.index(stage))),
            "slug": stage,
            "name": stage.title(),
            "color": "#22c55e",
        },
        "owner": {
            "id": str(uuid.UUID(int=(6 << 76) | (8 << 60) | number % 40)),
            "name": f"Agent {number % 40}",
            "role_name": "Closer",
        },
        "last_interaction_at": _text(updated),
        "interaction_count": version,
        "created_at": _text(created),
        "updated_at": _text(max(created, updated)),
        "custom_fields": {
            "lead_line": "buyer",
            "budget": str(number * 37 % 900_000),
            "notes": f"Asked for a call about listing {number * 7919 % 1_000_003}, prefers mornings.",
        },
    }


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


class _Pages:
    """The pages of `leads` leads by their cursors, as whole answers but for the date."""

    def __init__(self, leads: int) -> None:
        encode = msgspec.json.encode
        self.total = leads
        self.answers = [
            encode(
                {
                    "leads": [lead(n) for n in range(first, min(first + PAGE_SIZE, leads))],
                    "next_cursor": str(first + PAGE_SIZE) if first + PAGE_SIZE < leads else None,
                    "total": leads,
                }
            )
            for first in range(0, leads, PAGE_SIZE)
        ]
        self.nothing = encode({"leads": [], "next_cursor": None, "total": leads})

    def answer(self, target: bytes) -> bytes:
        """The body for a request's target."""
        cursor = _CURSOR.search(target)
        if b"sort_by=created_at" in target or _LIMIT_ONE.search(target):
            return self.nothing
        number = int(cursor[1]) // PAGE_SIZE if cursor else 0
        return self.answers[number] if self.answers else self.nothing


class _Handler(socketserver.BaseRequestHandler):
    pages: _Pages

    def handle(self) -> None:
        """Answer requests of one connection until it ends."""
        waiting = b""
        while piece := self.request.recv(65_536):
            waiting += piece
            while b"\r\n\r\n" in waiting:
                request, _, waiting = waiting.partition(b"\r\n\r\n")
                match = _TARGET.match(request)
                body = self.pages.answer(match[1] if match else b"")
                head = (
                    f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {formatdate(usegmt=True)}"
                    f"\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                self.request.sendall(head.encode() + body)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def served(leads: int) -> Iterator[str]:
    """The origin of a server of its own process, which ends with the block."""
    command = [sys.executable, "-m", "benchmarks.wire", str(leads)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None  # noqa: S101 - for the type checker
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Serve as many leads as the argument says; the origin is printed once it can be asked."""
    handler = type("Handler", (_Handler,), {"pages": _Pages(int(sys.argv[1]))})
    with _Server(("127.0.0.1", 0), handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
