"""The list of one MEGA account, served over loopback as fast as Python can send bytes.

Leads are written once, before the first request, and a page is put together from them: what is
measured against it is the client. Windows by update and by creation are as the real list has them. Belongs here: a server for timing. Does not belong here: an API that
behaves as the real ones do (`lead_pipeline.sandbox` is that).
"""

from __future__ import annotations

import contextlib
import gc
import re
import socketserver
import subprocess
import sys
import uuid
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from urllib.parse import unquote

import msgspec

CUSTOMER_ID = "3188627d-cd76-5390-a107-c7320562d96f"
TOKEN = "mega_" + "0" * 64
PAGE_SIZE = 100
START = datetime(2026, 1, 1, tzinfo=UTC)
STAGES = ("new", "contacted", "qualified", "booked")
_TARGET = re.compile(rb"GET ([^ ]+) ")
_ASKED = [
    (name, re.compile(rb"[?&]%b=([^&]+)" % name.encode()))
    for name in ("cursor", "limit", "sort_by", "sort_dir", "updated_since", "created_since")
]


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


class _List:
    """Leads as they are served, in the order of one of their times."""

    def __init__(self, leads: list[tuple[str, bytes]]) -> None:
        self.times = [time for time, _ in leads]
        self.leads = [encoded for _, encoded in leads]

    def page(self, since: str | None, first: int, limit: int) -> bytes:
        """A page of the leads since then (inclusive); `first` is the place in the list."""
        start = 0 if since is None else bisect_left(self.times, since)
        first = max(first, start)
        after = first + limit
        cursor = f'"{after}"' if after < len(self.leads) else "null"
        return b'{"leads":[%b],"next_cursor":%b,"total":%d}' % (
            b",".join(self.leads[first:after]),
            cursor.encode(),
            len(self.leads) - start,
        )


class _Leads:
    """All leads, of which the last `changed` ones of a night have changed since `moment`."""

    def __init__(self, leads: int, changed: int = 0, moment: datetime | None = None) -> None:
        states = [self._state(number, leads, changed, moment) for number in range(leads)]
        encoded = [(state, msgspec.json.encode(state)) for state in states]
        self._by_update = _List(sorted((str(s["updated_at"]), text) for s, text in encoded))
        by_creation = sorted((str(s["created_at"]), text) for s, text in encoded)
        self._oldest_first = _List(by_creation)
        self._newest_first = [text for _, text in reversed(by_creation)]

    @staticmethod
    def _state(number: int, leads: int, changed: int, moment: datetime | None) -> dict[str, object]:
        """As every `leads / changed`-th lead is after it has changed."""
        if not changed or number % (leads // changed):
            return lead(number)
        state = lead(number, 1)
        order = number // (leads // changed)
        return {**state, "updated_at": _text((moment or START) + timedelta(milliseconds=order))}

    def answer(self, target: bytes) -> bytes:
        """The body for a request's target."""
        asked = {
            name: found[1].decode() for name, pattern in _ASKED if (found := pattern.search(target))
        }
        first, limit = int(asked.get("cursor", 0)), int(asked.get("limit", PAGE_SIZE))
        if asked.get("sort_by") == "created_at" or "created_since" in asked:
            since = unquote(asked["created_since"]) if "created_since" in asked else None
            if asked.get("sort_dir") == "desc":
                total = len(self._newest_first)
                page = b",".join(self._newest_first[first : first + limit])
                return b'{"leads":[%b],"next_cursor":null,"total":%d}' % (page, total)
            return self._oldest_first.page(since, first, limit)
        since = unquote(asked["updated_since"]) if "updated_since" in asked else None
        return self._by_update.page(since, first, limit)


class _Handler(socketserver.BaseRequestHandler):
    leads: _Leads

    def handle(self) -> None:
        """Answer requests of one connection until it ends."""
        waiting = b""
        while piece := self.request.recv(65_536):
            waiting += piece
            while b"\r\n\r\n" in waiting:
                request, _, waiting = waiting.partition(b"\r\n\r\n")
                match = _TARGET.match(request)
                body = self.leads.answer(match[1] if match else b"")
                head = (
                    f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {formatdate(usegmt=True)}"
                    f"\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                self.request.sendall(head.encode() + body)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def served(leads: int, changed: int = 0) -> Iterator[str]:
    """The origin of a server of its own process, which ends with the block.

    So many leads of them, spread over all, have `changed` just before it began to serve.
    """
    command = [sys.executable, "-m", "benchmarks.wire", str(leads), str(changed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None  # noqa: S101 - for the type checker
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Serve as many leads as the arguments say; the origin is printed once it can be asked."""
    leads, changed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    moment = datetime.now(UTC) - timedelta(minutes=1)
    handler = type("Handler", (_Handler,), {"leads": _Leads(leads, changed, moment)})
    gc.freeze()
    with _Server(("127.0.0.1", 0), handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
