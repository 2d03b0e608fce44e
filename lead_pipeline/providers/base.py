"""What a provider is: how to ask for a window, which streams there are, how to read a record.

    account + window ──▶ Walk ──▶ requests ──▶ pages ──▶ identities of records

Belongs here: the types that every provider file fills in. Does not belong here: HTTP
(`http.py`), quotas (`quota.py`), anything that writes files (`lead_pipeline.landing`), and
the meaning of a record's fields (the provider's SQL file in `lead_pipeline.normalized.sql`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote

import msgspec

from lead_pipeline.errors import MalformedPage
from lead_pipeline.windows import UpdatedWindow

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that are this machine: the only ones taken with plain http."""


@dataclass(frozen=True)
class Credential:
    """One value an account must bring, e.g. `token`; its variable is `<PROVIDER>_<NAME>`."""

    name: str
    description: str


@dataclass(frozen=True)
class Account:
    """One set of credentials of one provider. Secrets never show in its repr."""

    name: str
    provider: str
    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    requests_per_minute: int | None = None
    """A limit of the user's own, below the provider's, or None."""
    credential_names: tuple[str, ...] = ()
    """Where the credentials come from (variables, or keys of the TOML file), for messages."""


@dataclass(frozen=True)
class Stream:
    """One kind of record that an account lands."""

    name: str
    description: str
    after: tuple[str, ...] = ()
    """Streams of the same account whose landed records this one is planned from."""


@dataclass(frozen=True)
class Limit:
    """`requests` in any `seconds`, as the provider documents it."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Request:
    """One GET: the path under the account's origin, and its query parameters."""

    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """One decoded answer: the records as their bytes came, and where to go on."""

    records: Sequence[msgspec.Raw]
    next_cursor: str | None
    total: int | None = None
    """How many records match the query in all, where the provider says so."""


@dataclass(frozen=True)
class Identity:
    """The few fields that file a record."""

    record_id: str
    updated_at: datetime
    created_at: datetime | None
    tenant_id: str | None = None


class UnusableRecord(Exception):
    """A record that cannot be filed; the message is the reason, without any of its values.

    `record_id` is set where the id at least could be read: the record exists, it is not missing.
    """

    def __init__(self, reason: str, record_id: str | None = None) -> None:
        super().__init__(reason)
        self.record_id = record_id


@dataclass(frozen=True)
class Walk:
    """How to walk one stream once: the first request, the next ones, and where to stop.

    - `keep_from`: records updated before it are seen (their ids count) but not landed,
      unless `keep_ids` names them.
    - `stop_at`: in a list sorted by ascending `updated_at`, the walk ends with the page
      whose last two records reach it. All records of that page are kept.
    - `stop_created_before`: the same for a list sorted by descending `created_at`.
    - `is_full`: the walk meets every lead that exists, so one it does not show is missing.
    - `proves_everything`: once complete, the present state of every lead has landed.
    - `has_overlap`: the walk asks by update time from before the window's start, so records
      before it arrived late or are known.
    - `note`: what is unusual about this walk, for people (a fallback, a horizon).
    """

    path: str
    parameters: Mapping[str, str]
    read: Callable[[bytes], Page]
    keep_from: datetime | None = None
    keep_ids: frozenset[str] = frozenset()
    stop_at: datetime | None = None
    stop_created_before: datetime | None = None
    is_full: bool = False
    proves_everything: bool = False
    has_overlap: bool = False
    note: str | None = None

    def request(self, cursor: str | None) -> Request:
        """The request for the page at `cursor`; None is the first page."""
        parameters = dict(self.parameters)
        if cursor is not None:
            parameters["cursor"] = cursor
        return Request(self.path, parameters)

    @property
    def page_size(self) -> int:
        """How many records a full page holds."""
        return int(self.parameters.get("limit", "1"))

    @property
    def accepts_missing(self) -> bool:
        """Whether a 404 is an answer (the record is gone) rather than an error."""
        return False

    @property
    def is_led_by_server(self) -> bool:
        """Whether the server says where to go on, and so can lead nowhere."""
        return True

    def page(self, body: bytes | None, cursor: str | None) -> Page:
        """Decode an answer. `body` is None where the server said 404."""
        del cursor
        if body is None:
            raise MalformedPage("a list cannot be missing")
        return self.read(body)

    def keeps(self, identity: Identity) -> bool:
        """Whether the record is landed, or only counted as seen."""
        return (
            self.keep_from is None
            or identity.updated_at >= self.keep_from
            or identity.record_id in self.keep_ids
        )

    def is_past(self, last: Sequence[Identity]) -> bool:
        """Whether the walk may end with the page whose last two readable records are `last`.

        Both must be past the end: a single record with a wrong time would cost all after it.
        """
        return len(last) > 1 and all(self._is_past(identity) for identity in last)

    def _is_past(self, last: Identity) -> bool:
        if self.stop_at is not None and last.updated_at >= self.stop_at:
            return True
        return (
            self.stop_created_before is not None
            and last.created_at is not None
            and last.created_at < self.stop_created_before
        )


@dataclass(frozen=True)
class RecordWalk(Walk):
    """A walk that reads single records by id, one request each, in the order given."""

    record_ids: tuple[str, ...] = ()

    def request(self, cursor: str | None) -> Request:
        """The request for the record `cursor`; None is the first one."""
        record_id = self.record_ids[0] if cursor is None else cursor
        return Request(self.path.format(id=quote(record_id, safe="")), self.parameters)

    @property
    def accepts_missing(self) -> bool:
        """A record that was deleted meanwhile answers 404."""
        return True

    @property
    def is_led_by_server(self) -> bool:
        """The ids are known from the beginning."""
        return False

    def page(self, body: bytes | None, cursor: str | None) -> Page:
        """The record, if it still exists, and the id of the next one."""
        position = 0 if cursor is None else self.record_ids.index(cursor)
        following = self.record_ids[position + 1 : position + 2]
        next_cursor = following[0] if following else None
        records = [] if body is None else self.read(body).records
        return Page(records, next_cursor, total=len(self.record_ids))


@dataclass(frozen=True)
class LeadState:
    """The times of a lead's newest landed state."""

    updated_at: datetime
    created_at: datetime | None


class Landed(Protocol):
    """What a provider may ask about the account's landed records when it plans a walk."""

    def payloads(self, stream: str, since: datetime | None, end: datetime) -> Iterator[str]:
        """Payloads of the stream's records updated in `[since, end)`."""

    def newest_states(self, lead_ids: Sequence[str]) -> Mapping[str, LeadState]:
        """The newest landed state of those leads that have one."""

    def count_created_between(self, start: datetime, end: datetime) -> int:
        """How many landed leads were created in `[start, end)`."""

    def leads_without_details(self) -> Sequence[str]:
        """Leads whose newest list state is younger than their newest single record."""

    def is_complete(self, stream: str, window: UpdatedWindow) -> bool:
        """Whether the newest crawl of `stream` for the window is complete."""


@dataclass(frozen=True)
class PullRequest:
    """What a crawl is asked for: the window, and the settings that shape how to ask."""

    window: UpdatedWindow
    overlap: timedelta
    now: datetime
    full: bool = False
    stale_for_days: int = 14
    horizon_days: int | None = None
    detail_requests: int = 200

    @property
    def since(self) -> datetime | None:
        """Where asking begins: the window's start less the overlap; None is everything."""
        if self.full or self.window.start is None:
            return None
        return self.window.start - self.overlap


class Provider(Protocol):
    """One lead API. Implementations are stateless; the account comes with each call."""

    @property
    def slug(self) -> str:
        """The name in code, paths and variables."""

    @property
    def title(self) -> str:
        """The name for people."""

    @property
    def default_base_url(self) -> str:
        """The API's origin."""

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """What an account has to bring."""

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What an account lands, in the order it is pulled."""

    @property
    def required_streams(self) -> tuple[str, ...]:
        """The streams that must all be complete for a window of leads to be complete."""

    @property
    def documented_limits(self) -> tuple[Limit, ...]:
        """The request limits of a key as documented, the shortest first."""

    def headers(self, account: Account) -> Mapping[str, str]:
        """The headers that authenticate each request."""

    def walk(self, stream: str, pull: PullRequest, landed: Landed) -> Walk:
        """How to ask for `stream`. A `RecordWalk` without ids has nothing to ask."""

    def identity(self, stream: str, record: msgspec.Raw) -> Identity:
        """Read the fields that file a record. Raises `UnusableRecord` with the reason."""

    def tenant_request(self) -> Request | None:
        """The request whose answer names the key's tenant, where there is one."""

    def tenant(self, account: Account, answer: bytes | None) -> str | None:
        """The tenant that every record must name, or None where records name none."""
