"""Questions to an account's landed records, answered by DuckDB over the Parquet files.

Belongs here: what planning a crawl needs to know, so that it does not depend on the warehouse.
Does not belong here: the warehouse, and what providers make of the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from lead_pipeline.landing.commits import CommitRecord, commit_records, searches_of
from lead_pipeline.landing.held import HeldLeads
from lead_pipeline.landing.places import Places
from lead_pipeline.providers.base import LeadState, Provider
from lead_pipeline.storage.sql import read_sql
from lead_pipeline.windows import UpdatedWindow

BATCH_ROWS = 10_000


class LandedRecords:
    """An account's landed records. Reads files again with each question."""

    def __init__(self, landing: Path, account: str, provider: Provider) -> None:
        self._landing = landing
        self._account = account
        self._lists = provider.streams_of("records")
        self._details = provider.streams_of("details")

    def payloads(self, stream: str, since: datetime | None, end: datetime) -> Iterator[str]:
        """Payloads of the stream's records updated in `[since, end)`."""
        files = self._files((stream,), since, end)
        if not files:
            return
        lower = since or datetime.min.replace(tzinfo=UTC)
        with duckdb.connect() as connection:
            cursor = connection.execute(
                "select payload from read_parquet($files, hive_partitioning = false) "
                "where updated_at >= $since and updated_at < $end",
                {"files": files, "since": lower, "end": end},
            )
            while batch := cursor.fetchmany(BATCH_ROWS):
                yield from (row[0] for row in batch)

    def newest_states(self, lead_ids: Sequence[str]) -> Mapping[str, LeadState]:
        """The newest landed state of those leads that have one, from lists and single records."""
        files = self._files(self._lists + self._details)
        rows = self._query("newest_states", files, ids=list(lead_ids)) if lead_ids else []
        return {row[0]: LeadState(row[1], row[2]) for row in rows}

    def count_created_between(self, start: datetime, end: datetime) -> int:
        """How many landed leads were created in `[start, end)`."""
        rows = self._query("count_created_between", self._files(self._lists), start=start, end=end)
        return int(rows[0][0]) if rows else 0

    def leads_without_details(self) -> Sequence[str]:
        """Leads whose newest list state is younger than their newest single record.

        Empty where the provider has no single records.
        """
        if not self._details:
            return []
        gone = [
            (lead_id, record.started_at)
            for record in commit_records(self._landing, self._account)
            for lead_id in record.missing_ids
        ]
        rows = self._query(
            "leads_without_details",
            self._files(self._lists + self._details),
            lists=list(self._lists),
            details=list(self._details),
            gone_ids=[lead_id for lead_id, _ in gone],
            gone_at=[gone_at for _, gone_at in gone],
        )
        return [row[0] for row in rows]

    def held_leads(self, crawl: CommitRecord) -> tuple[HeldLeads, int]:
        """The leads that are held as existing, and how many of them `crawl` has not met.

        Where a complete walk over the whole list has landed, only what came since is read: whoever
        it did not meet is gone.
        """
        records = list(commit_records(self._landing, self._account))
        places = Places(records)
        lists = [record for record in records if record.stream in self._lists]
        walks = [record.started_at for record in lists if record.shows_absence]
        met_from = max(walks, default=datetime.min.replace(tzinfo=UTC))
        gone = [lead for search in searches_of(records) for lead in search.vanished]
        rows = self._query(
            "held_leads",
            [
                str(self._landing / path)
                for path in places.paths(
                    file
                    for record in lists
                    if record.finished_at is None or record.finished_at >= met_from
                    for file in record.files
                )
            ],
            met_from=met_from,
            gone_ids=[lead.lead_id for lead in gone],
            gone_at=[lead.at for lead in gone],
            crawl_began_at=crawl.started_at,
        )
        held = HeldLeads([row[0] for row in rows], [row[1] for row in rows])
        return held, sum(row[2] for row in rows)

    def is_complete(self, stream: str, window: UpdatedWindow) -> bool:
        """Whether the newest crawl of `stream` that covers the window is complete."""
        covering = [
            record
            for record in commit_records(self._landing, self._account)
            # A replay asked for nothing: it neither proves a window nor disproves it.
            if record.stream == stream and record.state != "replayed" and _covers(record, window)
        ]
        return bool(covering) and covering[-1].complete

    def count_late_arrivals(self, commit: CommitRecord) -> int:
        """How many of the crawl's records lie before its window and had not landed before."""
        start = commit.window.start
        if start is None or not commit.overlap_records:
            return 0
        own = [file.path for file in commit.files if _date_of(file.path) <= f"{start:%Y-%m-%d}"]
        folders = {_date_of(path) for path in own}
        earlier = [
            path
            for path in self._files((commit.stream,))
            if _date_of(path) in folders and commit.crawl_id not in path
        ]
        if not earlier:
            return commit.overlap_records
        rows = self._query(
            "late_arrivals",
            None,
            own=[str(self._landing / p) for p in own],
            earlier=earlier,
            start=start,
        )
        return int(rows[0][0])

    def _files(
        self,
        streams: Sequence[str],
        since: datetime | None = None,
        end: datetime | None = None,
    ) -> list[str]:
        """The files with the rows that count: those that a commit record lists."""
        first = "" if since is None else since.date().isoformat()
        last = "~" if end is None else end.date().isoformat()
        records = list(commit_records(self._landing, self._account))
        paths = Places(records).paths(
            file
            for record in records
            if record.stream in streams
            for file in record.files
            if first <= _date_of(file.path) <= last
        )
        return [str(self._landing / path) for path in paths]

    def _query(self, name: str, files: list[str] | None, **parameters: Any) -> list[Any]:
        if files is not None:
            if not files:
                return []
            parameters["files"] = files
        with duckdb.connect() as connection:
            return connection.execute(read_sql("landing", name), parameters).fetchall()


def _covers(record: CommitRecord, window: UpdatedWindow) -> bool:
    if record.window.end < window.end:
        return False
    return record.window.start is None or (
        window.start is not None and record.window.start <= window.start
    )


def _date_of(path: str) -> str:
    return Path(path).parent.name.removeprefix("date=")
