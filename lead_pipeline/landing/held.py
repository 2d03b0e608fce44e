"""The leads of an account that are held as existing, in the order of their creation.

Belongs here: arithmetic on that order. Does not belong here: reading landed files (`landed.py`),
asking an API. Times are whole microseconds since 1970, UTC: exact, and cheap for many.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Moment = int
"""Microseconds since 1970."""


def moment_of(time: datetime) -> Moment:
    """The time in microseconds since 1970."""
    return (time - _BEGINNING) // MICROSECOND


def time_of(moment: Moment) -> datetime:
    """The inverse of `moment_of`."""
    return _BEGINNING + moment * MICROSECOND


@dataclass(frozen=True)
class HeldLeads:
    """Ids, and times of creation in ascending order; `places` belong to both."""

    ids: Sequence[str]
    created: Sequence[Moment]

    def place(self, moment: Moment) -> int:
        """The place of the first lead that was created at or after `moment`."""
        return bisect_left(self.created, moment)

    def count(self, low: Moment, high: Moment) -> int:
        """How many leads were created in `[low, high)`."""
        return self.place(high) - self.place(low)

    def created_in(self, low: Moment, high: Moment) -> dict[str, Moment]:
        """Those leads, with the times of their creation."""
        places = range(self.place(low), self.place(high))
        return {self.ids[place]: self.created[place] for place in places}

    def without(self, lead_ids: Collection[str]) -> HeldLeads:
        """All but these."""
        kept = [place for place, lead_id in enumerate(self.ids) if lead_id not in lead_ids]
        return HeldLeads([self.ids[p] for p in kept], [self.created[p] for p in kept])

    def between(self, low: Moment, high: Moment, resolution: Moment) -> Moment | None:
        """A moment that parts the leads created in `[low, high)` about in half.

        At least `resolution` away from the leads on both sides, and a multiple of it: however an
        API rounds times, and whether or not it takes the moment itself in, it counts the same. None
        where no two of the leads lie that far apart.
        """
        first, last = self.place(low), self.place(high)
        middle = (first + last) // 2
        for away in range(last - first):
            for place in (middle - away, middle + away):
                if not first < place < last:
                    continue
                before, after = self.created[place - 1], self.created[place]
                if after - before > 2 * resolution:
                    moment = (before + after) // 2
                    return moment - moment % resolution
        return None
