"""A MEGA account whose leads have all landed, and a night in which some of them vanish.

Here: the account, its nights, and what the night's search said. Not here: what tests expect of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from lead_pipeline.landing.commits import AbsenceSearch, CommitRecord, Window, save
from lead_pipeline.landing.files import write_flush
from lead_pipeline.landing.records import FiledPage, FiledRecord
from lead_pipeline.providers.base import Account, Identity
from lead_pipeline.sandbox import ApiServer
from lead_pipeline.sandbox.examples import lead_id, mega_lead
from lead_pipeline.sandbox.limits import MegaLimits
from lead_pipeline.sandbox.limits import Window as LimitWindow
from lead_pipeline.sandbox.mega import MegaApi
from lead_pipeline.sandbox.messages import Record, Request, Response
from lead_pipeline.sandbox.store import LeadStore
from lead_pipeline.sandbox.tenants import MEGA_CUSTOMER_ID, MEGA_TOKEN
from lead_pipeline.settings import Settings
from lead_pipeline.windows import ONE_DAY, UpdatedWindow, day_start
from lead_pipeline_tests.pulling import commits, pull, settings_in, with_options

Server = ApiServer[LeadStore]
DAYS = 200
"""Over so many days before yesterday the leads were created."""


Serving = Callable[[Request, Callable[[Request], Response]], Response]
"""Answers a request, with or without what MEGA would answer."""


class OddMega(MegaApi):
    """MEGA, which answers as `serving` makes of it."""

    serving: Serving | None = None

    def respond(self, request: Request) -> Response:
        """The answer to one request."""
        answer = super().respond
        return answer(request) if self.serving is None else self.serving(request, answer)


class Business:
    """An account of MEGA: the leads with these times of creation have landed, and are served."""

    def __init__(self, api: OddMega, server: Server, home: Path, times: Sequence[datetime]) -> None:
        self.now = datetime.now(UTC)
        self.api = api
        self.server = server
        self.times = times
        self.settings = settings_in(home, start_date=self.now.date() - 2 * ONE_DAY)
        credentials = {"token": MEGA_TOKEN, "customer_id": MEGA_CUSTOMER_ID}
        self.account = Account("mega", "mega", server.url, credentials)
        self.told: list[str] = []
        records = [mega_lead(number, moment) for number, moment in enumerate(times)]
        self.store.put_all(records)
        land_first_crawl(self.settings, records, self.now - ONE_DAY)

    @property
    def store(self) -> LeadStore:
        """What the API serves."""
        return self.api.store

    def with_requests(self, number: int) -> None:
        """Let a night take so many requests to find vanished leads."""
        self.account = with_options(self.account, deletion_requests=number)

    def delete(self, numbers: Iterable[int]) -> list[str]:
        """Let leads vanish; their ids in order."""
        ids = sorted(lead_id(number) for number in numbers)
        for each in ids:
            self.store.delete(each)
        return ids

    def change(self, number: int) -> None:
        """The lead is updated at this moment."""
        lead = self.store.get(lead_id(number))
        if lead is not None:
            self.store.put(mega_lead(number, self.times[number], datetime.now(UTC)))

    def create(self, number: int) -> None:
        """A lead is created at this moment."""
        self.store.put(mega_lead(number, datetime.now(UTC)))

    @property
    def window(self) -> UpdatedWindow:
        """Yesterday: what a nightly run asks for."""
        today = day_start(self.now.date())
        return UpdatedWindow(today - ONE_DAY, today)

    def night(self) -> CommitRecord:
        """Pull yesterday, as a nightly run does."""
        self.told.clear()
        return pull(self.settings, self.account, self.window, told=self.told)

    @property
    def searches(self) -> list[AbsenceSearch]:
        """What the searches came to, in their order."""
        return [c.absences for c in commits(self.settings, "mega") if c.absences is not None]

    def search(self) -> AbsenceSearch:
        """What the search of a night comes to."""
        self.night()
        return self.searches[-1]

    def found(self) -> list[str]:
        """The leads that the search of a night finds, by id."""
        return sorted(lead.lead_id for lead in self.search().vanished)

    @contextmanager
    def at_each_request(self, happen: Callable[[int], None]) -> Iterator[None]:
        """`happen` with the number of the request, before each of the block is answered."""
        served = 0

        def hook(request: Request) -> None:
            nonlocal served
            served += 1
            happen(served)

        self.server.before_request.append(hook)
        try:
            yield
        finally:
            self.server.before_request.remove(hook)


@contextmanager
def business(home: Path, times: Sequence[datetime]) -> Iterator[Business]:
    """A business with these leads: no fixture, since property tests need one per example."""
    api = OddMega()
    limits = MegaLimits([LimitWindow(1_000_000, 3600.0)])
    server = ApiServer("mega", api, limits, lambda request: api.error(404, "No control here."))
    server.start()
    try:
        yield Business(api, server, home, times)
    finally:
        server.stop()


def spread(count: int, now: datetime | None = None) -> list[datetime]:
    """`count` times of creation, evenly over the days before yesterday, in whole milliseconds."""
    first = (now or datetime.now(UTC)).replace(microsecond=0) - timedelta(days=DAYS + 1)
    step = timedelta(days=DAYS) // max(count, 1)
    times = (first + step * number for number in range(count))
    return [time.replace(microsecond=time.microsecond // 1000 * 1000) for time in times]


def land_first_crawl(settings: Settings, records: Sequence[Record], at: datetime) -> None:
    """All of the list, as its first crawl would have landed it: without a server, for many."""
    commit = CommitRecord(
        crawl_id="20260101T000000000000Z-leads-00000000",
        account="mega",
        provider="mega",
        stream="leads",
        window=Window(None, day_start(at.date())),
        proves_everything=True,
        reads_to_start=True,
        state="complete",
        complete=True,
        started_at=at,
        served_from=at,
        finished_at=at + timedelta(minutes=1),
        pages=1,
    )
    filed = [
        FiledRecord(
            Identity(
                record["id"],
                datetime.fromisoformat(record["updated_at"]),
                datetime.fromisoformat(record["created_at"]),
            ),
            msgspec.json.encode(record).decode(),
        )
        for record in records
    ]
    page = FiledPage(1, at, at, filed, [], [], 0, [])
    commit.files = write_flush(settings.landing_path, commit, [page]).records
    commit.records = commit.seen = len(filed)
    save(settings.landing_path, commit)
