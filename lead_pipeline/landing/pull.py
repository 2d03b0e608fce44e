"""Pulling one stream of one account for a window: resume or begin, restart, fall back, count.

    window ──▶ unfinished crawl? ──▶ resume it ───────┐
                    └─ no ─▶ plan a walk ──▶ crawl ──┴──▶ commit record, or an error
                                                              └──▶ vanished leads? ──▶ full crawl?

Belongs here: what is decided around a crawl. Does not belong here: the crawl's own loop
(`crawl.py`), Dagster (`assets.py`).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from lead_pipeline.errors import (
    AccessRefused,
    CrawlError,
    CursorRefused,
    DoubtfulCrawl,
    Fenced,
    RequestRefused,
    WrongTenant,
)
from lead_pipeline.landing.absences import plan_search, record_of, said, search_for_vanished
from lead_pipeline.landing.closing import walk_of
from lead_pipeline.landing.commits import (
    CommitRecord,
    Window,
    commit_records,
    crawls_folder,
    new_crawl_id,
    save,
    summarize_commits,
    take_over,
)
from lead_pipeline.landing.crawl import Crawl, FlushPolicy
from lead_pipeline.landing.doubt import doubt_of
from lead_pipeline.landing.erasing import erase_records
from lead_pipeline.landing.files import remove_strays
from lead_pipeline.landing.journal import Journal, remove_other_journals
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.progress import Progress, ProgressListener, ProgressReporter
from lead_pipeline.landing.saved_quota import load_quota, save_quota
from lead_pipeline.landing.tombstones import (
    Erased,
    erased_of,
    lacks_tombstones,
    restore_tombstones,
)
from lead_pipeline.landing.turns import account_turn
from lead_pipeline.logs import about, log_of
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account, PullRequest, RecordWalk, Walk
from lead_pipeline.providers.http import ApiClient, Counters, RetryPolicy
from lead_pipeline.providers.transport import Timeouts
from lead_pipeline.settings import Settings
from lead_pipeline.storage.disks import naming_the_disk
from lead_pipeline.storage.files import remove_temporaries
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.warehouse import warehouse_at
from lead_pipeline.windows import UpdatedWindow

_log = log_of(__name__)

TAKE_OVERS = 3
"""Attempts to take over the crawls of a worker that still writes."""


@dataclasses.dataclass(frozen=True)
class PullOptions:
    """What only tests and benchmarks change."""

    retry: RetryPolicy = dataclasses.field(default_factory=RetryPolicy)
    timeouts: Timeouts = dataclasses.field(default_factory=Timeouts)
    flush: FlushPolicy = dataclasses.field(default_factory=FlushPolicy)


def pull_stream(
    settings: Settings,
    account: Account,
    stream: str,
    window: UpdatedWindow,
    *,
    full: bool = False,
    is_poll: bool = False,
    accept_doubtful: bool = False,
    dagster_run_id: str | None = None,
    listener: ProgressListener = lambda progress: None,
    options: PullOptions | None = None,
) -> CommitRecord:
    """Land `stream` of `account` for `window`; returns the crawl's commit record.

    One process at a time asks an account's API; others wait. Raises `CrawlError`,
    `QuotaExhausted` or `RetryableError`; what has landed until then stays, and the next call
    for the same window resumes from there. A poll (`is_poll`) asks only what shows changes. Raises `WrongTenant` and, unless `accept_doubtful`,
    `DoubtfulCrawl` after landing the rest.
    """
    pull = _Pull(
        settings,
        account,
        stream,
        window,
        full,
        is_poll,
        accept_doubtful,
        dagster_run_id,
        listener,
        options,
    )
    purpose = f"pulling {account.name}/{stream} {window}"
    folder = settings.landing_path / account.name
    with (
        account_turn(settings, account.name, purpose, tell=pull.tell),
        naming_the_disk(f"{folder}", CrawlError, folder),
    ):
        return pull.run()


class _Pull:
    """The state of one call of `pull_stream`."""

    def __init__(
        self,
        settings: Settings,
        account: Account,
        stream: str,
        window: UpdatedWindow,
        full: bool,
        is_poll: bool,
        accept_doubtful: bool,
        dagster_run_id: str | None,
        listener: ProgressListener,
        options: PullOptions | None,
    ) -> None:
        self._landing = settings.landing_path
        self._settings = settings
        self._account = account
        self._provider = PROVIDERS[account.provider]
        self._stream = stream
        self._window = window
        self._full = full
        self._is_poll = is_poll
        self._accept_doubtful = accept_doubtful
        self._dagster_run_id = dagster_run_id
        self._listener = listener
        self._options = options or PullOptions()
        self._landed = LandedRecords(self._landing, account.name, self._provider)
        self._erased = Erased(account.name)

    def tell(self, message: str) -> None:
        """Show a sentence that belongs to no page."""
        self._listener(
            Progress(self._account.name, self._stream, 0, 0, None, None, message, is_news=True)
        )

    def run(self) -> CommitRecord:
        # Before anything is asked: without the key of the hashes nobody may land.
        self._erased = erased_of(self._settings, self._account.name)
        self._erase_again()
        crawls = self._taken_over()
        summarize_commits(self._landing, self._account.name)
        unfinished = {record.crawl_id for record in crawls if record.state == "running"}
        remove_other_journals(self._landing, self._account.name, unfinished)
        remove_strays(self._landing, self._account.name, crawls)
        for folder in (
            self._landing / self._account.name,
            crawls_folder(self._landing, self._account.name),
        ):
            remove_temporaries(folder)
        records = [record for record in crawls if record.stream == self._stream]
        commit, walk = self._resumable(records) or self._planned()
        if isinstance(walk, RecordWalk) and not walk.record_ids:
            return self._nothing_to_ask(commit)
        with about(
            account=self._account.name,
            stream=self._stream,
            window=self._window,
            crawl=commit.crawl_id,
        ):
            return self._run_logged(records, commit, walk)

    def _taken_over(self) -> list[CommitRecord]:
        """The account's commit records; the unfinished ones of the stream are this worker's now.

        A worker that was thought dead may save once more while that is done. Raises `Fenced` where it
        goes on doing so.
        """
        for attempts_left in reversed(range(TAKE_OVERS)):
            crawls = list(commit_records(self._landing, self._account.name))
            try:
                for record in crawls:
                    if record.state == "running" and record.stream == self._stream:
                        take_over(self._landing, record)
            except Fenced:
                if not attempts_left:
                    raise
                seams_of(self._settings).landing.begin_turn(self._account.name)
            else:
                return crawls
        raise AssertionError("the last attempt returns or raises")

    def _erase_again(self) -> None:
        """Where an older landing has been restored: the persons whom its owner had erased."""
        if lacks_tombstones(self._settings, self._account.name):
            erase_records(self._settings, self._account.name, self._erased)
            with held(self._settings.warehouse_lock, "erasing persons from the tables", self.tell):
                # The next load rebuilds it, in a file that never held them.
                warehouse_at(self._settings.warehouse_path).discard()
            restore_tombstones(self._settings, self._account.name)
            self.tell(
                f"{self._account.name}: records of erased persons were in landing again, as after "
                "restoring a backup, and have been removed. lead-pipeline forget --resume looks for "
                "them in the rest of the home."
            )

    def _run_logged(
        self, records: list[CommitRecord], commit: CommitRecord, walk: Walk
    ) -> CommitRecord:
        _log.info(
            "crawl begins",
            full=self._full or None,
            resumes_after_page=commit.pages or None,
            run=self._dagster_run_id,
        )
        began = time.monotonic()
        try:
            ended = self._walk(records, commit, walk)
        except Exception as error:
            _log.warning(
                "crawl stopped",
                error=type(error).__name__,
                pages=commit.pages,
                seconds=time.monotonic() - began,
            )
            raise
        _log.info(
            "crawl ended",
            state=ended.state,
            rows=ended.records,
            pages=ended.pages,
            requests=ended.requests,
            retries=ended.retries,
            waited_seconds=sum(wait.seconds for wait in ended.quota_waits),
            rejected=ended.rejected,
            seconds=time.monotonic() - began,
        )
        return ended

    def _walk(self, records: list[CommitRecord], commit: CommitRecord, walk: Walk) -> CommitRecord:
        reporter = ProgressReporter(self._account.name, self._stream, self._listener)
        with self._client(reporter) as client:
            others = [r for r in records if r.state == "running" and r is not commit]
            self._take_up_others(client, reporter, others)
            commit = self._crawl(client, reporter, walk, commit, _expected_pages(records, walk))
        commit = self._concluded(commit)
        self._look_for_vanished(commit, reporter)
        return commit

    @contextmanager
    def _client(self, reporter: ProgressReporter) -> Iterator[ApiClient]:
        """A client that takes up the account's quota where the last one left it."""
        with ApiClient(
            self._provider,
            self._account,
            load_quota(self._landing, self._account.name),
            reporter,
            purpose=f"/{self._stream}, window {self._window}",
            max_wait_seconds=self._settings.max_wait_seconds,
            retry=self._options.retry,
            timeouts=self._options.timeouts,
        ) as client:
            try:
                yield client
            finally:
                save_quota(self._landing, self._account.name, client.quota)

    def _look_for_vanished(self, commit: CommitRecord, reporter: ProgressReporter) -> None:
        """Search by counts for leads that have vanished; a full crawl finds what that cannot."""
        records = list(commit_records(self._landing, self._account.name))
        options = self._provider.options_of(self._account)
        plan = plan_search(self._provider, options, self._landed, records, commit)
        if plan is None:
            return
        where, started_at = f"{self._account.name}/{self._stream}", datetime.now(UTC)
        self.tell(f"{where}: looks for vanished leads by counts")
        with self._client(reporter) as client:
            search = search_for_vanished(
                plan,
                self._provider,
                client,
                records,
                self._settings.max_vanished_percent,
                self._erased.digest,
            )
            save(self._landing, record_of(search, commit, client.counters, started_at))
        self.tell(f"{where}: {said(search)} ({client.counters.requests:,} requests)")
        if search.full_crawl_follows:
            self._in_full().run()

    def _in_full(self) -> _Pull:
        return _Pull(
            self._settings,
            self._account,
            self._stream,
            self._window,
            True,
            False,
            self._accept_doubtful,
            self._dagster_run_id,
            self._listener,
            self._options,
        )

    def _resumable(self, records: list[CommitRecord]) -> tuple[CommitRecord, Walk] | None:
        """The newest unfinished crawl of the same window, with the walk that it was on."""
        commit = resumable_crawl(records, self._window, full=self._full)
        if commit is None:
            return None
        # The run that ends a crawl is the one that people look for it in.
        commit.dagster_run_id = self._dagster_run_id
        return commit, walk_of(commit, self._plan())

    def _take_up_others(
        self, client: ApiClient, reporter: ProgressReporter, others: list[CommitRecord]
    ) -> None:
        """Land what other killed crawls of the stream have in their journals.

        A state that was seen before a kill may be the only witness of it. Crawls of windows that
        had not ended when they began are closed: resumed, they would prove too little.
        """
        for commit in others:
            walk = walk_of(commit, self._plan())
            crawl = Crawl(
                self._landing, self._provider, walk, client, commit, reporter, erased=self._erased
            )
            crawl.take_up(close=_is_outlived(commit))

    def _planned(self) -> tuple[CommitRecord, Walk]:
        walk = self._plan()
        started_at = datetime.now(UTC)
        commit = CommitRecord(
            crawl_id=new_crawl_id(started_at, self._stream),
            account=self._account.name,
            provider=self._account.provider,
            stream=self._stream,
            window=Window(self._window.start, self._window.end),
            full=self._full,
            is_full=walk.is_full,
            proves_everything=walk.proves_everything,
            reads_to_start=walk.reads_to_start,
            note=walk.note,
            started_at=started_at,
            dagster_run_id=self._dagster_run_id,
            parameters=dict(walk.parameters),
            body=None if walk.body is None else dict(walk.body),
            keep_from=walk.keep_from,
            keep_ids=sorted(walk.keep_ids),
            stop_at=walk.stop_at,
            stop_created_before=walk.stop_created_before,
            record_ids=list(walk.record_ids) if isinstance(walk, RecordWalk) else [],
        )
        return commit, walk

    def _plan(self) -> Walk:
        request = PullRequest(
            window=self._window,
            overlap=self._settings.overlap,
            now=datetime.now(UTC),
            full=self._full,
            is_poll=self._is_poll,
            options=self._provider.options_of(self._account),
        )
        return self._provider.walk(self._stream, request, self._landed)

    def _crawl(
        self,
        client: ApiClient,
        reporter: ProgressReporter,
        walk: Walk,
        commit: CommitRecord,
        expected_pages: int | None,
    ) -> CommitRecord:
        """Crawl; once, when the server no longer takes the cursor, begin again."""
        try:
            if commit.tenant_id is None:
                commit.tenant_id = self._tenant(client)
            return self._run_crawl(client, reporter, walk, commit, expected_pages)
        except CursorRefused as error:
            self.tell(f"{error} The crawl starts again from the first page.")
            self._give_up_checkpoint(commit)
            tenant_id = commit.tenant_id
            # Each commit record counts its own requests.
            client.counters = Counters()
            commit, walk = self._planned()
            commit.tenant_id = tenant_id
            try:
                return self._run_crawl(client, reporter, walk, commit, expected_pages)
            except CursorRefused as again:
                self._give_up_checkpoint(commit)
                raise CursorRefused(
                    f"{again} So it was before the crawl was started again. What came is landed; "
                    "the next run starts from the first page."
                ) from None

    def _give_up_checkpoint(self, commit: CommitRecord) -> None:
        commit.state = "restarted"
        commit.note = "The server no longer took the cursor; the crawl was started again."
        commit.finished_at = datetime.now(UTC)
        save(self._landing, commit)
        Journal(self._landing, commit).remove()

    def _run_crawl(
        self,
        client: ApiClient,
        reporter: ProgressReporter,
        walk: Walk,
        commit: CommitRecord,
        expected_pages: int | None,
    ) -> CommitRecord:
        crawl = Crawl(
            self._landing,
            self._provider,
            walk,
            client,
            commit,
            reporter,
            self._options.flush,
            expected_pages,
            self._doubt_of,
            self._erased,
        )
        try:
            return crawl.run()
        except AccessRefused as error:
            if self._stream in self._provider.required_streams:
                raise
            # An optional stream that is closed to the key is a fact, not a failure.
            commit.state = "refused"
            commit.note = f"{error} The account is pulled without {self._stream}."
            commit.finished_at = datetime.now(UTC)
            save(self._landing, commit)
            self.tell(commit.note)
            return commit

    def _tenant(self, client: ApiClient) -> str | None:
        request = self._provider.tenant_request()
        if request is None:
            return self._provider.tenant(self._account, None)
        known = [
            record.tenant_id
            for record in commit_records(self._landing, self._account.name)
            if record.tenant_id and record.dagster_run_id == self._dagster_run_id
        ]
        if known and self._dagster_run_id is not None:
            return known[-1]
        try:
            return client.fetch(
                request,
                lambda body: self._provider.tenant(self._account, body),
                accepts_missing=True,
            )
        except RequestRefused as error:
            self.tell(f"{error} Records are not checked for their tenant.")
            return None

    def _nothing_to_ask(self, commit: CommitRecord) -> CommitRecord:
        commit.complete = True
        commit.state = "complete"
        commit.finished_at = datetime.now(UTC)
        save(self._landing, commit)
        return commit

    def _doubt_of(self, commit: CommitRecord) -> str | None:
        if self._accept_doubtful:
            return None
        earlier = [
            record
            for record in commit_records(self._landing, self._account.name)
            if record.stream == self._stream and record.crawl_id != commit.crawl_id
        ]
        return doubt_of(commit, earlier, self._settings.max_vanished_percent)

    def _concluded(self, commit: CommitRecord) -> CommitRecord:
        late = self._landed.count_late_arrivals(commit)
        if late:
            commit.late_arrivals = late
            save(self._landing, commit)
        if commit.wrong_tenant:
            raise WrongTenant(
                f"{self._account.name}/{self._stream}, window {self._window}: {commit.wrong_tenant:,} "
                f"records of another tenant were rejected, {commit.records:,} others landed. Tell "
                "the provider, and check that the account's credentials belong together.",
                crawl_id=commit.crawl_id,
            )
        if commit.doubt is not None:
            raise DoubtfulCrawl(
                f"{self._account.name}/{self._stream}, window {self._window}: {commit.doubt}. What "
                "came is landed, and nothing is concluded from what did not come. Ask the provider, "
                f"or if it is meant: lead-pipeline run --account {self._account.name} "
                "--accept-doubtful with the same days."
            )
        return commit


def resumable_crawl(
    records: Sequence[CommitRecord], window: UpdatedWindow, *, full: bool
) -> CommitRecord | None:
    """The newest crawl of that window among those of a stream, if it is unfinished and still of use."""
    same = [r for r in records if r.updated_window == window and r.full == full]
    if not same or same[-1].state != "running" or _is_outlived(same[-1]):
        return None
    return same[-1]


def _is_outlived(commit: CommitRecord) -> bool:
    """Whether a crawl began before its window had ended, and now it has."""
    return commit.started_at < commit.window.end <= datetime.now(UTC)


def _expected_pages(records: list[CommitRecord], walk: Walk) -> int | None:
    """How many pages the newest complete crawl with the same query took."""
    if isinstance(walk, RecordWalk):
        return len(walk.record_ids)
    for record in reversed(records):
        if record.complete and record.is_full == walk.is_full and walk.is_full:
            return record.pages
    return None
