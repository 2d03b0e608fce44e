"""From runs that have ended to causes: refused keys, failed runs, refused builds.

Belongs here: which kind of cause a failure is. Does not belong here: what a run is in Dagster
(`orchestration/`), and how a failure is put into a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from lead_pipeline.alerts.alert import PUBLICATION, Alert, Look
from lead_pipeline.errors import AccessRefused, DoubtfulCrawl, PublishError

FAILURES = ("refused-key", "failed-run", "build-refused")
"""Kinds of causes that hold from a run that failed until the next one, there, that does not."""

_KINDS = {
    AccessRefused.__name__: "refused-key",
    PublishError.__name__: "build-refused",
    # The crawl that is not believed is found in landing too: one cause, told once.
    DoubtfulCrawl.__name__: "doubtful",
}


@dataclass(frozen=True)
class Ended:
    """What has ended, and how."""

    where: str
    """The account that was landed, `PUBLICATION`, or the asset of somebody else."""
    failure: str | None
    """One sentence with the remedy; None: it has succeeded."""
    error: str | None = None
    """The class of our error behind it, by name; None: it is no error of ours, or not known."""
    again: str = "materialize it again in Dagster's web interface"
    """What does the same again."""

    @classmethod
    def landing(cls, account: str, failure: str | None, error: str | None = None) -> Self:
        """The landing of an account."""
        return cls(account, failure, error, f"lead-pipeline run --account {account}")

    @classmethod
    def publication(cls, failure: str | None, error: str | None = None) -> Self:
        """Loading, building and publishing."""
        return cls(PUBLICATION, failure, error, "lead-pipeline publish")


def look_at(ended: Iterable[Ended]) -> Look:
    """The causes that the runs have shown, the oldest first; where the last went well, none is left."""
    last = {item.where: item for item in ended}
    return Look(
        tuple(_alert(item, item.failure) for item in last.values() if item.failure is not None),
        frozenset((kind, where) for where in last for kind in FAILURES),
    )


def _alert(item: Ended, failure: str) -> Alert:
    kind = _KINDS.get(item.error or "", "failed-run")
    remedy = f"What the message says, then {item.again}."
    if kind == "refused-key":
        remedy = f"Correct the credentials, see lead-pipeline check, then {item.again}."
    if item.where == PUBLICATION:
        remedy += " Readers keep the last file until then."
    return Alert(kind, item.where, failure, remedy)
