"""Counting the leads of an API since a moment, however many are created meanwhile.

    moment ──▶ the newest leads since then, and their total ──▶ how many of the total are old enough

The newest leads stand in the same answer as the total. So those that were created since the search
began are told apart, and two counts can be compared although time has passed between them. Belongs
here: requests and whether their answers make sense. Does not belong here: what leads are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from lead_pipeline.landing.held import Moment, moment_of, time_of
from lead_pipeline.providers.base import Identity, Page, Provider, Request, UnusableRecord
from lead_pipeline.providers.counted import CountedList
from lead_pipeline.providers.http import ApiClient

ATTEMPTS = 3
"""How often an answer may disagree with itself: while it is made, leads come and go."""


class DoesNotCount(Exception):
    """The API does not count, filter or sort as its documents say; the message says in what."""


class RequestsSpent(Exception):
    """No request remains of those that a search may take."""


class Shown(msgspec.Struct, frozen=True):
    """A lead of a page; what could not be read is None."""

    lead_id: str | None
    created: Moment | None


@dataclass(frozen=True)
class Listing:
    """All leads that were created in a range."""

    leads: Sequence[Shown]
    """Also those of the same pages that were created later."""
    at: datetime
    """When the last page came, by our clock."""

    @property
    def is_readable(self) -> bool:
        """Whether each lead said its id: else any may be the one that is looked for."""
        return all(lead.lead_id is not None for lead in self.leads)


@dataclass
class Counts:
    """The counts of one account's API of leads that were created before `end`."""

    client: ApiClient
    provider: Provider
    asking: CountedList
    end: Moment
    shown: dict[str, Moment | None] = field(default_factory=dict)
    """When each lead that any page showed was created, as the last of them said."""
    _records: int = 1
    """How many of the newest leads a count asks for: one more than are expected to be too young."""

    @property
    def left(self) -> int:
        """How many requests remain."""
        return self.asking.max_requests - self.client.counters.requests

    def check(self) -> None:
        """See that the API filters, counts and sorts.

        Raises `DoesNotCount`, also when too many leads are younger than `end` to tell them apart.
        """
        for _ in range(ATTEMPTS):
            total, leads = self._newest(self.end, self.asking.page_size)
            if len(leads) == self.asking.page_size:
                raise DoesNotCount(
                    f"{total:,} leads are younger than {time_of(self.end):%Y-%m-%d %H:%MZ}, more "
                    "than a page can tell apart"
                )
            if total == len(leads):
                self._records = min(self.asking.page_size, 1 + 2 * total)
                return
        raise DoesNotCount("its total is not the number of leads that it lists")

    def since(self, moment: Moment) -> int:
        """How many leads were created in `[moment, end)`, all as of one instant."""
        disagreed = 0
        while disagreed < ATTEMPTS:
            total, leads = self._newest(moment, self._records)
            old = (place for place, lead in enumerate(leads) if _is_before(lead, self.end))
            young = next(old, len(leads))
            if total == len(leads) or (total > len(leads) and young < len(leads)):
                return total - young
            if total > len(leads) == self._records < self.asking.page_size:
                self._records = min(self.asking.page_size, 4 * self._records)
            else:
                disagreed += 1
        raise DoesNotCount("its total does not agree with the leads that it lists")

    def listing(self, low: Moment, high: Moment) -> Listing:
        """The leads created in `[low, high)`, read page by page."""
        leads: list[Shown] = []
        cursor: str | None = None
        while True:
            page = self._fetch(self.asking.oldest(time_of(low), cursor))
            came = self._read(page, low)
            times = [lead.created for lead in [*leads[-1:], *came] if lead.created is not None]
            if times != sorted(times):
                raise DoesNotCount("it does not sort by time of creation")
            leads += came
            cursor = page.next_cursor
            if cursor is None or not came or (times and times[-1] >= high):
                return Listing(leads, datetime.now(UTC))

    def _fetch(self, request: Request) -> Page:
        if self.left <= 0:
            raise RequestsSpent
        return self.client.fetch(request, lambda body: self.asking.read(body or b""))

    def _newest(self, since: Moment, records: int) -> tuple[int, list[Shown]]:
        page = self._fetch(self.asking.newest(time_of(since), records))
        leads = self._read(page, since)
        times = [lead.created for lead in leads if lead.created is not None]
        if times != sorted(times, reverse=True):
            raise DoesNotCount("it does not sort by time of creation")
        if page.total is None:
            raise DoesNotCount("it does not say how many leads there are")
        if page.next_cursor is not None and page.total == len(leads):
            raise DoesNotCount("its total is that of a page")
        return page.total, leads

    def _read(self, page: Page, since: Moment) -> list[Shown]:
        leads = [self._lead(record) for record in page.records]
        if any(_is_before(lead, since) for lead in leads):
            raise DoesNotCount("it lists leads that were created before the moment asked for")
        self.shown |= {lead.lead_id: lead.created for lead in leads if lead.lead_id is not None}
        return leads

    def _lead(self, record: msgspec.Raw) -> Shown:
        try:
            found = self.provider.identity(self.provider.records_stream.name, record)
        except UnusableRecord as unusable:
            return _shown(unusable)
        return _shown(found)


def _shown(lead: Identity | UnusableRecord) -> Shown:
    created = lead.created_at
    return Shown(lead.record_id, None if created is None else moment_of(created))


def _is_before(lead: Shown, moment: Moment) -> bool:
    return lead.created is not None and lead.created < moment
