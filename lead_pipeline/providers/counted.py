"""How an API counts its leads by the time of their creation, and lists them in that order.

    moment ──▶ Request for the newest leads since then, with their count
           └─▶ Request for the oldest ones since then, page by page

Belongs here: how to ask. Does not belong here: what follows from the answers
(`landing/vanished.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lead_pipeline.providers.base import Page, Request
from lead_pipeline.providers.fields import format_time


@dataclass(frozen=True)
class CountedList:
    """A list of leads that can be asked for those created at or after a moment.

    Its pages say in `Page.total` how many leads there are since that moment. So leads that have
    vanished are found without reading the whole list.
    """

    path: str
    read: Callable[[bytes], Page]
    max_requests: int
    """How many requests one search may take."""
    page_size: int
    """The largest page, in records."""
    since_parameter: str
    newest_first: Mapping[str, str]
    """What sorts by descending time of creation."""
    oldest_first: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    page_size_parameter: str = "limit"
    cursor_parameter: str = "cursor"
    format_time: Callable[[datetime], str] = format_time
    resolution: timedelta = timedelta(milliseconds=1)
    """What `format_time` cuts off is shorter than this."""

    def newest(self, since: datetime, records: int) -> Request:
        """The request for so many of the newest leads that were created since."""
        return self._request(since, records, self.newest_first)

    def oldest(self, since: datetime, cursor: str | None) -> Request:
        """The request for a page of the leads created since, the oldest first."""
        order = self.oldest_first
        if cursor is not None:
            order = {**order, self.cursor_parameter: cursor}
        return self._request(since, self.page_size, order)

    def _request(self, since: datetime, records: int, order: Mapping[str, str]) -> Request:
        asked = {
            self.since_parameter: self.format_time(since),
            self.page_size_parameter: str(records),
        }
        return Request(self.path, {**self.parameters, **asked, **order})
