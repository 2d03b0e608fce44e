"""One crawl: follow a walk page by page, make each page durable, save the checkpoint.

    ApiClient ──page──▶ journal ──▶ filed records ──flush──▶ Parquet files ──▶ commit record
                                                     └─ in a thread beside the next pages

After a kill at any instant `Crawl` resumes from the last page in the journal. Belongs here:
the loop and its order of writes. Does not belong here: which walk, whether an old crawl is
resumed, what a failure means for the run (`pull.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lead_pipeline.errors import (
    CursorRefused,
    Fenced,
    MalformedPage,
    PaginationStuck,
    RequestRefused,
)
from lead_pipeline.landing.commits import (
    CommitRecord,
    LandedFile,
    Wait,
    pack_digests,
    save,
    unpack_digests,
)
from lead_pipeline.landing.files import FlushedFiles, remove_uncommitted, write_flush
from lead_pipeline.landing.guards import PaginationGuard
from lead_pipeline.landing.journal import Journal, JournalPage
from lead_pipeline.landing.progress import ProgressReporter
from lead_pipeline.landing.records import FiledPage, file_records
from lead_pipeline.landing.tombstones import Erased
from lead_pipeline.providers.base import Page, Provider, Walk
from lead_pipeline.providers.http import ApiClient
from lead_pipeline.providers.identities import Forms
from lead_pipeline.storage.seams import landing_at


@dataclass(frozen=True)
class FlushPolicy:
    """When pages become Parquet files: whichever comes first. The journal has them before."""

    pages: int = 100
    seconds: float = 60.0
    bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True)
class _Flush:
    """Pages whose files are being written beside the crawl, and its place after them."""

    pages: Sequence[FiledPage]
    size: int
    """Bytes of the answers."""
    page: int
    cursor: str | None
    cursor_digests: str
    files: Future[FlushedFiles]


class Crawl:
    """A crawl of one walk, new or resumed. `commit` is its record, updated in place."""

    def __init__(
        self,
        landing: Path,
        provider: Provider,
        walk: Walk,
        client: ApiClient,
        commit: CommitRecord,
        progress: ProgressReporter,
        flush_policy: FlushPolicy | None = None,
        expected_pages: int | None = None,
        judge: Callable[[CommitRecord], str | None] = lambda commit: None,
        erased: Erased | None = None,
    ) -> None:
        """`judge` says why a crawl that has come to its end is not to be believed, if so.

        Nothing of the `erased` lands.
        """
        self._erased = erased
        self._judge = judge
        self._landing = landing
        self._provider = provider
        self._walk = walk
        self._client = client
        self._commit = commit
        self._progress = progress
        self._policy = flush_policy or FlushPolicy()
        self._is_cohort = provider.stream(commit.stream).kind == "cohort"
        self._expected_pages = expected_pages
        self._journal = Journal(landing, commit)
        self._guard = PaginationGuard(unpack_digests(commit.cursor_digests))
        self._forms = Forms()
        self._buffer: list[FiledPage] = []
        self._buffered_bytes = 0
        self._beside: _Flush | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="landing-files")
        self._flushed_at = time.monotonic()
        self._page = commit.pages
        self._cursor = commit.cursor
        self._records = commit.records
        self._done = False
        self._is_fenced = False
        self._before = (commit.requests, commit.retries, commit.bytes)

    def run(self) -> CommitRecord:
        """Follow the walk to its end.

        Raises what the client raises, `CursorRefused` and `PaginationStuck`. Whatever is
        raised, all pages that came are landed and the checkpoint is saved before; except `Fenced`,
        where another worker of a team goes on instead.
        """
        try:
            self._recover()
            self._begin()
            self._client.before_pause = self._before_pause
            while not self._done:
                self._next_page()
            self._progress.finished()
        except PaginationStuck as error:
            self._commit.state = "stuck"
            raise PaginationStuck(
                f"{self._where()}: {error}. All good records are landed; nothing more can be "
                "read in this way. The next run starts this crawl again."
            ) from None
        except Fenced:
            self._is_fenced = True
            raise
        finally:
            try:
                if not self._is_fenced:
                    self._flush(complete=self._done)
            finally:
                self._writer.shutdown()
        return self._commit

    def take_up(self, *, close: bool) -> None:
        """Land the pages in the journal without asking for more; `close`: the crawl ends here."""
        try:
            self._recover()
        except PaginationStuck:
            self._commit.state = "stuck"
        if close:
            self._commit.state = "restarted"
            self._commit.note = "Began before its window had ended; a later crawl took its place."
        self._flush(complete=False)

    def _recover(self) -> None:
        """Take up pages that a killed crawl left in its journal."""
        remove_uncommitted(self._landing, self._commit)
        for kept in self._journal.pages_after(self._page):
            if kept.cursor != self._cursor:
                # It followed another answer, which a damaged page stood for.
                self._journal.drop_from(kept.number)
                return
            try:
                page = self._walk.page(kept.body, kept.cursor)
            except MalformedPage:
                # An earlier release believed it. It is asked for again, and all after it.
                self._journal.drop_from(kept.number)
                return
            self._take(page, kept)

    def _begin(self) -> None:
        """Say where the crawl resumes, or write down that it has begun."""
        if self._page > 0:
            self._commit.resumed += 1
            self._progress.resumed(self._page, self._records)
        else:
            save(self._landing, self._commit)

    def _next_page(self) -> None:
        cursor = self._cursor
        answer: list[bytes | None] = []

        def read(body: bytes | None) -> Page:
            page = self._walk.page(body, cursor)
            if self._walk.is_led_by_server and self._guard.repeats_last(page):
                # Going on would skip the records that belong here.
                raise MalformedPage("a page with the very records of the page before")
            answer[:] = [body]
            return page

        try:
            page = self._client.fetch(
                self._walk.request(cursor), read, accepts_missing=self._walk.accepts_missing
            )
        except RequestRefused as error:
            if error.status == 400 and cursor is not None:
                raise CursorRefused(
                    f"{self._where()}: the server no longer takes the cursor of page "
                    f"{self._page + 1:,} (400)."
                ) from None
            raise
        now, served_at = datetime.now(UTC), self._client.served_at
        kept = JournalPage(self._page + 1, cursor, now, answer[0], served_at)
        self._journal.append(kept)
        self._take(page, kept)
        self._progress.page(self._page, self._records, self._expect(page))
        if self._beside is not None and self._beside.files.done():
            self._end_flush()
        if self._flush_is_due() and not self._done:
            self._begin_flush()

    def _take(self, page: Page, kept: JournalPage) -> None:
        """Count a page in: its records into the buffer, the cursor to the next place."""
        filed = file_records(
            self._provider,
            self._commit.stream,
            self._walk,
            page.records,
            self._commit.tenant_id,
            number=kept.number,
            fetched_at=kept.fetched_at,
            served_at=kept.served_at,
            erased=self._erased,
            forms=self._forms,
        )
        self._buffer.append(filed)
        self._buffered_bytes += len(kept.body or b"")
        self._page = kept.number
        self._records += len(filed.filed)
        if kept.number == 1:
            self._commit.total = page.total
            self._commit.served_from = kept.served_at
        if kept.body is None:
            self._commit.missing_ids.append(kept.cursor or self._commit.record_ids[0])
        self._done = page.next_cursor is None or self._walk.is_past(filed.last)
        if not self._done and self._walk.is_led_by_server:
            self._guard.check(page, kept.number)
        self._cursor = page.next_cursor

    def _flush_is_due(self) -> bool:
        if self._buffered_bytes >= self._policy.bytes:
            return True
        if self._is_cohort:
            # It comes again with each crawl: one file a crawl, as far as memory allows.
            return False
        return (
            len(self._buffer) >= self._policy.pages
            or time.monotonic() - self._flushed_at >= self._policy.seconds
        )

    def _begin_flush(self) -> None:
        """Let the buffered pages become files while the next ones are asked for.

        In a team's store everything is written in its turn: a worker that was taken over must not go
        on writing.
        """
        if landing_at(self._landing).is_shared:
            self._flush(complete=False)
            return
        self._end_flush()
        pages, size = self._buffer, self._buffered_bytes
        self._beside = _Flush(
            pages,
            size,
            self._page,
            self._cursor,
            pack_digests(self._guard.digests),
            self._writer.submit(write_flush, self._landing, self._commit, pages),
        )
        self._buffer, self._buffered_bytes = [], 0
        self._flushed_at = time.monotonic()
        # What follows must stay when these are dropped.
        self._journal.begin_file()

    def _end_flush(self) -> None:
        """Count in the files that were written beside, if any: the commit record, then the journal."""
        beside, self._beside = self._beside, None
        if beside is None:
            return
        try:
            flushed = beside.files.result()
        except BaseException:
            # They are still in the journal, and come with the last flush.
            self._buffer[:0] = beside.pages
            self._buffered_bytes += beside.size
            raise
        commit = self._commit
        self._count_in(flushed, beside.pages)
        commit.pages, commit.cursor = beside.page, beside.cursor
        commit.cursor_digests = beside.cursor_digests
        self._count_requests()
        self._save(flushed.all)
        self._journal.drop_through(commit.pages)

    def _before_pause(self) -> None:
        """A wait can be long: until then everything that came is durable."""
        self._end_flush()
        self._journal.sync()

    def _count_in(self, flushed: FlushedFiles, pages: Sequence[FiledPage]) -> None:
        commit = self._commit
        commit.files += flushed.records
        commit.rejected_files += flushed.rejected
        commit.seen_files += flushed.seen
        for day, rows in flushed.rows_by_date.items():
            commit.rows_by_date[day] = commit.rows_by_date.get(day, 0) + rows
        commit.records += sum(file.rows for file in flushed.records)
        if self._walk.has_overlap:
            commit.overlap_records += flushed.overlap_rows
        for page in pages:
            commit.seen += len(page.filed) + len(page.seen_ids)
            commit.rejected += len(page.rejected)
            commit.unidentified += page.unidentified
            commit.erased += page.erased
            commit.wrong_tenant += sum(r.kind == "foreign_tenant" for r in page.rejected)

    def _flush(self, *, complete: bool) -> None:
        """Files first, then the commit record, then the journal: each step can be the last."""
        self._end_flush()
        commit = self._commit
        new_files: Sequence[LandedFile] = []
        if self._buffer:
            flushed = write_flush(self._landing, commit, self._buffer)
            new_files = flushed.all
            self._count_in(flushed, self._buffer)
            # Counted in now: should saving fail, the last flush must not count them again.
            self._buffer = []
            self._buffered_bytes = 0
        commit.pages = self._page
        commit.cursor = self._cursor
        commit.cursor_digests = pack_digests(self._guard.digests)
        self._count_requests()
        if complete:
            commit.doubt = self._judge(commit)
            commit.complete = commit.doubt is None
            commit.state = "complete" if commit.complete else "doubtful"
            commit.cursor = None
            commit.cursor_digests = ""
        if commit.state != "running":
            commit.finished_at = datetime.now(UTC)
        self._save(new_files)
        self._flushed_at = time.monotonic()
        if commit.state == "running":
            self._journal.drop_through(commit.pages)
        else:
            self._journal.remove()

    def _save(self, new_files: Iterable[LandedFile]) -> None:
        try:
            save(self._landing, self._commit)
        except Fenced:
            self._is_fenced = True
            # No commit record will ever list them.
            landing_at(self._landing).remove(*(self._landing / file.path for file in new_files))
            raise

    def _count_requests(self) -> None:
        counters = self._client.counters
        requests, retries, size = self._before
        self._commit.requests = requests + counters.requests
        self._commit.retries = retries + counters.retries
        self._commit.bytes = size + counters.bytes
        new_waits = counters.waits
        self._commit.quota_waits += [Wait(round(w.seconds, 3), w.reason) for w in new_waits]
        counters.waits = []

    def _expect(self, page: Page) -> int | None:
        if page.total is not None and page.records:
            return max(self._page, -(-page.total // self._walk.page_size))
        return self._expected_pages

    def _where(self) -> str:
        commit = self._commit
        return f"{commit.account}/{commit.stream}, window {commit.updated_window}"
