"""From findings about the data to causes: one per kind and account, however many there are.

Belongs here: putting findings together. Does not belong here: finding (`health/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lead_pipeline.alerts.alert import PUBLICATION, Alert, Look
from lead_pipeline.health.findings import Finding
from lead_pipeline.health.kinds import KINDS

_TOLD_BY_RUNS = frozenset({"own-models"})
"""Kinds that come of a run whose failure is told already."""


def look_at_findings(findings: Iterable[Finding]) -> Look:
    """The causes; of every kind of finding, none else holds anywhere."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.kind in _TOLD_BY_RUNS:
            continue
        groups.setdefault((finding.kind, _where(finding)), []).append(finding)
    return Look(
        tuple(_alert(kind, where, group) for (kind, where), group in groups.items()),
        frozenset((kind.name, None) for kind in KINDS if kind.name not in _TOLD_BY_RUNS),
    )


def _where(finding: Finding) -> str:
    if finding.account is not None:
        return finding.account
    return PUBLICATION if finding.kind == "stale" else "all accounts"


def _alert(kind: str, where: str, group: Sequence[Finding]) -> Alert:
    known = [finding.since for finding in group if finding.since is not None]
    return Alert(
        kind,
        where,
        " ".join(dict.fromkeys(finding.what for finding in group)),
        " ".join(dict.fromkeys(finding.remedy for finding in group)),
        min(known, default=None),
    )
