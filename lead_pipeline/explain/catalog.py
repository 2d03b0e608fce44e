"""Which landed files there are, by account and kind, as the commit records list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lead_pipeline.landing.commits import (
    COMPACTIONS,
    CommitRecord,
    LandedFile,
    accounts_with_landing,
    commit_records,
)
from lead_pipeline.landing.places import Places
from lead_pipeline.providers import PROVIDERS


@dataclass(frozen=True)
class AccountFiles:
    """The crawls of one account, oldest first, and the files that they list."""

    landing: Path
    account: str
    crawls: Sequence[CommitRecord]
    places: Places

    @property
    def provider(self) -> str:
        """The provider's slug."""
        return self.crawls[0].provider

    @cached_property
    def records(self) -> list[str]:
        """Files of leads: lists, single records, cohorts."""
        return self._paths(lambda crawl: [] if self._is_log(crawl) else crawl.files)

    @cached_property
    def events(self) -> list[str]:
        """Files of the audit log."""
        return self._paths(lambda crawl: crawl.files if self._is_log(crawl) else [])

    @cached_property
    def seen(self) -> list[str]:
        """Files of ids that were met but not landed."""
        return self._paths(lambda crawl: crawl.seen_files)

    @cached_property
    def rejected(self) -> list[str]:
        """Files of rejected records."""
        return self._paths(lambda crawl: crawl.rejected_files)

    def _is_log(self, crawl: CommitRecord) -> bool:
        return crawl.stream in PROVIDERS[crawl.provider].streams_of("events")

    def listed(self, file: str, crawl_id: str) -> list[str]:
        """The files that the crawl has listed, of which the rows lie in `file`."""
        sources = self.places.sources(file)
        if not sources:
            return [file]
        return [s.path for s in sources if Path(s.path).name.startswith(f"{crawl_id}-")]

    def _paths(self, files_of: Callable[[CommitRecord], Sequence[LandedFile]]) -> list[str]:
        files = (file for crawl in self.crawls for file in files_of(crawl))
        return [str(self.landing / path) for path in self.places.paths(files)]


def read_catalog(landing: Path) -> Mapping[str, AccountFiles]:
    """The files of every account that has landed anything, by name.

    Raises `LoadError` naming a commit record that cannot be read.
    """
    catalog = {}
    for account in accounts_with_landing(landing):
        records = list(commit_records(landing, account))
        crawls = [record for record in records if record.stream != COMPACTIONS]
        if crawls:
            catalog[account] = AccountFiles(landing, account, crawls, Places(records))
    return catalog


def relative(landing: Path, file: str) -> str:
    """The path of a landed file below the landing folder, as commit records write it."""
    return Path(file).relative_to(landing).as_posix()
