"""Homes of a team on this machine, as of workers on several.

Here: settings of homes that share a store and a database. Not here: what workers do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import settings_in


@dataclass(frozen=True)
class Team:
    """A store and a database that several homes share."""

    folder: Path
    shared: str
    database: str

    def home(self, name: str) -> Settings:
        """The settings of a worker with a home of that name, which may not be there yet."""
        return settings_in(self.folder / name, shared=self.shared, database=self.database)

    def variables(self, name: str) -> dict[str, str]:
        """The same as variables, for a process."""
        return {
            "LEAD_PIPELINE_HOME": str(self.folder / name),
            "LEAD_PIPELINE_SHARED": self.shared,
            "LEAD_PIPELINE_DATABASE": self.database,
        }
