"""What the names of objects say, which are those of the home's files.

Belongs here: parts of names. Does not belong here: what lies there.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

CRAWLS, JOURNAL = "_crawls", "_journal"
LANDING, ERASURES = "landing", "erasures"
SUMMARY = "_crawls.summary"
"""Beside an account's commit records: what a process has parsed of them, for the next one."""


def part_of(name: str) -> str:
    """The part of a home whose copies change together: an account's landing, or all erasures."""
    parts = PurePosixPath(name).parts
    return f"{LANDING}/{parts[1]}" if parts[0] == LANDING else parts[0]


def account_of(name: str) -> str:
    """The account in whose landing the file is."""
    return PurePosixPath(name).parts[1]


def is_record(name: str) -> bool:
    """Whether it is a commit record."""
    return PurePosixPath(name).parent.name == CRAWLS


def is_journal(name: str) -> bool:
    """Whether it is a page of a crawl's journal, which only whoever resumes the crawl reads."""
    return JOURNAL in PurePosixPath(name).parts[2:3]


def record_of_page(name: str) -> str:
    """The commit record of the crawl whose journal has the page."""
    folder = PurePosixPath(name).parent
    return f"{folder.parent.parent}/{CRAWLS}/{folder.name}.json"


def is_copied(path: Path) -> bool:
    """Whether a file of a home is a copy; others are unfinished, or derived of what lies beside them."""
    return not path.name.startswith(".") and path.name != SUMMARY
