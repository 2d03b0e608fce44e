"""Commit records: one JSON file per crawl, which says what of it is durable.

    landing/<account>/_crawls/<crawl_id>.json

A landed file counts from the moment its crawl's commit record lists it. Belongs here: the
record's form, saving it atomically, finding records. Does not belong here: what a crawl does.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from lead_pipeline.causes import cause_of
from lead_pipeline.errors import LoadError
from lead_pipeline.storage.files import digest_of
from lead_pipeline.storage.parsed_files import ParsedFiles
from lead_pipeline.storage.sealed import DamagedFile, open_document, seal_document
from lead_pipeline.storage.seams import landing_at
from lead_pipeline.windows import UpdatedWindow

State = Literal[
    "running",
    "complete",
    "doubtful",
    "refused",
    "stuck",
    "restarted",
    "replayed",
    "compacted",
    "repaired",
]
"""`running` is also what a killed crawl leaves behind; only such a crawl is resumed. `repaired` is one
of which something was damaged or lost (`repair.py`)."""


class LandedFile(msgspec.Struct, frozen=True):
    """One Parquet file; `path` is relative to the landing folder."""

    path: str
    rows: int
    bytes: int
    sha256: str | None = None
    """Of the file's bytes, as hex digits; None: an earlier release has written it, so damage that
    leaves it readable is not noticed."""


class Wait(msgspec.Struct, frozen=True):
    """One pause of a crawl, in seconds, and why."""

    seconds: float
    reason: str


class Window(msgspec.Struct, frozen=True):
    """The half-open window `[start, end)` asked for; a null start is everything before `end`."""

    start: datetime | None
    end: datetime


ABSENCES = "_absences"
"""Stands for the stream in the record of a search for vanished leads: it is no stream."""

SearchOutcome = Literal["agreed", "found", "too_many", "unfinished", "doubtful", "not_evaluated"]
"""How a search for vanished leads ended:

- `agreed`: the API counts as many leads as are held.
- `found`: and it does without those that were found to have vanished.
- `too_many`: more differs than the requests allowed can find.
- `unfinished`: they were used up, or refused, before all was found.
- `doubtful`: so much is gone that the counts are not believed.
- `not_evaluated`: the API does not count as its documents say, or could not be asked.
"""


class Vanished(msgspec.Struct, frozen=True):
    """A lead that a page did not show which had to show it, and when that page came."""

    lead_id: str
    at: datetime


class Unheld(msgspec.Struct, frozen=True):
    """A lead that the API lists and that has not landed, known by a digest of its id alone.

    It was rejected, or came too late: what the next search has to expect in its counts.
    """

    digest: str
    created_at: datetime


class AbsenceSearch(msgspec.Struct, frozen=True, kw_only=True):
    """A search for leads that have vanished, by counts of those created since some moments."""

    outcome: SearchOutcome
    reason: str
    """What it came to, with the figures, for people."""
    crawl_id: str
    """The crawl that it followed."""
    held: int
    """Leads that were held as existing, and looked for."""
    created_until: datetime
    """Younger leads were not looked for."""
    vanished: list[Vanished] = []
    unheld: list[Unheld] = []
    full_crawl_follows: bool = False
    """Whether a full crawl is begun at once, to find what the search could not."""


COMPACTIONS = "_compactions"
"""Stands for the stream in the record of files that were put together: it is no stream."""


class Compaction(msgspec.Struct, frozen=True):
    """One file that took the place of several, whose rows it holds one after the other."""

    path: str
    replaces: list[LandedFile]
    """As their crawls list them, in the order of their rows."""


class CommitRecord(msgspec.Struct, kw_only=True):
    """What one crawl did and how far it is durable. All times UTC."""

    crawl_id: str
    previous: str | None = None
    """The crawl of the account that ended before this one; None until this one has ended, for the
    account's first one, and where an earlier release has written this record."""
    previous_sha256: str | None = None
    """Of the bytes of that crawl's commit record, as hex digits: so a lost one, and a changed one,
    shows (`chain.py`)."""
    account: str
    provider: str
    stream: str
    window: Window
    full: bool = False
    """Asked for as a full crawl (`--full`)."""
    is_full: bool = False
    """Whether the walk, once complete, has met every lead that exists."""
    proves_everything: bool = False
    """Whether the walk, once complete, has landed the present state of every lead."""
    note: str | None = None
    state: State = "running"
    complete: bool = False
    started_at: datetime
    served_from: datetime | None = None
    """When the first page was served, by the provider's clock; null where it did not say."""
    reads_to_start: bool = False
    """Whether the walk, once complete, has read what was updated until it began, whatever the end
    of its window."""
    finished_at: datetime | None = None
    dagster_run_id: str | None = None
    tenant_id: str | None = None
    cursor: str | None = None
    """The checkpoint: the cursor of the first page that is not durable."""
    pages: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    records: int = 0
    """Records landed; a walk over a list without a filter by time sees more than it lands."""
    total: int | None = None
    """How many records matched when the first page came, where the provider says so."""
    seen: int = 0
    rejected: int = 0
    erased: int = 0
    """Records of erased persons that came: they were not landed, or have been removed since."""
    unidentified: int = 0
    """Rejected records of which not even the id could be read: whose they are is not known."""
    doubt: str | None = None
    """Why a crawl that came to its end is not believed; it is then not complete."""
    wrong_tenant: int = msgspec.field(default=0, name="foreign")
    """Rejected records of another tenant; the files of earlier releases call it `foreign`."""
    late_arrivals: int = 0
    overlap_records: int = 0
    resumed: int = 0
    rows_by_date: dict[str, int] = {}
    quota_waits: list[Wait] = []
    files: list[LandedFile] = []
    seen_files: list[LandedFile] = []
    rejected_files: list[LandedFile] = []
    parameters: dict[str, str] = {}
    """The walk's query, so that a killed crawl resumes with the very same one."""
    body: dict[str, Any] | None = None
    """The same of a search by POST."""
    keep_from: datetime | None = None
    keep_ids: list[str] = []
    stop_at: datetime | None = None
    stop_created_before: datetime | None = None
    record_ids: list[str] = []
    """For a walk over single records: the ids to read, in order."""
    missing_ids: list[str] = []
    """For a walk over single records: the ids that answered 404."""
    replayed: list[str] = []
    """Digests of rejected records that this crawl (a replay) filed after all."""
    cursor_digests: str = ""
    """Eight bytes per cursor followed so far, base64."""
    writer: str | msgspec.UnsetType = msgspec.UNSET
    """In a team's store: the turn that has written it. So no two workers ever write the same bytes."""
    absences: AbsenceSearch | None = None
    """Of a search for vanished leads. Its record has the window of the crawl that it followed, and
    `_absences` in place of a stream: it proves no window."""

    compactions: list[Compaction] = []
    """Of files that were put together, which are also in `files`. Its record has `_compactions` in
    place of a stream: it asks for nothing and proves nothing, and is loaded with its sources."""

    @property
    def all_files(self) -> list[LandedFile]:
        """Its files of every kind."""
        return [*self.files, *self.seen_files, *self.rejected_files]

    @property
    def updated_window(self) -> UpdatedWindow:
        """The window as the type used everywhere else."""
        return UpdatedWindow(self.window.start, self.window.end)

    @property
    def proven_from(self) -> datetime | None:
        """Since when a complete crawl proves its window; None is since ever.

        A crawl that has landed all that exists proves all of time, whatever its window.
        """
        return None if self.proves_everything else self.window.start

    @property
    def proven_until(self) -> datetime:
        """Through which time a complete crawl proves its window: never past its own start.

        A walk that stopped at a horizon left out changes to older leads. It proves nothing: the
        window ends where it starts.
        """
        if self.stop_created_before is not None and self.window.start is not None:
            return self.window.start
        return min(self.window.end, self.started_at)

    @property
    def shows_absence(self) -> bool:
        """Whether a lead that the crawl did not show is gone: it met all, and knows whom it met."""
        return self.complete and self.is_full and not self.unidentified

    @property
    def unchanged_until(self) -> datetime | None:
        """Until when leads that a complete crawl did not bring have not changed; None if unknown.

        By the provider's clock, where it has one.
        """
        if not self.complete or self.unidentified or self.stop_created_before is not None:
            return None
        began_at = self.served_from or self.started_at
        return began_at if self.reads_to_start else min(self.window.end, began_at)


_CRAWL_ID = re.compile(r"[\w-]+")
"""No blanks, no dot at the beginning: such names are other programs'."""


def crawls_folder(landing: Path, account: str) -> Path:
    """Where an account's commit records lie."""
    return landing / account / "_crawls"


def new_crawl_id(started_at: datetime, stream: str) -> str:
    """An id that sorts by start time and is unique: `20260115T020000123456Z-leads-1a2b3c4d`."""
    return f"{started_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{stream}-{os.urandom(4).hex()}"


def save(landing: Path, record: CommitRecord) -> None:
    """Write the commit record, replacing its last state; the caller holds the account's lock.

    A crawl that has ended is linked to the one that ended before it. Raises `Fenced` where another
    worker of a team has written it since this turn began.
    """
    if record.finished_at is not None and record.previous is None:
        _link(landing, record)
    store = landing_at(landing)
    record.writer = store.writer_of(record.account)
    store.save_record(path_of(landing, record.account, record.crawl_id), encode(record))


def take_over(landing: Path, record: CommitRecord) -> None:
    """Let an unfinished crawl be this worker's, before anything of it is touched.

    Another worker that still is on it cannot save any more. Raises `Fenced` where that has saved since
    this turn began. The caller holds the account's lock, which is enough on one machine.
    """
    if landing_at(landing).is_shared:
        save(landing, record)


def encode(record: CommitRecord) -> bytes:
    """The content of the record's file, which carries a digest of itself."""
    return seal_document(msgspec.json.format(msgspec.json.encode(record), indent=1))


def path_of(landing: Path, account: str, crawl_id: str) -> Path:
    """Where the crawl's commit record lies."""
    return crawls_folder(landing, account) / f"{crawl_id}.json"


def _link(landing: Path, record: CommitRecord) -> None:
    ended = [
        other
        for other in commit_records(landing, record.account, leave_out=(record.crawl_id,))
        if other.finished_at is not None
    ]
    named = {other.previous for other in ended}
    # By our clock, which may have been set back: one that another follows is not the last.
    last = max(
        (other for other in ended if other.crawl_id not in named),
        key=lambda other: (other.finished_at or other.started_at, other.crawl_id),
        default=None,
    )
    if last is not None:
        record.previous = last.crawl_id
        record.previous_sha256 = digest_of(path_of(landing, record.account, last.crawl_id))


def load(path: Path) -> CommitRecord:
    """Read one commit record. Raises `LoadError` naming the file when it is damaged."""
    try:
        return msgspec.json.decode(open_document(path.read_bytes()), type=CommitRecord)
    except DamagedFile as error:
        why = str(error)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = cause_of(error)
    raise LoadError(
        f"The commit record {path} cannot be read ({why}). Restore it from a backup; without one, "
        "lead-pipeline scrub --repair keeps what its crawl has landed and lets its window be asked "
        "for again."
    )


def load_commit(folder: Path, crawl_id: str) -> CommitRecord:
    """The commit record of one crawl; `folder` is that of `crawls_folder`."""
    return load(folder / f"{crawl_id}.json")


def commit_records(
    landing: Path, account: str, leave_out: Container[str] = ()
) -> Iterator[CommitRecord]:
    """The commit records of an account, oldest crawl first, without the ids in `leave_out`.

    Those of crawls that have ended are shared by all who ask: `load_commit` gives one that may be
    changed. What other programs leave beside them is passed over: hidden files, folders, copies
    under another name.
    """

    def is_wanted(crawl_id: str) -> bool:
        return crawl_id not in leave_out

    yield from _records(landing, account, is_wanted)


def compaction_records(landing: Path, account: str) -> Iterator[CommitRecord]:
    """Those of files that were put together, oldest first."""
    return _records(landing, account, lambda crawl_id: f"-{COMPACTIONS}-" in crawl_id)


def _records(
    landing: Path, account: str, is_wanted: Callable[[str], bool]
) -> Iterator[CommitRecord]:
    def is_ours(crawl_id: str) -> bool:
        return is_wanted(crawl_id) and _CRAWL_ID.fullmatch(crawl_id) is not None

    found = _PARSED.read(crawls_folder(landing, account), _summary_path(landing, account), is_ours)
    for crawl_id, record in found:
        if record.crawl_id == crawl_id:
            yield record


def summarize_commits(landing: Path, account: str) -> None:
    """Spare the next process the reading of most commit records; the caller holds the account's lock."""
    _PARSED.summarize(crawls_folder(landing, account), _summary_path(landing, account))


def _summary_path(landing: Path, account: str) -> Path:
    return landing / account / "_crawls.summary"


_PARSED = ParsedFiles(CommitRecord, load, lambda record: record.finished_at is not None)


def searches_of(records: Iterable[CommitRecord]) -> list[AbsenceSearch]:
    """The searches for vanished leads among `records`, in their order."""
    return [record.absences for record in records if record.absences is not None]


def accounts_with_landing(landing: Path) -> list[str]:
    """Names of the accounts that have commit records, also those without credentials today."""
    return sorted(path.parent.name for path in landing.glob("*/_crawls"))


def pack_digests(digests: set[bytes]) -> str:
    """Cursor digests as text for the commit record."""
    return base64.b64encode(b"".join(sorted(digests))).decode()


def unpack_digests(text: str) -> set[bytes]:
    """The inverse of `pack_digests`."""
    packed = base64.b64decode(text)
    return {packed[start : start + 8] for start in range(0, len(packed), 8)}
