"""The sandbox's own endpoints, under `/_sandbox/` on each port.

For a person with curl: tests hold the objects themselves. Not rate-limited, and not recorded.

    GET  /_sandbox/clock     {"now": "..."}
    POST /_sandbox/clock     {"now": "..."}          moves all three APIs forward
    POST /_sandbox/faults    {"kind": "...", ...}    the fields of `Fault`
    GET  /_sandbox/requests  counts of this port by status
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from lead_pipeline.sandbox.faults import Fault, FaultPlan
from lead_pipeline.sandbox.messages import Request, Response, iso, json_response, read_time
from lead_pipeline.sandbox.server import CONTROL_PREFIX, Control, RecordedRequest


class Controlled(Protocol):
    """The server that is asked."""

    faults: FaultPlan
    requests: list[RecordedRequest]


class WorldClock(Protocol):
    """The clock of all three servers."""

    @property
    def now(self) -> datetime: ...
    def set_clock(self, at: datetime) -> None: ...


class _Clock(msgspec.Struct):
    now: str


def control(world: WorldClock, server: Callable[[], Controlled]) -> Control:
    """A function that answers the control endpoints of one server."""

    def clock(request: Request) -> Response:
        if request.method == "POST":
            world.set_clock(read_time(msgspec.json.decode(request.body, type=_Clock).now))
        return json_response({"now": iso(world.now)})

    def faults(request: Request) -> Response:
        server().faults.add(msgspec.json.decode(request.body, type=Fault))
        return json_response({"added": True})

    def requests(request: Request) -> Response:
        statuses = Counter(str(recorded.status) for recorded in list(server().requests))
        return json_response({"count": statuses.total(), "by_status": statuses})

    routes = {
        ("GET", "clock"): clock,
        ("POST", "clock"): clock,
        ("POST", "faults"): faults,
        ("GET", "requests"): requests,
    }

    def answer(request: Request) -> Response:
        route = routes.get((request.method, request.path.removeprefix(CONTROL_PREFIX)))
        if route is None:
            return json_response({"error": "no such control"}, 404)
        try:
            return route(request)
        except (ValueError, msgspec.MsgspecError) as problem:
            return json_response({"error": str(problem)}, 400)

    return answer
