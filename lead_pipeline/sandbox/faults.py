"""What can go wrong on the way to a client: which fault, and on which request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lead_pipeline.sandbox.messages import Request, Response

FOREVER = 1_000_000_000


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    kind: a key of `fault_kinds.KINDS`.
    at: the first request that it hits, counted from 1 since the fault was added,
        among the requests that the limits let pass and whose path contains
        `path_contains`; `times`: how many of them in a row (`FOREVER`: to the end).
    status: of kind "status". retry_after: seconds, of the "too_many_requests" kinds.
    headers: what "too_many_requests_with_headers" states, whatever it is.
    delay, chunk: seconds between two pieces and bytes of a piece, of "slow_body".
    field, value: what "wrong_type" (its score, when None), "huge_record" and the other
        record-level kinds write, and where; size: characters of "huge_record".
    position: where the extra record goes in, the middle when None.
    """

    kind: str
    at: int = 1
    times: int = 1
    path_contains: str = ""
    status: int = 500
    retry_after: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.05
    chunk: int = 1024
    field: str | None = None
    value: object = None
    size: int = 5_000_000
    position: int | None = None


@dataclass(frozen=True)
class Delivery:
    """How an answer goes out. `sent` bytes of the body leave, then the connection ends.

    sent: None for the whole body. ending: "" for the normal end, "close" for a
    connection closed early, "reset" for a reset (RST). delay: seconds after each
    piece of `chunk` bytes; 0 sends all at once.
    """

    response: Response
    sent: int | None = None
    ending: str = ""
    delay: float = 0.0
    chunk: int = 1024
    answered: bool = True


class FaultyApi(Protocol):
    """What a fault needs to know of an API."""

    @property
    def records_key(self) -> str: ...
    @property
    def tenant_field(self) -> str | None: ...
    @property
    def score_field(self) -> str: ...
    def error(self, status: int, message: str) -> Response: ...
    def unknown_cursor(self, number: int) -> str: ...


@dataclass(frozen=True)
class Exchange:
    """What a fault acts upon.

    response: what the API would have answered. page_before: the good page served
    before this one on the same path. cursor_before: the cursor of that request.
    number: how many requests the fault has hit, this one included. now: the server's time.
    """

    fault: Fault
    request: Request
    response: Response
    api: FaultyApi
    page_before: Response | None
    cursor_before: str | None
    number: int
    now: datetime


FaultFunction = Callable[[Exchange], Delivery]


@dataclass
class _Planned:
    fault: Fault
    seen: int = 0


@dataclass
class FaultPlan:
    """The faults of one server. Of several that hit a request, the first added wins."""

    api: FaultyApi
    kinds: Mapping[str, FaultFunction]
    _planned: list[_Planned] = field(default_factory=list)
    _pages: dict[str, tuple[str | None, Response]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Plan a fault. Raises ValueError for a kind that does not exist for this API."""
        if fault.kind not in self.kinds:
            raise ValueError(f"no such fault: {fault.kind!r}; there are {sorted(self.kinds)}")
        if fault.kind == "foreign_tenant" and self.api.tenant_field is None:
            raise ValueError("records of this API do not name their tenant")
        with self._lock:
            self._planned.append(_Planned(fault))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._planned.clear()

    def deliver(self, request: Request, response: Response, now: datetime) -> Delivery:
        """The answer as it goes out at `now`, damaged by the fault whose turn it is."""
        with self._lock:
            hit = self._hit(request)
            cursor_before, page_before = self._pages.get(request.path, (None, None))
            if response.status == 200:
                self._pages[request.path] = (request.query.get("cursor"), response)
        if hit is None:
            return Delivery(response)
        fault, number = hit
        return self.kinds[fault.kind](
            Exchange(fault, request, response, self.api, page_before, cursor_before, number, now)
        )

    def _hit(self, request: Request) -> tuple[Fault, int] | None:
        found = None
        for planned in self._planned:
            fault = planned.fault
            if fault.path_contains not in request.path:
                continue
            planned.seen += 1
            if found is None and fault.at <= planned.seen < fault.at + fault.times:
                found = (fault, planned.seen - fault.at + 1)
        return found
