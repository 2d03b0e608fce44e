"""From runs that have ended to causes: refused keys, failed runs, refused builds.

Belongs here: which kind of cause a failure is. Does not belong here: what a run is in Dagster
(`orchestration/`), and how a failure is put into a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
    """What has ended: the landing of an account, or loading, building and publishing."""

    where: str
    """The account, or `PUBLICATION`."""
    failure: str | None
    """One sentence with the remedy; None: it has succeeded."""
    error: str | None = None
    """The class of our error behind it, by name; None: it is no error of ours, or not known."""


def look_at(ended: Iterable[Ended]) -> Look:
    """The causes that the runs have shown; where they went well, none is left."""
    ended = list(ended)
    return Look(
        tuple(_alert(item, item.failure) for item in ended if item.failure is not None),
        frozenset((kind, item.where) for item in ended for kind in FAILURES),
    )


def _alert(item: Ended, failure: str) -> Alert:
    kind = _KINDS.get(item.error or "", "failed-run")
    return Alert(kind, item.where, failure, _remedy(kind, item.where))


def _remedy(kind: str, where: str) -> str:
    if where == PUBLICATION:
        return "What the message says, then: lead-pipeline publish. Readers keep the last file."
    check = f"lead-pipeline check --account {where}"
    if kind == "refused-key":
        return f"Correct the credentials, then: {check}"
    return f"What the message says, then: lead-pipeline run --account {where}"
