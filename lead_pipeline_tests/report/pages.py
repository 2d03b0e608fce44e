"""Published files for the pages: one of an invented world, and copies of it in which something is otherwise.

Here: files, and what a page says. Not here: what it must say.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from lead_pipeline.bi.candidate import mark_tested
from lead_pipeline.bi.publish import publish
from lead_pipeline.report import page
from lead_pipeline.report.published_file import PublishedFile, opened
from lead_pipeline.report.tables import Section
from lead_pipeline.settings import ReportNames
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.building import BuiltWorld


def publish_world(world: BuiltWorld, folder: Path) -> Path:
    """The published file of the world that the marts are tested with, in `folder`."""
    candidate = folder / ".candidate" / "leads.duckdb"
    candidate.parent.mkdir()
    shutil.copy(world.candidate, candidate)
    mark_tested(candidate, run_id="run-1", tests_passed=123)
    publish(candidate, folder / "leads.duckdb", run_id="run-1")
    return folder / "leads.duckdb"


def changed(published: Path, folder: Path, *statements: str) -> Path:
    """A copy of a published file, on which these statements were executed."""
    copy = folder / "leads.duckdb"
    shutil.copy(published, copy)
    copy.chmod(0o600)
    with closing(connect_utc(copy)) as connection:
        for statement in statements:
            connection.execute(statement)
    return copy


def rows(published: Path, query: str, **parameters: object) -> list[tuple[Any, ...]]:
    """What the file answers, with days of UTC."""
    with closing(connect_utc(published, read_only=True)) as connection:
        return connection.execute(query, parameters or None).fetchall()


@contextmanager
def looked_at(
    published: Path, names: ReportNames = "none", lead_urls: Mapping[str, str] | None = None
) -> Iterator[PublishedFile]:
    """The file as pages look at it."""
    with opened(published, names, lead_urls) as file:
        yield file


def rendered(
    published: Path, names: ReportNames = "none", lead_urls: Mapping[str, str] | None = None
) -> str:
    """The report of a file."""
    with looked_at(published, names, lead_urls) as file:
        return page.render(file)


def texts_of(section: Section, table: int = 0) -> list[list[str]]:
    """What the cells of a table say."""
    return [[cell.text for cell in row] for row in section.tables[table].rows]


class Outline(HTMLParser):
    """Tags, headings, links and everything that a browser would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self._heading: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag, and what it refers to."""
        self.tags.append(tag)
        if tag == "h2":
            self._heading = ""
        attributes = dict(attrs)
        if tag == "a":
            self.links.append(str(attributes.get("href")))
            return
        loading = ("src", "srcset", "href", "data", "action", "poster")
        self.loaded += [str(attributes[name]) for name in loading if name in attributes]

    def handle_data(self, data: str) -> None:
        """Collect the text of a heading."""
        if self._heading is not None:
            self._heading += data

    def handle_endtag(self, tag: str) -> None:
        """Note a heading that is over."""
        if tag == "h2" and self._heading is not None:
            self.headings.append(re.sub(r"\s+", " ", self._heading).strip())
            self._heading = None
