"""Telling people how far a crawl is, why it waits, and how long it still takes.

Belongs here: the words and numbers of progress. Does not belong here: where they are shown
(Dagster's log, a bar on a terminal).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

from lead_pipeline.logs import log_of
from lead_pipeline.providers.quota import Pause

_log = log_of(__name__)

NEWSWORTHY_SECONDS = 5.0
"""Waits shorter than this are told only when progress is due anyway."""


@dataclass(frozen=True)
class Progress:
    """One moment of a crawl."""

    account: str
    stream: str
    page: int
    records: int
    expected_pages: int | None
    """None where neither the provider nor an earlier crawl tells."""
    seconds_left: float | None
    message: str
    is_news: bool = False
    """Worth telling at once: a wait, a retry, a resumed crawl."""


class ProgressListener(Protocol):
    """Where progress is shown."""

    def __call__(self, progress: Progress) -> None:
        """Show it."""


_subscribers: list[ProgressListener] = []


@contextmanager
def subscribed(listener: ProgressListener) -> Iterator[None]:
    """Let `listener` hear of every crawl of this process during the block."""
    _subscribers.append(listener)
    try:
        yield
    finally:
        _subscribers.remove(listener)


class LogListener:
    """Passes progress on to a log, not more often than people read.

    With `forward` it also goes to all subscribers of the process, each time.
    """

    def __init__(
        self, log: Callable[[str], None], every_seconds: float = 15.0, *, forward: bool = True
    ) -> None:
        self._log = log
        self._every_seconds = every_seconds
        self._forward = forward
        self._logged_at = float("-inf")

    def __call__(self, progress: Progress) -> None:
        """Log it when it is news or enough time has passed."""
        if self._forward:
            for subscriber in _subscribers:
                subscriber(progress)
        now = time.monotonic()
        if progress.is_news or now - self._logged_at >= self._every_seconds:
            self._logged_at = now
            self._log(progress.message)


@dataclass
class ProgressReporter:
    """Follows one crawl and reports to `listener`: each page, each wait, each retry."""

    account: str
    stream: str
    listener: ProgressListener
    pages: int = 0
    records: int = 0
    expected_pages: int | None = None
    _started: float = field(default_factory=time.monotonic)
    _pages_before: int = 0

    def resumed(self, pages: int, records: int) -> None:
        """The crawl is resumed after `pages` that were landed earlier."""
        self.pages, self.records, self._pages_before = pages, records, pages
        self._report(f"resumed after page {pages:,}", is_news=True)

    def page(self, pages: int, records: int, expected_pages: int | None) -> None:
        """Page number `pages` came, `records` in all so far."""
        self.pages, self.records, self.expected_pages = pages, records, expected_pages
        self._report(self._position())

    def finished(self) -> None:
        """The crawl has read all that it was asked for."""
        self.expected_pages = self.pages
        self._report(f"done, {self.pages:,} pages, {self.records:,} records", is_news=True)

    def waiting(self, pause: Pause) -> None:
        """The crawl waits for the quota."""
        if pause.seconds >= NEWSWORTHY_SECONDS:
            _log.info("quota wait", waits_seconds=pause.seconds, reason=pause.reason)
        self._report(
            f"{self._position()}; waits {pause.seconds:,.1f} s: {pause.reason}",
            is_news=pause.seconds >= NEWSWORTHY_SECONDS,
        )

    def retrying(self, reason: str, seconds: float) -> None:
        """The crawl asks again."""
        _log.info("request failed", asks_again_in_seconds=seconds, reason=reason)
        self._report(
            f"{self._position()}; asks again in {seconds:,.1f} s after {reason}", is_news=True
        )

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the pages so far, or from the quota where that is slower."""
        if self.expected_pages is None or self.pages >= self.expected_pages:
            return None
        left = self.expected_pages - self.pages
        done = self.pages - self._pages_before
        if not done:
            return None
        return left * (time.monotonic() - self._started) / done

    def _position(self) -> str:
        if self.expected_pages is None or self.expected_pages < self.pages:
            return f"page {self.pages:,}, {self.records:,} records"
        position = f"page {self.pages:,} of {self.expected_pages:,}, {self.records:,} records"
        left = self.seconds_left
        if left is None or left < 5:
            return position
        minutes = f"{ceil(left / 60):,} min" if left > 90 else f"{ceil(left):,} s"
        done = self.pages - self._pages_before
        rate = 60 * done / max(time.monotonic() - self._started, 0.001)
        return f"{position}, {minutes} left at {rate:,.0f} a minute"

    def _report(self, message: str, *, is_news: bool = False) -> None:
        self.listener(
            Progress(
                self.account,
                self.stream,
                self.pages,
                self.records,
                self.expected_pages,
                self.seconds_left,
                f"{self.account}/{self.stream}: {message}",
                is_news,
            )
        )
