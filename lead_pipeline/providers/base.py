"""What a provider is: how to ask for a window, which streams there are, how to read a record.

    account + window ──▶ Walk ──▶ requests ──▶ pages ──▶ identities of records

These are the types that a provider's folder fills in. All other code works with them alone: it
knows kinds of streams, never the name of a provider or of a stream.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol
from urllib.parse import quote

import msgspec

from lead_pipeline.errors import MalformedPage
from lead_pipeline.windows import UpdatedWindow

if TYPE_CHECKING:
    # Only names here: `--help` reads this module, and httpx takes long to import.
    import httpx

    from lead_pipeline.providers.counted import CountedList
    from lead_pipeline.providers.identities import IdentityFields

MAX_CURSOR_BYTES = 8_192
"""Of a cursor: with every byte escaped it still fits into a URL that servers take."""
MAX_TOTAL = 10**12

HOURLY_POLLS = "hourly_polls"
"""The option of providers that may be asked between nights."""


@dataclass(frozen=True)
class Credential:
    """One value an account must bring, e.g. `token`; its variable is `<PROVIDER>_<NAME>`."""

    name: str
    description: str


@dataclass(frozen=True)
class Option:
    """A whole number by which users shape how an account is asked; None means "without".

    Set by the variable `<PROVIDER>_<NAME>`, or per account in the TOML file.
    """

    name: str
    description: str
    default: int | None
    minimum: int = 0
    maximum: int | None = None
    former_variables: tuple[str, ...] = ()
    """Variables of earlier releases that still count where the present one is not set."""


def hourly_polls(*, cost: str, by_default: bool) -> Option:
    """The option of being asked every hour between nights; `cost` is what one poll takes."""
    return Option(
        HOURLY_POLLS,
        f"1: ask every hour what has changed, and land it ({cost}); 0: at night only.",
        default=int(by_default),
        maximum=1,
    )


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
    options: Mapping[str, int | None] = field(default_factory=dict)
    """The provider's options that the user has set; `Provider.options_of` adds the defaults."""
    lead_url: str | None = None
    """Where a lead's page is in the CRM, with `{lead_id}` for its id; None: nobody has said it."""


StreamKind = Literal["records", "details", "events", "cohort"]
"""What a stream's records are:

- `records`: the list of leads. Each provider has exactly one.
- `details`: single records of leads, with fields that the list lacks.
- `events`: the audit log: what changed, with its exact time.
- `cohort`: leads that the provider itself selects at the moment of the crawl.
"""


@dataclass(frozen=True)
class Stream:
    """One stream of records that an account lands."""

    name: str
    kind: StreamKind
    description: str
    after: tuple[str, ...] = ()
    """Streams of the same account whose landed records this one is planned from."""
    has_stage_history: bool = False
    """Whether its records tell when the lead entered earlier stages; always so for `events`."""

    @property
    def is_required(self) -> bool:
        """Whether a window is complete only when this stream is: states of leads come from it."""
        return self.kind in ("records", "details")

    @property
    def tells_stage_changes(self) -> bool:
        """Whether `stage_events.sql` of the provider reads its records."""
        return self.kind == "events" or self.has_stage_history


@dataclass(frozen=True)
class Limit:
    """`requests` in any `seconds`, as the provider documents it."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Request:
    """One request: the path under the account's origin, its query, and its JSON body, if any."""

    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    @property
    def method(self) -> Literal["GET", "POST"]:
        """POST where there is a body, else GET."""
        return "GET" if self.body is None else "POST"


@dataclass(frozen=True)
class Page:
    """One decoded answer: the records as their bytes came, and where the next page is."""

    records: Sequence[msgspec.Raw]
    next_cursor: str | None
    total: int | None = None
    """How many records match the query in all, where the provider says so."""

    def __post_init__(self) -> None:
        """Raises `MalformedPage` for a cursor or a total that no API means."""
        if self.next_cursor is not None and len(self.next_cursor.encode()) > MAX_CURSOR_BYTES:
            raise MalformedPage(f"a cursor of more than {MAX_CURSOR_BYTES:,} bytes")
        if self.total is not None and abs(self.total) > MAX_TOTAL:
            raise MalformedPage(f"a total of more than {MAX_TOTAL:,} records")


@dataclass(frozen=True)
class Identity:
    """The few fields that file a record."""

    record_id: str
    updated_at: datetime
    created_at: datetime | None
    tenant_id: str | None = None


class UnusableRecord(Exception):
    """A record that cannot be filed; the message is the reason, without any of its values.

    `record_id` is set where the id at least could be read: the record exists, it is not missing. So
    is `created_at`.
    """

    def __init__(
        self, reason: str, record_id: str | None = None, created_at: datetime | None = None
    ) -> None:
        super().__init__(reason)
        self.record_id = record_id
        self.created_at = created_at


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
    - `reads_to_start`: once complete, all that was updated until the walk began has landed, also
      after the window's end; so what it did not bring has not changed.
    - `has_overlap`: the walk asks by update time from before the window's start, so records
      before it arrived late or are known.
    - `note`: what is unusual about this walk, for people (a fallback, a horizon).
    - `body`: the query of a search by POST; cursor and page size then stand in it.
    - `cursor_parameter`, `page_size_parameter`: what the API calls them.
    """

    path: str
    parameters: Mapping[str, str]
    read: Callable[[bytes], Page]
    body: Mapping[str, Any] | None = None
    cursor_parameter: str = "cursor"
    page_size_parameter: str = "limit"
    keep_from: datetime | None = None
    keep_ids: frozenset[str] = frozenset()
    stop_at: datetime | None = None
    stop_created_before: datetime | None = None
    is_full: bool = False
    proves_everything: bool = False
    reads_to_start: bool = False
    has_overlap: bool = False
    note: str | None = None

    def request(self, cursor: str | None) -> Request:
        """The request for the page at `cursor`; None is the first page."""
        return self._asking({} if cursor is None else {self.cursor_parameter: cursor})

    def sample_request(self) -> Request:
        """The request for the first record alone: a cheap way to see that the list may be read."""
        one: str | int = "1" if self.body is None else 1
        return self._asking({self.page_size_parameter: one})

    def _asking(self, more: Mapping[str, Any]) -> Request:
        if self.body is None:
            return Request(self.path, {**self.parameters, **more})
        return Request(self.path, self.parameters, {**self.body, **more})

    @property
    def page_size(self) -> int:
        """How many records a full page holds."""
        query = self.parameters if self.body is None else self.body
        return int(query.get(self.page_size_parameter, 1))

    @property
    def accepts_missing(self) -> bool:
        """Whether a 404 is an answer (the record is gone) rather than an error."""
        return False

    @property
    def is_led_by_server(self) -> bool:
        """Whether the server says where the next page is, and so can lead nowhere."""
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

    @property
    def keeps_everything(self) -> bool:
        """Whether `keeps` is true of every record, so that none need be asked about."""
        return self.keep_from is None

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
    """What a crawl is asked for: the window, and what shapes how to ask."""

    window: UpdatedWindow
    overlap: timedelta
    now: datetime
    full: bool = False
    is_poll: bool = False
    """Whether only what is needed to see changes is asked; what can wait waits for the night."""
    options: Mapping[str, int | None] = field(default_factory=dict)
    """Every option of the provider by name."""

    @property
    def since(self) -> datetime | None:
        """Where asking begins: the window's start less the overlap; None is everything."""
        if self.full or self.window.start is None:
            return None
        return self.window.start - self.overlap


@dataclass(frozen=True)
class LoggedChange:
    """One field that an event of the audit log says has changed; texts as they came."""

    field: str
    path: str
    """Where it lies in the payload."""
    before: str | None
    after: str | None


@dataclass(frozen=True)
class LoggedEvent:
    """What an event of the audit log says, for people."""

    lead_id: str
    changes: tuple[LoggedChange, ...]


class Provider(ABC):
    """One lead API, told by a folder. Stateless; the account comes with each call.

    Beside the class, the folder holds what needs no code:

    - `leads.sql`: from a record to the lead columns (docs/providers.md lists them).
    - `stage_events.sql`: from a record to stage changes, where a stream tells them.
    - `contract.csv`: every documented field, its type, its values, the column that takes it.
    - `stages.csv`: the canonical stage of each status and stage.
    """

    slug: ClassVar[str]
    """The name in code, paths and variables."""
    title: ClassVar[str]
    """The name for people."""
    default_base_url: ClassVar[str]
    """The API's origin."""
    credentials: ClassVar[tuple[Credential, ...]]
    """What an account has to bring."""
    streams: ClassVar[tuple[Stream, ...]]
    """What an account lands, in the order it is pulled."""
    documented_limits: ClassVar[tuple[Limit, ...]]
    """The request limits of a key as documented, the shortest first."""
    options: ClassVar[tuple[Option, ...]] = ()
    """What users may set of how an account is asked."""

    # How to ask ------------------------------------------------------------------------------

    @abstractmethod
    def authentication(self, account: Account) -> httpx.Auth:
        """What authenticates each request (`authentication.py` has the usual kinds)."""

    @abstractmethod
    def walk(self, stream: str, pull: PullRequest, landed: Landed) -> Walk:
        """How to ask for `stream`. A `RecordWalk` without ids has nothing to ask."""

    @abstractmethod
    def identity(self, stream: str, record: msgspec.Raw) -> Identity:
        """Read the fields that file a record. Raises `UnusableRecord` with the reason."""

    def identity_fields(self, stream: str) -> IdentityFields | None:
        """The fields whose `read` is all that `identity` does; None where it does otherwise.

        Where they are known, the records of a page are read together, in a fraction of the time.
        """
        del stream
        return None

    def tenant_request(self) -> Request | None:
        """The request whose answer describes the key, where there is one."""
        return None

    def tenant(self, account: Account, answer: bytes | None) -> str | None:
        """The tenant that every record must name, or None where records name none.

        `answer` is that to `tenant_request`; None where there is no such request, or a 404.
        """
        del account, answer
        return None

    def key_facts(self, answer: bytes) -> Sequence[str]:
        """What the answer to `tenant_request` says of the key, in words for people."""
        del answer
        return ()

    def needs_full_crawls(self, options: Mapping[str, int | None]) -> bool:
        """Whether nightly crawls leave leads out, so that a full one is needed now and then."""
        del options
        return False

    def counted_list(self, options: Mapping[str, int | None]) -> CountedList | None:
        """How vanished leads are found by counting, where the API counts by time of creation.

        None also where `options` switch it off.
        """
        del options
        return None

    # How to read what came -------------------------------------------------------------------

    def logged_event(self, payload: str) -> LoggedEvent | None:
        """What an event of the audit log says; None where it is about no lead."""
        del payload
        return None

    # What follows from the declaration ---------------------------------------------------------

    @property
    def records_stream(self) -> Stream:
        """The list of leads."""
        return next(stream for stream in self.streams if stream.kind == "records")

    def stream(self, name: str) -> Stream:
        """The stream of that name. Raises `KeyError` if there is none."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise KeyError(name)

    @property
    def polled_streams(self) -> tuple[Stream, ...]:
        """The streams that show changes, in order: all but the provider's own cohorts."""
        return tuple(stream for stream in self.streams if stream.kind != "cohort")

    def polls_hourly(self, options: Mapping[str, int | None]) -> bool:
        """Whether `options` have the account asked every hour between nights."""
        return bool(options.get(HOURLY_POLLS))

    def streams_of(self, *kinds: StreamKind) -> tuple[str, ...]:
        """The names of the streams of these kinds."""
        return tuple(stream.name for stream in self.streams if stream.kind in kinds)

    @property
    def required_streams(self) -> tuple[str, ...]:
        """The streams that must all be complete for a window of leads to be complete."""
        return tuple(stream.name for stream in self.streams if stream.is_required)

    def options_of(self, account: Account) -> Mapping[str, int | None]:
        """Every option by name: what the account sets, else the default."""
        return {item.name: account.options.get(item.name, item.default) for item in self.options}

    @cached_property
    def folder(self) -> Traversable:
        """The folder of the provider's class, with its SQL and CSV files."""
        return files(sys.modules[type(self).__module__].__package__ or "")

    def read_file(self, name: str) -> str:
        """The text of a file of the folder, e.g. `leads.sql`."""
        return self.folder.joinpath(name).read_text("utf-8")
