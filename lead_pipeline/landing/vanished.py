"""Finding the leads that have vanished from a list, by halving where its counts disagree.

    held leads, counts ──▶ ranges that disagree ──halved──▶ small ranges ──listed──▶ vanished leads

A range of times of creation disagrees where the API counts other leads than are held. It is halved
until a page can show all of it; what the page does not show is looked for a second time before it
counts as vanished. Ends when the counts agree without what was found. Belongs here: the search.
Does not belong here: how counts are asked for (`counts.py`), when to search (`absences.py`).

What it cannot see: a lead that vanished and one that was never held, both created in one of the
ranges that are compared, cancel each other out. A later full crawl shows both.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import ceil, inf, log2

from lead_pipeline.landing.counts import Counts, Listing
from lead_pipeline.landing.held import MICROSECOND, HeldLeads, Moment

PIECES = 8
"""Into so many pieces the leads are parted at first: fewer ranges hide what cancels out."""
ROOM = 10
"""Places of a page that are left for leads that are not held."""
MOST_IDLE = 2
"""How often counts may differ where lists agree: leads vanish while counts are asked for."""
MOST_UNHELD = 1_000
"""More leads that have not landed are not told apart one by one."""

Stretch = tuple[Moment, Moment]
"""From the first moment until just before the second."""


class TooMuchDiffers(Exception):
    """More leads have vanished, or are not held, than the requests that remain can find."""

    def __init__(self, vanished: int, unheld: int) -> None:
        super().__init__()
        self.vanished = vanished
        self.unheld = unheld


class Unexplained(Exception):
    """Counts go on disagreeing in ranges whose lists agree with what is held."""


@dataclass(frozen=True)
class Range:
    """Leads created in `[low, high)`; how many are counted at or after both."""

    low: Moment
    high: Moment
    counted_low: int
    counted_high: int
    expected: int

    @property
    def lacking(self) -> int:
        """How many leads the API counts less than are expected; below zero: more."""
        return self.expected - (self.counted_low - self.counted_high)


@dataclass
class Search:
    """One search. `found` and `unheld` are what it has come to so far.

    `unheld` are leads that the API lists and that have not landed, by the digest of their ids: those
    that the search before found, and its own.
    """

    counts: Counts
    held: HeldLeads
    stretches: Sequence[Stretch]
    """Of which times of creation all leads have landed; the last one ends with the counts."""
    unheld: dict[str, Moment] = field(default_factory=dict)
    digest: Callable[[str], str] = lambda lead_id: digest_of(lead_id)
    """By what a lead that has not landed is noted."""
    _vanished: dict[str, datetime] = field(default_factory=dict)
    _created_unheld: list[Moment] = field(default_factory=list)

    def run(self) -> None:
        """Search until the counts agree.

        Raises `TooMuchDiffers`, `RequestsSpent`, `Unexplained` and what the client raises; what was
        found until then stays valid. After `DoesNotCount` none of it is to be believed.
        """
        self.counts.check()
        pieces, idle = PIECES, 0
        while ranges := self._compared(pieces):
            if self._listed_again(self._halved(ranges)):
                idle = 0
            elif idle == MOST_IDLE:
                raise Unexplained
            else:
                idle += 1
            # From here on, what was found is expected to be gone: do the counts agree now?
            pieces = 1

    @property
    def found(self) -> dict[str, datetime]:
        """The leads that have vanished, and when a page first did not show them."""
        shown = self.counts.shown
        return {lead: at for lead, at in self._vanished.items() if lead not in shown}

    def _compared(self, pieces: int) -> list[Range]:
        """The ranges that disagree, out of about so many that are compared."""
        self._created_unheld = sorted(self.unheld.values())
        most = max(self._page, ceil(len(self.held.created) / pieces))
        ranges = []
        for low, high in self.stretches:
            bounds = [low, *self._parted(low, high, most), high]
            counted = [self._since(bound) for bound in bounds]
            places = zip(pairwise(bounds), pairwise(counted), strict=True)
            ranges += [self._range(*bound, *count) for bound, count in places]
        return [piece for piece in ranges if piece.lacking]

    def _parted(self, low: Moment, high: Moment, most: int) -> Iterator[Moment]:
        """Bounds between ranges of at most so many held leads."""
        middle = None
        if self.held.count(low, high) > most:
            middle = self.held.between(low, high, self._resolution)
        if middle is not None:
            yield from self._parted(low, middle, most)
            yield middle
            yield from self._parted(middle, high, most)

    def _halved(self, ranges: Sequence[Range]) -> list[tuple[Range, dict[str, datetime]]]:
        """The small ranges that disagree, with the leads that their lists do not show."""
        suspects = []
        left = deque(ranges)
        reserved = 0
        while left:
            self._refuse_too_many(left, reserved)
            piece = left.popleft()
            middle = None
            if self._halving_cost(piece) < 2 * self._pages(piece):
                middle = self.held.between(piece.low, piece.high, self._resolution)
            if middle is not None:
                counted = self._since(middle)
                halves = (
                    self._range(piece.low, middle, piece.counted_low, counted),
                    self._range(middle, piece.high, counted, piece.counted_high),
                )
                left.extend(half for half in halves if half.lacking)
            else:
                lacking = self._not_shown(piece)
                reserved += self._pages(piece) if lacking else 0
                suspects.append((piece, lacking))
        return suspects

    def _not_shown(self, piece: Range) -> dict[str, datetime]:
        """Leads that the list of the range does not show; leads that are not held are noted."""
        listing = self.counts.listing(piece.low, piece.high)
        expected = self.held.created_in(piece.low, piece.high)
        self._note_unheld(piece, listing, expected)
        if not listing.is_readable:
            return {}
        shown = {lead.lead_id for lead in listing.leads}
        # Whether a bound belongs to the list, an API may see in another way.
        certain = (i for i, c in expected.items() if c - piece.low >= self._resolution)
        return {lead: listing.at for lead in certain if lead not in shown}

    def _note_unheld(self, piece: Range, listing: Listing, expected: dict[str, Moment]) -> None:
        found = {
            self.digest(lead.lead_id): lead.created
            for lead in listing.leads
            if lead.lead_id is not None
            and lead.created is not None
            and piece.low <= lead.created < piece.high
            and lead.lead_id not in expected
        }
        for digest, created in list(self.unheld.items()):
            if piece.low <= created < piece.high and digest not in found:
                del self.unheld[digest]
        self.unheld.update(found)

    def _listed_again(self, suspects: Sequence[tuple[Range, dict[str, datetime]]]) -> bool:
        """Look a second time for those that were not shown. False: nothing explains a difference."""
        gone: dict[str, datetime] = {}
        for piece, first in suspects:
            if first:
                second = self._not_shown(piece)
                gone |= {lead: at for lead, at in first.items() if lead in second}
        created = dict(zip(self.held.ids, self.held.created, strict=True))
        for lead, at in gone.items():
            # Who was shown under another time of creation has not vanished.
            if self.counts.shown.pop(lead, created[lead]) == created[lead]:
                self._vanished[lead] = at
        self.held = self.held.without(gone)
        return bool(gone) or sorted(self.unheld.values()) != self._created_unheld

    def _refuse_too_many(self, ranges: Sequence[Range], reserved: int) -> None:
        """Raise `TooMuchDiffers` unless the requests that remain can find all that differs."""
        lacking = [piece.lacking for piece in ranges]
        gone, more = sum(n for n in lacking if n > 0), -sum(n for n in lacking if n < 0)
        cost = sum(map(self._cost, ranges)) + reserved
        if cost > self.counts.left or more + len(self.unheld) > MOST_UNHELD:
            raise TooMuchDiffers(len(self._vanished) + gone, more)

    def _cost(self, piece: Range) -> float:
        """About how many requests find what differs in a range, however it lies in it."""
        return min(self._halving_cost(piece), 2 * self._pages(piece))

    def _halving_cost(self, piece: Range) -> float:
        differing = min(abs(piece.lacking), ceil(piece.expected / self._page))
        if piece.expected <= self._page or not differing:
            return inf
        levels = log2(piece.expected / self._page)
        # Down to where each half has one of them, the halves are shared.
        return differing * max(0.0, levels - log2(differing)) + differing - 1 + 2 * differing

    def _pages(self, piece: Range) -> int:
        """How many pages list the range: the leads that are expected, or those that are counted."""
        counted = piece.counted_low - piece.counted_high
        return max(1, ceil(max(piece.expected, counted) / self._page))

    def _range(self, low: Moment, high: Moment, counted_low: int, counted_high: int) -> Range:
        unheld = sum(low <= created < high for created in self._created_unheld)
        expected = self.held.count(low, high) + unheld
        return Range(low, high, counted_low, counted_high, expected)

    def _since(self, moment: Moment) -> int:
        return 0 if moment >= self.counts.end else self.counts.since(moment)

    @property
    def _page(self) -> int:
        return max(1, self.counts.asking.page_size - ROOM)

    @property
    def _resolution(self) -> Moment:
        return self.counts.asking.resolution // MICROSECOND


def digest_of(lead_id: str) -> str:
    """By what a lead that has not landed is known again."""
    return hashlib.sha256(lead_id.encode()).hexdigest()[:16]
