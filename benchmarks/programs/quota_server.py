"""Servers with limits of every kind, in real time, all in one process.

    python -m benchmarks.programs.quota_server SCALE

Each kind of `benchmarks.limiters` has a port of its own and answers everything with an empty page. The
first line tells the origins. Each line on standard input asks for what was admitted and refused: the
answer is one JSON object by kind.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field

import msgspec

from benchmarks.limiters import KINDS, Kind, Limiter

BODY = b'{"leads":[],"data":[],"next_cursor":null,"has_more":false}'


@dataclass
class Served:
    """What one server has seen."""

    kind: Kind
    limiters: list[Limiter]
    admitted: list[float] = field(default_factory=list)
    """When, in Unix seconds."""
    refused: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        while True:
            try:
                await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionResetError):
                writer.close()
                return
            now = time.time()
            answer = self.kind.admit(self.limiters, now)
            if answer.admitted:
                self.admitted.append(now)
            else:
                self.refused += 1
            status = "200 OK" if answer.admitted else "429 Too Many Requests"
            headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
            head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(BODY)}\r\n\r\n"
            writer.write(head.encode() + BODY)


async def _serve(scale: float) -> None:
    servers = [Served(kind, list(kind.make(scale))) for kind in KINDS]
    origins = []
    for served in servers:
        server = await asyncio.start_server(served.answer, "127.0.0.1", 0)
        origins.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    print(msgspec.json.encode(origins).decode(), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        told = [[served.admitted, served.refused] for served in servers]
        print(msgspec.json.encode(told).decode(), flush=True)


def main() -> None:
    """Serve until standard input ends."""
    asyncio.run(_serve(float(sys.argv[1])))


if __name__ == "__main__":
    main()
