"""Whether landing is what crawls have written: records, links between them, files, byte for byte.

    commit records ──▶ links ──▶ listed files ──digests──▶ problems ──▶ scrub.json of the home
                                 files beside ──▶ of a lost record, or other programs'

Every file is read once in `NIGHTS` nights, a part each time; what was found wrong is looked at again
each time until it is right. Takes no lock: what changes meanwhile is looked at again before it counts
as wrong. Belongs here: finding. Does not belong here: setting right (`repair.py`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.chain import broken_links
from lead_pipeline.landing.commits import (
    CommitRecord,
    LandedFile,
    accounts_with_landing,
    commit_records,
    crawls_folder,
    load,
)
from lead_pipeline.landing.digests import SET_ASIDE, damage_of
from lead_pipeline.landing.places import Places
from lead_pipeline.settings import Settings
from lead_pipeline.storage.files import write_atomically
from lead_pipeline.storage.seams import seams_of

NIGHTS = 30
"""In so many nights every file is read once."""

ProblemKind = Literal["file", "record", "lost_record"]
"""- `file`: a listed file is gone, or not what was written.
- `record`: a commit record cannot be read, or is not the one that was written.
- `lost_record`: it is gone: another one names it, or files of its crawl are there."""

OWN_NAME = re.compile(
    r"(?P<base>(?P<crawl_id>[\w-]+)-\d{6,}-\d{6,})(-u[0-9a-f]{8})?"
    r"(?P<written_again>-w[0-9a-f]{16})?\.parquet"
)
"""Of a landed file: its crawl, its first and its last page, in a team's store a number of its own, and
whether it was written again."""
_COMPACTED_NAME = re.compile(r"compacted-[0-9a-f]{16}\.parquet")
_OWN_FOLDERS = ("_crawls", "_journal", SET_ASIDE, "_erased")


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing that is not as it was written."""

    account: str
    kind: ProblemKind
    path: str
    """Relative to the landing folder."""
    what: str
    """A few words, without a value of a lead."""
    rows: int = 0
    """Landed rows of the file that cannot be believed."""


class ScrubReport(msgspec.Struct, frozen=True):
    """What the last scrub has found, for `status` and alerts."""

    scrubbed_at: datetime
    read_files: int
    listed_files: int
    problems: list[Problem]


@dataclass
class Scrubbed:
    """What one scrub has looked at."""

    listed_files: int = 0
    read_files: int = 0
    read_bytes: int = 0
    without_digest: int = 0
    """Of the files read: those of earlier releases, whose content cannot be compared."""
    records: int = 0
    foreign: list[str] = field(default_factory=list)
    """Files of other programs, which are passed over; relative to the landing folder."""
    problems: list[Problem] = field(default_factory=list)


def scrub_landing(
    settings: Settings,
    now: datetime,
    *,
    every_file: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scrubbed:
    """Look at all commit records and at a part of the landed files, or at `every_file`.

    `progress` hears how many files are done of how many. The result is kept for `status`. Raises
    `OSError` where it cannot be.
    """
    landing, store = settings.landing_path, seams_of(settings).landing
    store.refresh()
    earlier = {problem.path for problem in known_problems(settings)}
    found = Scrubbed()
    for account in accounts_with_landing(landing):
        # What is found is looked at twice: between two looks a crawl may have ended, files may have
        # been put together.
        first = _scrub_account(landing, account, now, earlier, found, every_file, progress)
        if first:
            # In a team's store only the copy may be damaged.
            store.renew(*(landing / problem.path for problem in first))
            again = _scrub_account(
                landing, account, now, earlier | {p.path for p in first}, Scrubbed(), False
            )
            found.problems += sorted(set(first) & set(again))
    report = ScrubReport(now, found.read_files, found.listed_files, found.problems)
    write_atomically(report_path(settings), msgspec.json.format(msgspec.json.encode(report)))
    return found


def report_path(settings: Settings) -> Path:
    """Where the result of the last scrub is kept."""
    return settings.home / "scrub.json"


def last_report(settings: Settings) -> ScrubReport | None:
    """What the last scrub has found; None where there was none, or its result cannot be read."""
    try:
        return msgspec.json.decode(report_path(settings).read_bytes(), type=ScrubReport)
    except (OSError, msgspec.DecodeError):
        return None


def known_problems(settings: Settings) -> Sequence[Problem]:
    """The problems that the last scrub has found."""
    report = last_report(settings)
    return [] if report is None else report.problems


def _scrub_account(
    landing: Path,
    account: str,
    now: datetime,
    again: set[str],
    found: Scrubbed,
    every_file: bool,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Problem]:
    records, problems = _readable_records(landing, account)
    found.records += len(records)
    if not problems:
        problems += _broken_links(landing, account)
    places = Places(records)
    listed = _listed(records, places)
    found.listed_files += len(listed)
    wanted = [f for f in listed.values() if every_file or f.path in again or _is_due(f.path, now)]
    for number, file in enumerate(wanted, 1):
        progress(number, len(wanted))
        found.read_files += 1
        found.read_bytes += file.bytes
        found.without_digest += file.sha256 is None
        if (damage := damage_of(landing, file)) is not None:
            problems.append(Problem(account, "file", file.path, damage, file.rows))
    # That a file is gone needs no reading: all are looked for.
    seen = {file.path for file in wanted}
    problems += [
        Problem(account, "file", file.path, "it is gone", file.rows)
        for file in listed.values()
        if file.path not in seen and not (landing / file.path).exists()
    ]
    return problems + _unlisted(landing, account, records, listed, found)


def _readable_records(landing: Path, account: str) -> tuple[list[CommitRecord], list[Problem]]:
    try:
        return list(commit_records(landing, account)), []
    except LoadError:
        # One is damaged: which, and what the others say.
        records, problems = [], []
        for path in sorted(crawls_folder(landing, account).glob("[!.]*.json")):
            try:
                record = load(path)
            except LoadError:
                place = path.relative_to(landing).as_posix()
                problems.append(Problem(account, "record", place, "it cannot be read"))
            else:
                records += [record] if record.crawl_id == path.stem else []
        return records, problems


def _broken_links(landing: Path, account: str) -> Iterator[Problem]:
    for link in broken_links(landing, account):
        place = f"{account}/_crawls/{link.crawl_id}.json"
        if link.is_lost:
            yield Problem(account, "lost_record", place, f"it is gone, as {link.named_by} shows")
        else:
            what = f"it is not the one that was written, as {link.named_by} shows"
            yield Problem(account, "record", place, what)


def _listed(records: Sequence[CommitRecord], places: Places) -> dict[str, LandedFile]:
    """The files that hold rows which count, by path."""
    files = (places.holder(file) for record in records for file in record.all_files)
    return {file.path: file for file in files}


def _is_due(path: str, now: datetime) -> bool:
    share = int.from_bytes(sha256(path.encode()).digest()[:4])
    return share % NIGHTS == now.astimezone(UTC).toordinal() % NIGHTS


def _unlisted(
    landing: Path,
    account: str,
    records: Sequence[CommitRecord],
    listed: dict[str, LandedFile],
    found: Scrubbed,
) -> list[Problem]:
    """Crawls of which there are files but no record; files of others are noted in `found`."""
    # Files that were put together are listed by their crawls, and may not be removed yet.
    known = listed.keys() | {file.path for record in records for file in record.all_files}
    crawls = {record.crawl_id for record in records}
    lost: dict[str, int] = {}
    for path in sorted(_files_below(landing / account)):
        place = path.relative_to(landing).as_posix()
        if place in known or path.relative_to(landing / account).parts[0] in _OWN_FOLDERS:
            continue
        name = OWN_NAME.fullmatch(path.name)
        if name is not None and name["crawl_id"] not in crawls:
            lost[name["crawl_id"]] = lost.get(name["crawl_id"], 0) + 1
        elif name is None and not _COMPACTED_NAME.fullmatch(path.name) and not _is_ours(path):
            found.foreign.append(place)
    return [
        Problem(
            account,
            "lost_record",
            f"{account}/_crawls/{crawl_id}.json",
            f"it is gone, and {files:,} files of its crawl are there",
        )
        for crawl_id, files in lost.items()
    ]


def _is_ours(path: Path) -> bool:
    """Whether it is what a process of ours is writing, or was when it was killed; or derived."""
    return (path.name.startswith(".") and path.name.endswith(".tmp")) or path.name in (
        "_crawls.summary",
        "_quota.json",
    )


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)
