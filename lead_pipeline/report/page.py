"""`bi/report.html`: one page without network or scripts, and without names unless the settings say so.

published file ──▶ sections ──▶ page.html with style.css ──▶ text of the page
"""

from __future__ import annotations

from importlib.metadata import version

import jinja2

from lead_pipeline.report import values
from lead_pipeline.report.published_file import PublishedFile
from lead_pipeline.report.sections import (
    calls,
    cohorts,
    coverage,
    created,
    funnel,
    news,
    parts,
    stages,
    targets,
)

SECTIONS = (
    news.section,
    targets.section,
    calls.section,
    parts.owners,
    parts.sources,
    funnel.section,
    cohorts.section,
    created.section,
    stages.section,
    coverage.section,
)
"""In the order in which they are read."""


def render(file: PublishedFile) -> str:
    """The whole page. Raises `duckdb.Error` where the file lacks a table that it shows."""
    sections = [section for section in (make(file) for make in SECTIONS) if section is not None]
    return str(environment().get_template("page.html").render(sections=sections, **said_of(file)))


def environment() -> jinja2.Environment:
    """The templates of the pages: all that they show is text, whatever it looks like."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("lead_pipeline", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def said_of(file: PublishedFile) -> dict[str, str | None]:
    """What both pages say of the build that they show."""
    return {
        "published_at": None if file.published_at is None else values.moment(file.published_at),
        "last_day": values.day(file.last_day),
        "zone": file.zone,
        "run_id": file.run_id,
        "tests_passed": values.number(file.tests_passed),
        "version": version("lead-pipeline"),
    }
