"""Commit records that name the one before them, so that a lost one, and a changed one, shows.

    ended first ◀──previous, previous_sha256── ended next ◀── … ◀── ended last

`commits.save` makes the links. Records of earlier releases have none: of these nothing is known.
The record that ended last is named by none; its own digest shows that it is whole, and its landed
files that it is gone (`scrub.py`). Belongs here: following links, and making them agree after
records were changed on purpose. Does not belong here: what a record says.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import CommitRecord, commit_records, encode, path_of
from lead_pipeline.storage.files import digest_of
from lead_pipeline.storage.seams import landing_at


@dataclass(frozen=True)
class BrokenLink:
    """A commit record that is not as the one after it says."""

    crawl_id: str
    named_by: str
    """The crawl whose record names it."""
    is_lost: bool
    """Whether it is gone; otherwise it is another one than was named."""

    def __str__(self) -> str:
        what = "gone" if self.is_lost else "not the one that was written"
        return f"the commit record {self.crawl_id}.json is {what}, as {self.named_by}.json shows"


def broken_links(landing: Path, account: str) -> list[BrokenLink]:
    """The links that do not hold, in the order of the crawls that name others.

    Reads all commit records of the account. Raises `LoadError` for one that is damaged.
    """
    records = {record.crawl_id: record for record in commit_records(landing, account)}
    broken = []
    for record in records.values():
        if record.previous is None:
            continue
        is_lost = record.previous not in records
        if is_lost or digest_of(path_of(landing, account, record.previous)) != (
            record.previous_sha256
        ):
            broken.append(BrokenLink(record.previous, record.crawl_id, is_lost))
    return broken


def check_chain(landing: Path, account: str) -> None:
    """Raise `LoadError` naming the first link that does not hold, and the remedy."""
    for link in broken_links(landing, account):
        raise LoadError(
            f"{account}: {link}. Restore {landing / account / '_crawls'} from a backup; without one, "
            "lead-pipeline scrub --repair takes up what is left of its landed files, and lets its "
            "window be asked for again."
        )


def relink(landing: Path, account: str, changed: Mapping[str, CommitRecord]) -> None:
    """Write the `changed` records of crawls that have ended, and let all links agree with them.

    Oldest first, each file atomically: a kill leaves links that do not hold yet, and calling it
    again completes them. The caller holds the account's lock. Raises `OSError`, and `Fenced` where
    another worker of a team has changed a record since this turn began.
    """
    records = {record.crawl_id: record for record in commit_records(landing, account)}
    records.update(changed)
    followers: dict[str | None, list[str]] = defaultdict(list)
    for record in records.values():
        followers[record.previous if record.previous in records else None].append(record.crawl_id)
    digests: dict[str, str] = {}
    due = deque(sorted(followers[None]))
    while due:
        record = records[due.popleft()]
        path = path_of(landing, account, record.crawl_id)
        is_changed = record.crawl_id in changed
        if record.previous in digests and record.previous_sha256 != digests[record.previous]:
            sha256 = digests[record.previous]
            record = msgspec.structs.replace(record, previous_sha256=sha256)
            is_changed = True
        # A record that is as it was keeps its bytes, which another release may have written.
        if is_changed and (not path.exists() or path.read_bytes() != encode(record)):
            landing_at(landing).save_record(path, encode(record))
        digests[record.crawl_id] = digest_of(path)
        due.extend(sorted(followers[record.crawl_id]))
