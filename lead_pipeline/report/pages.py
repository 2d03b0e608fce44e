"""Both pages of what readers have, written beside it: each whole or not, and for whom it is published.

    bi/leads.duckdb ──page.py──────▶ bi/report.html
                    └─explore.py───▶ bi/explore/index.html

Readers have the file before the pages are made, and nobody waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from lead_pipeline.accounts import load_accounts
from lead_pipeline.causes import cause_of
from lead_pipeline.errors import ConfigurationError, PublishError
from lead_pipeline.report import explore, page
from lead_pipeline.report.published_file import opened
from lead_pipeline.settings import ReportNames, Settings
from lead_pipeline.storage.files import remove_temporaries_of, write_atomically
from lead_pipeline.storage.permissions import (
    FOLDER_MODE,
    PAGE_MODE,
    Readers,
    readers_of,
    shown_to,
)
from lead_pipeline.storage.publication import EXPLORE, PAGES, REPORT, publication_at


def show_pages(settings: Settings) -> None:
    """Make the pages of what readers have, and give them to its readers, of a team, too.

    The caller holds the publish lock. Raises `PublishError` as `write_pages` does, and where accounts
    cannot be read.
    """
    published = settings.published_path
    try:
        lead_urls = load_accounts(settings).lead_urls
    except ConfigurationError as error:
        raise PublishError(f"Readers have {published}, but not its pages: {error}") from None
    write_pages(published, readers_of(settings), settings.report_names, lead_urls)
    for name in PAGES:
        publication_at(published).show_page(name)


def write_pages(
    published: Path,
    readers: Readers | None = None,
    names: ReportNames = "none",
    lead_urls: Mapping[str, str] | None = None,
) -> None:
    """Render the pages of the file at `published` beside it, replacing those that are there.

    `readers` may read them. `names` says whose names they show, `lead_urls` where a lead's page is, with
    `{lead_id}`, by account. Raises `PublishError` when the file lacks a table that they show, or one of
    them cannot be written; readers have the file all the same.
    """
    try:
        for name in PAGES:
            remove_temporaries_of(published.parent / name)
        with opened(published, names, lead_urls) as file:
            texts = {REPORT: page.render(file), EXPLORE: explore.render(file)}
        for name, text in texts.items():
            _write(published.parent / name, text, readers)
    except (duckdb.Error, OSError) as error:
        raise PublishError(
            f"Readers have {published}, but its pages could not be made: {cause_of(error)}. Make room or "
            "fix the folder, then publish again: lead-pipeline publish."
        ) from None


def remove_pages(published: Path) -> None:
    """Remove the pages of another build: they would tell wrong figures."""
    for name in PAGES:
        (published.parent / name).unlink(missing_ok=True)


def _write(path: Path, text: str, readers: Readers | None) -> None:
    path.parent.mkdir(exist_ok=True)
    shown_to(readers, path.parent, FOLDER_MODE)
    write_atomically(path, text.encode())
    shown_to(readers, path, PAGE_MODE)
