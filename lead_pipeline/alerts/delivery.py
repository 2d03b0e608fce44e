"""Sending to several servers at once, within a time that nobody can draw out.

    messages by channel ──a thread each──▶ servers
                        ◀──how many arrived, and why not all──

The time is kept by whoever waits, not by the servers' answers: also a name that is looked up without
end, or a server that answers a byte a second, ends with it. A thread that is given up keeps no
process alive.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lead_pipeline.alerts.channels import DeliveryFailed

SECONDS = 10.0
"""How long telling somebody may take, in all."""

Send = Callable[[float], None]
"""Sends something within so many seconds, or raises `DeliveryFailed`."""


@dataclass(frozen=True)
class Delivered:
    """How many of a channel's messages arrived, and why not all."""

    count: int
    failure: str | None


def deliver(sends: Mapping[str, Sequence[Send]], deadline: float) -> dict[str, Delivered]:
    """Send what there is, by channel, each channel's in their order up to the first that fails.

    `deadline` is a moment of the monotonic clock; what has not arrived by then has failed.
    """
    attempts = {name: _Attempt(name, list(of_channel)) for name, of_channel in sends.items()}
    for attempt in attempts.values():
        attempt.begin(deadline)
    return {name: attempt.end(deadline) for name, attempt in attempts.items()}


class _Attempt:
    """The messages of one channel on their way."""

    def __init__(self, name: str, sends: list[Send]) -> None:
        self._sends = sends
        self._count = 0
        self._failure: str | None = None
        self._name = name
        self._thread: threading.Thread | None = None

    def begin(self, deadline: float) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(deadline,), daemon=True, name=f"telling by {self._name}"
        )
        self._thread.start()

    def end(self, deadline: float) -> Delivered:
        """What has become of it by the deadline."""
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        count = self._count
        if count < len(self._sends) and self._failure is None:
            return Delivered(count, f"it took longer than {SECONDS:.0f} s.")
        return Delivered(count, self._failure)

    def _run(self, deadline: float) -> None:
        for send in self._sends:
            seconds = deadline - time.monotonic()
            if seconds <= 0:
                return
            try:
                send(seconds)
            except DeliveryFailed as error:
                self._failure = str(error)
                return
            except Exception as error:
                # Its text could hold what was sent, or the URL.
                self._failure = f"unexpected {type(error).__name__}. This is a defect; report it."
                return
            self._count += 1
