"""Alerts as text for people: what, where, since when, what to do.

Belongs here: wording. Does not belong here: the form that a channel wants it in.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lead_pipeline.alerts.alert import Alert

LONGEST = 1_000
"""Characters of what is said of one cause. Who wants more looks at `lead-pipeline status`."""


@dataclass(frozen=True)
class Message:
    """One message to one channel."""

    subject: str
    text: str


@dataclass(frozen=True)
class Over:
    """A cause that was told and no longer holds."""

    alert: Alert
    over_since: datetime


def message_of(alerts: Sequence[Alert], overs: Sequence[Over]) -> Message:
    """One message that tells of all of them, the worst first."""
    ordered = sorted(alerts, key=lambda alert: (alert.level != "error", alert.where, alert.kind))
    blocks = [*(_told(alert) for alert in ordered), *(_told_over(over) for over in overs)]
    subject = _subject(ordered, overs)
    return Message(subject, "\n\n".join([f"{subject} (on {socket.gethostname()})", *blocks]))


def trial_message(now: datetime) -> Message:
    """What `lead-pipeline alerts test` sends."""
    return Message(
        "lead-pipeline: a test of alerts",
        f"lead-pipeline: a test of alerts (on {socket.gethostname()}, {moment(now)})\n\n"
        "Alerts of lead-pipeline arrive here. Nothing is wrong.",
    )


def moment(at: datetime) -> str:
    """A moment in UTC, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def _subject(alerts: Sequence[Alert], overs: Sequence[Over]) -> str:
    if len(alerts) == 1 and not overs:
        return f"lead-pipeline: {alerts[0].where}: {alerts[0].title}"
    if len(overs) == 1 and not alerts:
        return f"lead-pipeline: over: {overs[0].alert.where}: {overs[0].alert.title}"
    counts = [(len(alerts), "to look at"), (len(overs), "over")]
    return "lead-pipeline: " + ", ".join(f"{count} {what}" for count, what in counts if count)


def _told(alert: Alert) -> str:
    lines = [f"{alert.level.upper()} {alert.where}: {alert.title}", _cut(alert.what)]
    if alert.since is not None:
        lines.append(f"Since {moment(alert.since)}.")
    return "\n".join([*lines, f"To do: {_cut(alert.remedy)}"])


def _told_over(over: Over) -> str:
    alert = over.alert
    began = f" It began {moment(alert.since)}." if alert.since is not None else ""
    return f"OVER {alert.where}: {alert.title}\nOver since {moment(over.over_since)}.{began}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
