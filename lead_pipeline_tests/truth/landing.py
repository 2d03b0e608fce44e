"""Crawls of a polled world, landed as real ones are: by each provider's own plan of a walk.

    PolledWorld ──serve what the API would at that moment──▶ landed files, commit records

Here: an API's answers to a walk, without HTTP. Not here: when is crawled (`polling`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from lead_pipeline.landing.commits import CommitRecord, Window, save
from lead_pipeline.landing.files import write_flush
from lead_pipeline.landing.records import file_records
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import LeadState, PullRequest, RecordWalk, Walk
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.sandbox.mega_business import OWNERS, STAGES
from lead_pipeline.sandbox.messages import Record, iso, read_time
from lead_pipeline.sandbox.tenants import EXPERT_AI_LABS_ORGANIZATION_ID
from lead_pipeline.windows import UpdatedWindow
from lead_pipeline_tests.truth.course import Change, Course
from lead_pipeline_tests.truth.polling import OVERLAP, Poll, PolledWorld

LIST_LACKS = (
    "pain_points",
    "timeline",
    "budget_range",
    "ai_reasoning",
    "qualification_completed_at",
)
"""Fields that Expert AI Labs serves with single records only."""
BETWEEN_STREAMS = timedelta(seconds=1)
_STAGES = {stage["slug"]: stage for stage in STAGES}


def land(landing: Path, polled: PolledWorld) -> None:
    """Write what all crawls of the account have landed."""
    crawls = _Crawls(landing, polled)
    for poll in polled.polls:
        crawls.crawl(poll)


def source_of(polled: PolledWorld, course: Course) -> str:
    """A source of the account's own: some marts have rows per source, not per account."""
    return f"{polled.account}-{course.source}"


def lead_id_of(polled: PolledWorld, course: Course) -> str:
    return lead_id(polled.world.seed * 1000 + course.number)


def record_of(polled: PolledWorld, course: Course, change: Change) -> Record:
    """What the API serves of the lead after this change."""
    state = change.state
    number = polled.world.seed * 1000 + course.number
    # Nobody is in two systems, unless the course says so.
    own_email = f"lead{course.number}@{polled.account.replace('_', '-')}.example.com"
    email = course.email or own_email
    source = source_of(polled, course)
    times = (course.created_at, change.stamp)
    if polled.kind == "mega":
        owner = None if state.owner is None else OWNERS[state.owner]
        custom_fields: dict[str, Any] = {}
        if state.custom_fields:
            custom_fields["custom_fields"] = dict(state.custom_fields)
        return mega_lead(
            number,
            *times,
            status=state.status,
            current_stage=_STAGES[state.provider_stage],
            score=state.score,
            owner=owner,
            contact_email=email,
            contact_phone=None,
            source_platform=source,
            **custom_fields,
        )
    if polled.kind == "vorel":
        return vorel_lead(
            number,
            *times,
            status=state.provider_stage,
            qualification_score=state.score,
            email=email,
            phone=None,
            source=source,
        )
    return expert_ai_labs_lead(
        number,
        *times,
        pipeline_stage=state.provider_stage,
        lead_score=state.score,
        email=email,
        source=source,
    )


class _Crawls:
    """The crawls of one account, one after the other, and what they have landed.

    Answers what providers ask of landed records (`providers.base.Landed`), from memory.
    """

    def __init__(self, landing: Path, polled: PolledWorld) -> None:
        self._landing = landing
        self._polled = polled
        self._provider = PROVIDERS[polled.kind]
        self._courses = {lead_id_of(polled, course): course for course in polled.courses}
        self._events: list[tuple[datetime, str]] = []
        self._states: dict[str, LeadState] = {}
        self._listed: dict[str, datetime] = {}
        self._detailed: dict[str, datetime] = {}

    def crawl(self, poll: Poll) -> None:
        """All streams of the account, in their order, but for cohorts."""
        moment = poll.at
        for stream in self._provider.streams:
            if stream.kind != "cohort":
                self._crawl_stream(stream.name, poll, moment)
                moment += BETWEEN_STREAMS

    def _crawl_stream(self, stream: str, poll: Poll, moment: datetime) -> None:
        window = UpdatedWindow(poll.start, poll.end)
        options = {option.name: option.default for option in self._provider.options}
        request = PullRequest(window, OVERLAP, moment, options=options)
        walk = self._provider.walk(stream, request, self)
        asks = not isinstance(walk, RecordWalk) or bool(walk.record_ids)
        # The header `Date` has whole seconds.
        served_at = moment.replace(microsecond=0)
        commit = CommitRecord(
            crawl_id=f"{moment:%Y%m%dT%H%M%S%f}Z-{stream}-{self._polled.world.seed:08x}",
            account=self._polled.account,
            provider=self._polled.kind,
            stream=stream,
            window=Window(poll.start, poll.end),
            started_at=moment,
            served_from=served_at if asks else None,
            is_full=walk.is_full,
            proves_everything=walk.proves_everything,
            reads_to_start=walk.reads_to_start,
            note=walk.note,
            parameters=dict(walk.parameters),
            keep_from=walk.keep_from,
            keep_ids=sorted(walk.keep_ids),
        )
        if asks:
            self._file(commit, walk, list(self._served(stream, walk, moment)), served_at)
        commit.complete = True
        commit.state = "complete"
        commit.finished_at = moment + timedelta(seconds=10)
        save(self._landing, commit)

    def _file(
        self, commit: CommitRecord, walk: Walk, records: Sequence[Record], served_at: datetime
    ) -> None:
        page = file_records(
            self._provider,
            commit.stream,
            walk,
            [msgspec.Raw(msgspec.json.encode(record)) for record in records],
            None,
            number=1,
            fetched_at=commit.started_at + timedelta(milliseconds=300),
            served_at=served_at,
        )
        files = write_flush(self._landing, commit, [page])
        commit.files, commit.seen_files = files.records, files.seen
        commit.pages = commit.requests = 1
        commit.records, commit.seen = len(page.filed), len(records)
        for filed in page.filed:
            identity = filed.identity
            if commit.stream == "lead_events":
                self._events.append((identity.updated_at, filed.payload))
                continue
            self._states[identity.record_id] = LeadState(identity.updated_at, identity.created_at)
            known = self._detailed if commit.stream == "lead_details" else self._listed
            known[identity.record_id] = identity.updated_at

    def _served(self, stream: str, walk: Walk, moment: datetime) -> Iterator[Record]:
        """What the API answers at `moment`, in its order."""
        if stream == "lead_events":
            yield from self._served_events(walk, moment)
            return
        shown = {
            key: (course, change)
            for key, course in self._courses.items()
            if (change := course.served_at(moment)) is not None
        }
        if isinstance(walk, RecordWalk):
            chosen = [shown[key] for key in walk.record_ids if key in shown]
        else:
            chosen = [pair for pair in shown.values() if _is_asked_for(walk.parameters, *pair)]
            chosen.sort(key=lambda pair: pair[1].stamp)
        left_out = LIST_LACKS if self._polled.kind == "expert_ai_labs" and stream == "leads" else ()
        for course, change in chosen:
            record = record_of(self._polled, course, change)
            yield {name: value for name, value in record.items() if name not in left_out}

    def _served_events(self, walk: Walk, moment: datetime) -> Iterator[Record]:
        for key, course in self._courses.items():
            for before, after in zip(course.changes, course.changes[1:], strict=False):
                if after.logged_at <= moment and _lies_between(walk.parameters, after.moment):
                    yield _event(key, before, after)

    # What providers ask of landed records.

    def payloads(self, stream: str, since: datetime | None, end: datetime) -> Iterator[str]:
        del stream
        for moment, payload in self._events:
            if (since is None or since <= moment) and moment < end:
                yield payload

    def newest_states(self, lead_ids: Sequence[str]) -> Mapping[str, LeadState]:
        return {key: self._states[key] for key in lead_ids if key in self._states}

    def count_created_between(self, start: datetime, end: datetime) -> int:
        created = (state.created_at for state in self._states.values())
        return sum(moment is not None and start <= moment < end for moment in created)

    def leads_without_details(self) -> Sequence[str]:
        return sorted(
            key
            for key, moment in self._listed.items()
            if key not in self._detailed or self._detailed[key] < moment
        )

    def is_complete(self, stream: str, window: UpdatedWindow) -> bool:
        del stream, window
        return True


def _is_asked_for(parameters: Mapping[str, str], course: Course, change: Change) -> bool:
    if "updated_since" in parameters and change.stamp < read_time(parameters["updated_since"]):
        return False
    return _lies_between(parameters, course.created_at)


def _lies_between(parameters: Mapping[str, str], moment: datetime) -> bool:
    start, end = parameters.get("start_at"), parameters.get("end_at")
    return (start is None or read_time(start) <= moment) and (
        end is None or moment < read_time(end)
    )


def _event(key: str, before: Change, after: Change) -> Record:
    """The audit log's entry of one change."""
    diff: dict[str, Any] = {}
    for name, old, new in (
        ("pipeline_stage", before.state.provider_stage, after.state.provider_stage),
        ("lead_score", before.state.score, after.state.score),
    ):
        if old != new:
            diff[name] = {"from": old, "to": new}
    return {
        "id": str(uuid.uuid5(uuid.UUID(key), iso(after.moment))),
        "organization_id": EXPERT_AI_LABS_ORGANIZATION_ID,
        "action": "lead.updated",
        "source": "api",
        "correlation_id": "c",
        "payload": {"lead_id": key, "diff": diff, "key_id": "k"},
        "created_at": iso(after.moment),
    }
