"""Guards against pages that lead nowhere: repeated cursors and pages without anything new.

Seen in the field: airbyte-python-cdk #1148 (one cursor again and again), botocore #3778
(A-B-A), airbyte #13500 (filled the disk). Pages already met in this process are told by their
bytes, cursors also across processes. Belongs here: noticing. Does not belong here: what a
crawl does about it.
"""

from __future__ import annotations

from hashlib import blake2b

from lead_pipeline.errors import PaginationStuck
from lead_pipeline.providers.base import Page

MAX_PAGES_WITHOUT_PROGRESS = 5


def cursor_digest(cursor: str) -> bytes:
    """Eight bytes that stand for a cursor."""
    return blake2b(cursor.encode(), digest_size=8).digest()


class PaginationGuard:
    """Remembers every cursor of a crawl, and how many pages in a row brought nothing new."""

    def __init__(self, digests: set[bytes]) -> None:
        self.digests = digests
        self._last_records = b""
        self._pages: set[int] = set()
        self._without_progress = 0

    def repeats_last(self, page: Page) -> bool:
        """Whether `page` holds the very records of the page before: its own were left out."""
        return bool(page.records) and _content(page) == self._last_records

    def check(self, page: Page, number: int) -> None:
        """Take in the page numbered `number`. Raises `PaginationStuck`, naming the page."""
        if page.next_cursor is None:
            return
        digest = cursor_digest(page.next_cursor)
        if digest in self.digests:
            raise PaginationStuck(
                f"page {number:,} leads back to a cursor that this crawl has already followed"
            )
        self.digests.add(digest)
        content = _content(page)
        # Python's own hash is as good as a digest within one process, and faster.
        hashed = hash(content)
        if page.records and hashed not in self._pages:
            self._without_progress = 0
        else:
            self._without_progress += 1
        self._last_records = content
        self._pages.add(hashed)
        if self._without_progress >= MAX_PAGES_WITHOUT_PROGRESS:
            raise PaginationStuck(
                f"{self._without_progress} pages in a row up to page {number:,} brought no new "
                "record, and still there is a cursor to follow"
            )


def _content(page: Page) -> bytes:
    return b"".join(page.records)
