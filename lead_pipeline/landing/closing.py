"""Closing crawls that were killed, without asking anything: what came is landed, nothing is left over.

    journal of an unfinished crawl ──▶ landed files ──▶ commit record, `restarted`

The next run begins such a crawl again. Belongs here: the walk that a killed crawl was on. Does not
belong here: resuming it (`pull.py`).
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from lead_pipeline.landing.commits import CommitRecord, commit_records, take_over
from lead_pipeline.landing.crawl import Crawl
from lead_pipeline.landing.journal import remove_other_journals
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.progress import ProgressReporter
from lead_pipeline.landing.tombstones import Erased
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import PullRequest, RecordWalk, Walk
from lead_pipeline.providers.http import ApiClient, Counters
from lead_pipeline.settings import Settings


class _NobodyAsked(ApiClient):
    """Stands where a crawl counts its requests: closing it makes none."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.served_at = None


def close_unfinished(settings: Settings, account: str, erased: Erased) -> int:
    """Land what killed crawls of the account have in their journals, but nothing of the `erased`.

    Then no journal holds anybody. Returns how many there were. The caller holds the account's lock.
    """
    landing = settings.landing_path
    unfinished = [r for r in commit_records(landing, account) if r.state == "running"]
    for commit in unfinished:
        take_over(landing, commit)
        crawl = Crawl(
            landing,
            PROVIDERS[commit.provider],
            walk_of(commit, _planned(settings, commit)),
            _NobodyAsked(),
            commit,
            ProgressReporter(account, commit.stream, lambda progress: None),
            erased=erased,
        )
        crawl.take_up(close=True)
    remove_other_journals(landing, account, ())
    return len(unfinished)


def walk_of(commit: CommitRecord, planned: Walk) -> Walk:
    """The walk that a killed crawl was on: a new plan may differ by what has landed since."""
    walk = dataclasses.replace(
        planned,
        parameters=commit.parameters,
        body=commit.body,
        keep_from=commit.keep_from,
        keep_ids=frozenset(commit.keep_ids),
        stop_at=commit.stop_at,
        stop_created_before=commit.stop_created_before,
        is_full=commit.is_full,
        proves_everything=commit.proves_everything,
        reads_to_start=commit.reads_to_start,
        note=commit.note,
    )
    if isinstance(walk, RecordWalk):
        return dataclasses.replace(walk, record_ids=tuple(commit.record_ids))
    return walk


def _planned(settings: Settings, commit: CommitRecord) -> Walk:
    provider = PROVIDERS[commit.provider]
    request = PullRequest(
        window=commit.updated_window,
        overlap=settings.overlap,
        now=datetime.now(UTC),
        full=commit.full,
        options={option.name: option.default for option in provider.options},
    )
    landed = LandedRecords(settings.landing_path, commit.account, provider)
    return provider.walk(commit.stream, request, landed)
