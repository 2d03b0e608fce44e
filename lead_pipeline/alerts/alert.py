"""What somebody is told: one cause, where it is, since when, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Level = Literal["error", "warning"]

PUBLICATION = "bi/published"
"""Where loading, building and publishing are, which no one account is to blame for."""

TITLES: dict[str, str] = {
    "gap": "days are missing",
    "stale": "the data is old",
    "rejected": "records could not be filed",
    "unmapped": "stages have no canonical stage",
    "doubtful": "a crawl is not believed",
    "missing-account": "credentials are missing",
    "unfinished": "a crawl is not finished",
    "drift": "the provider serves what no mapping knows",
    "refused-key": "the key is refused",
    "failed-run": "a run failed",
    "build-refused": "the build is refused, readers keep the last file",
}
"""Every kind of cause, and what it says in a subject line."""

_WARNINGS = frozenset({"rejected", "unmapped", "unfinished", "drift"})
"""Kinds by which readers miss nothing that they had, and no day."""


def level_of(kind: str) -> Level:
    """How bad a cause of this kind is."""
    return "warning" if kind in _WARNINGS else "error"


@dataclass(frozen=True)
class Alert:
    """A cause that holds at this moment."""

    kind: str
    where: str
    """The account, or the asset."""
    what: str
    """In a sentence or two, without secrets and without a lead's data."""
    remedy: str
    since: datetime | None = None
    """None: since it was first noticed."""

    @property
    def cause(self) -> str:
        """What makes it the same as yesterday's."""
        return f"{self.kind}/{self.where}"

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        return TITLES[self.kind]

    @property
    def level(self) -> Level:
        """How bad it is."""
        return level_of(self.kind)


@dataclass(frozen=True)
class Look:
    """What a look at a part of the pipeline has shown: causes that hold, and where none else does.

    A cause is over only when somebody has looked and did not find it: what could not be looked at is
    as it was.
    """

    alerts: tuple[Alert, ...] = ()
    looked_at: frozenset[tuple[str, str | None]] = frozenset()
    """Kinds and places; the place None stands for all."""

    def covers(self, kind: str, where: str) -> bool:
        """Whether a cause of this kind would have been seen there."""
        return bool({(kind, where), (kind, None)} & self.looked_at)


def together(looks: Iterable[Look]) -> Look:
    """All that the looks have shown; of alerts with the same cause the last counts."""
    looks = tuple(looks)
    alerts = {alert.cause: alert for look in looks for alert in look.alerts}
    return Look(
        tuple(alerts.values()), frozenset(part for look in looks for part in look.looked_at)
    )
