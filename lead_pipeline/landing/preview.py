"""What a run would ask an account's API for, told without asking it and without writing anything.

    window ──▶ walk of each stream, as of now ──▶ first request, a crawl to resume, what it cost last

A walk that is planned from what another stream of the same run brings cannot be told before.
Belongs here: looking ahead. Does not belong here: asking
(`pull.py`), printing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from lead_pipeline.landing.commits import CommitRecord, commit_records
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.pull import resumable_crawl
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account, PullRequest, Stream, Walk
from lead_pipeline.settings import Settings
from lead_pipeline.windows import UpdatedWindow


@dataclass(frozen=True)
class StreamPreview:
    """What would be asked for one stream."""

    account: str
    stream: str
    window: UpdatedWindow
    asks: str
    """The first request, or what decides it."""
    resumes: str | None
    """The crawl that would be resumed; None: a new one begins."""
    pages_done: int
    """Pages that the crawl to resume has landed."""
    last_requests: int | None
    """Requests of the stream's last complete crawl of this kind; None: there was none."""
    note: str | None


def preview_account(
    settings: Settings, account: Account, window: UpdatedWindow, *, full: bool = False
) -> list[StreamPreview]:
    """What a run for `window` would ask the account's API, stream by stream."""
    provider = PROVIDERS[account.provider]
    landed = LandedRecords(settings.landing_path, account.name, provider)
    request = PullRequest(
        window=window,
        overlap=settings.overlap,
        now=datetime.now(UTC),
        full=full,
        options=provider.options_of(account),
    )
    records = list(commit_records(settings.landing_path, account.name))
    return [
        _preview(
            account.name,
            window,
            None if stream.after else provider.walk(stream.name, request, landed),
            stream,
            [record for record in records if record.stream == stream.name],
            full=full,
        )
        for stream in provider.streams
    ]


def _preview(
    account: str,
    window: UpdatedWindow,
    walk: Walk | None,
    stream: Stream,
    records: list[CommitRecord],
    *,
    full: bool,
) -> StreamPreview:
    resumed = resumable_crawl(records, window, full=full)
    alike = [r.requests for r in records if r.complete and r.full == full]
    return StreamPreview(
        account,
        stream.name,
        window,
        f"decided by what {' and '.join(stream.after)} brings" if walk is None else _asks(walk),
        None if resumed is None else resumed.crawl_id,
        0 if resumed is None else resumed.pages,
        alike[-1] if alike else None,
        None if walk is None else walk.note,
    )


def _asks(walk: Walk) -> str:
    if walk.body is not None:
        return f"POST {walk.path}"
    query = urlencode(walk.parameters, safe=":,")
    return f"GET {walk.path}{f'?{query}' if query else ''}"
