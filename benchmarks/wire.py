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
DAYS = 30
"""So long before yesterday leads were created, as many each day, and changed within a day."""
START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
    days=DAYS + 2
)
STAGES = ("new", "contacted", "qualified", "booked")
_TARGET = re.compile(rb"GET ([^ ]+) ")
_ASKED = [
    (name, re.compile(rb"[?&]%b=([^&]+)" % name.encode()))
    for name in ("cursor", "limit", "sort_by", "sort_dir", "updated_since", "created_since")
]


def lead(number: int, version: int = 0) -> dict[str, object]:
    """Lead `number` as MEGA serves it. Its phone number and its texts are no other lead's.

    `version` tells states of one lead apart.
    """
    created = START + timedelta(seconds=number * 7_919 % (DAYS * 86_400))
    updated = created + timedelta(seconds=number * 104_729 % 86_400, minutes=version)
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
        leads.sort()
        self.times = [time for time, _ in leads]
        self.leads = [encoded for _, encoded in leads]

    def page(self, since: str | None, first: int, limit: int) -> bytes:
        """A page of the leads since then (inclusive); `first` is the place in the list."""
        start = 0 if since is None else bisect_left(self.times, since)
        first = max(first, start)
        after = first + limit
        cursor = b'"%d"' % after if after < len(self.leads) else b"null"
        return _page(self.leads[first:after], cursor, len(self.leads) - start)

    def newest(self, since: str | None, limit: int) -> bytes:
        """The last leads since then, the newest first."""
        start = 0 if since is None else bisect_left(self.times, since)
        found = self.leads[max(start, len(self.leads) - limit) :]
        return _page(found[::-1], b"null", len(self.leads) - start)


def _page(leads: list[bytes], cursor: bytes, total: int) -> bytes:
    return b'{"leads":[%b],"next_cursor":%b,"total":%d}' % (b",".join(leads), cursor, total)


class _Leads:
    """All leads, of which so many, spread over all, have changed at `moment`."""

    def __init__(self, leads: int, changed: int, moment: datetime) -> None:
        by_update, by_creation = [], []
        for number in range(leads):
            state = _state(number, leads // changed if changed else 0, moment)
            encoded = msgspec.json.encode(state)
            by_update.append((str(state["updated_at"]), encoded))
            by_creation.append((str(state["created_at"]), encoded))
        self._by_update, self._by_creation = _List(by_update), _List(by_creation)

    def answer(self, target: bytes) -> bytes:
        """The body for a request's target."""
        asked = {
            name: unquote(found[1].decode())
            for name, pattern in _ASKED
            if (found := pattern.search(target))
        }
        first, limit = int(asked.get("cursor", 0)), int(asked.get("limit", PAGE_SIZE))
        if asked.get("sort_by") != "created_at":
            return self._by_update.page(asked.get("updated_since"), first, limit)
        if asked.get("sort_dir") == "desc":
            return self._by_creation.newest(asked.get("created_since"), limit)
        return self._by_creation.page(asked.get("created_since"), first, limit)


def _state(number: int, every: int, moment: datetime) -> dict[str, object]:
    """A lead; each `every`-th one has changed at `moment`, a millisecond after the one before."""
    if not every or number % every:
        return lead(number)
    changed_at = moment + timedelta(milliseconds=number // every)
    return {**lead(number, 1), "updated_at": _text(changed_at)}


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
        process.stdout.close()


def main() -> None:
    """Serve as many leads as the arguments say; the origin is printed once it can be asked."""
    leads, changed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    # Later than what a crawl of the list before has seen, and not in the future.
    moment = datetime.now(UTC) - timedelta(seconds=10)
    handler = type("Handler", (_Handler,), {"leads": _Leads(leads, changed, moment)})
    gc.freeze()
    with _Server(("127.0.0.1", 0), handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
